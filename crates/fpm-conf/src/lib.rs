//! php-fpm.conf from text to typed, validated configuration.
//!
//! Everything here is a value: text and look-ups come in through traits, the configuration and the log lines go out.
//! A changer must know: the order of checks and every text are php-fpm's interface; administrators and scripts grep for them.
//!
//! The way of a file: `source` reads lines and follows includes, `ini` says what a line means, `items` feeds that
//! through `serde_ini` to `sections`, which write a `draft` with the help of the table in `directive`. `check`
//! validates the draft, `dump` shows it, `finish` types it.

#![forbid(unsafe_code)]

mod access_format;
mod accounts;
mod affinity;
mod check;
mod config;
mod constants;
mod difference;
mod directive;
mod draft;
mod dump;
mod error;
mod files;
mod finish;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod glob;
mod global;
mod ini;
mod items;
mod level;
mod listen;
mod load;
#[cfg(any(test, feature = "fuzzing"))]
mod memory;
mod operator;
mod options;
mod own;
mod pattern;
mod php_version;
mod pool;
mod prefix;
mod report;
mod rlimit;
mod sections;
mod selection;
mod shown;
mod sizing;
mod source;
mod value;
mod vocabulary;

pub use accounts::Accounts;
pub use affinity::CpuAffinity;
pub use config::Config;
pub use difference::{Change, Changes, PoolChange, PoolFate};
pub use error::ConfError;
pub use files::{Files, OsFiles};
pub use global::{ErrorLog, EventMechanism, Facility, Global};
pub use level::LogLevel;
pub use listen::ListenAddress;
pub use load::{Loaded, control_listen, load};
pub use operator::{Operator, OperatorAddress};
pub use options::{Background, BuildFolders, Feature, LoadOptions, Purpose, Starter, Surroundings};
pub use own::{CrashBudget, LogFormat, Percent, Portion, TermMeans};
pub use php_version::PhpVersion;
pub use pool::{Pm, Pool, PoolIndex};
pub use report::{Message, OpenLog, Report};
pub use rlimit::{Resource, Rlimit};
pub use sizing::{AutoChildren, Reserve};
pub use vocabulary::Vocabulary;
