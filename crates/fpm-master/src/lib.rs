//! Pools, process managers, generations and signals: the master process.
//!
//! [`run::Prepared`] is the way in, or [`run::Adopted`] after an upgrade, [`try_php`] a look ahead. The decisions are pure (`master`, and
//! what it asks: `pm`, `state`, `reload`, `turnover`, `sizing` and others): events and the time come in, what is to be done goes out
//! through the trait `World`, which `live` implements for real and the tests for show.
//!
//! A changer must know: this crate knows neither libphp nor FastCGI, and nothing in it ever waits but the loop in `run` and `try_php`.

#![forbid(unsafe_code)]

mod access_logs;
mod acl;
mod backoff;
mod capture;
pub mod company;
mod control;
mod crash_budget;
mod departure;
mod descriptors;
mod directory;
mod emergency;
pub mod error;
mod event;
mod generation;
mod generations;
mod group;
pub mod inherited;
mod ini_mistake;
mod journal;
mod ledgers;
mod listeners;
mod live;
mod master;
mod obituary;
mod operator;
mod orders;
mod overrun;
mod owner;
mod pm;
mod pool;
pub mod program;
mod proof;
mod relays;
mod reload;
mod resting;
mod roster;
pub mod run;
mod settings;
mod sizing;
mod slow_log;
mod stacks;
mod state;
pub mod store;
mod systemd;
mod time_limit;
mod turnover;
pub mod upgrade;
mod world;

pub use live::trial::try_php;
