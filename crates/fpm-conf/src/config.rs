//! The result of loading: one validated configuration, as it travels to the zygote.
//!
//! A changer must know: these types are sent with postcard, so no serde attribute that needs a self-describing format.

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::{Global, Pool, PoolIndex};

/// Holds one configuration: the `[global]` section and the pools in the order of their first appearance.
///
/// The shadow pools that `pm.status_listen` creates stand behind all pools of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Config {
    /// Name of the configuration file, as given (not made absolute); shown in the master's process title.
    pub name: BString,
    /// Directives of the `[global]` section.
    pub global: Global,
    /// All pools; a valid configuration has at least one.
    pub pools: Vec<Pool>,
    /// Interval in milliseconds at which running requests are checked for `request_terminate_timeout` and
    /// `request_slowlog_timeout`: a third of the shortest of them. `None` when no pool sets one.
    pub heartbeat: Option<u32>,
}

impl Config {
    /// Returns the pool with this index.
    #[must_use]
    pub fn pool(&self, index: PoolIndex) -> Option<&Pool> {
        self.pools.get(index.0 as usize)
    }
}
