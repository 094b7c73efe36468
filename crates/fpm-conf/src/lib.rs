//! php-fpm.conf from text to typed, validated configuration.
//!
//! Everything here is a value: text and look-ups come in through traits, the configuration and the log lines go out.
//! A changer must know: the order of checks and every text are php-fpm's interface; administrators and scripts grep for them.

#![forbid(unsafe_code)]

mod config;
mod global;
mod level;
mod listen;
mod pool;

pub use config::Config;
pub use global::{ErrorLog, EventMechanism, Facility, Global};
pub use level::LogLevel;
pub use listen::ListenAddress;
pub use pool::{Pm, Pool, PoolIndex};
