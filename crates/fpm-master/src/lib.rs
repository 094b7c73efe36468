//! Pools, process managers, generations and signals: the master process.
//!
//! The decisions ([`master`], [`pm`], [`state`], [`backoff`]) are pure: events and the time come in, what is to be done
//! goes out through [`world::World`]. This crate knows neither libphp nor FastCGI.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod capture;
pub mod error;
pub mod event;
pub mod generation;
pub mod group;
mod journal;
pub mod listeners;
mod live;
pub mod master;
pub mod obituary;
pub mod owner;
pub mod pm;
pub mod pool;
pub mod program;
pub mod roster;
pub mod run;
pub mod state;
pub mod world;
