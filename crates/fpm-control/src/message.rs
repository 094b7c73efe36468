//! The messages.
//!
//! Rule: raise [`VERSION`](crate::VERSION) with every change here.

use fpm_conf::Changes;
use serde::{Deserialize, Serialize};

use crate::status::Status;

/// From a command to the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How is the daemon?
    Status(Detail),
    /// Read the configuration again and put it to work. The answer comes when that has happened, or has failed.
    Reload,
    /// Read the configuration again and tell what a reload would change.
    Preview,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// The daemon and its pools.
    Pools,
    /// Each worker as well.
    Workers,
}

/// From the master to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Reload`]: this generation serves now.
    Reloaded {
        /// Its number.
        generation: u64,
    },
    /// To [`Request::Preview`].
    Changes(Changes),
    /// To any request: it was not done.
    Failed(Failure),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// Only root and the user that the master runs as are obeyed.
    #[error("the daemon does not take orders of user {0}")]
    NotYours(u32),
    /// As many commands talk to the master as may.
    #[error("too many commands talk to the daemon already")]
    TooMany,
    /// What was asked for is more than an answer may be long.
    #[error("the answer would be too long")]
    TooLong,
    /// The daemon is on its way out.
    #[error("the daemon is stopping")]
    Stopping,
    /// All workers were let go meanwhile.
    #[error("all workers were let go (SIGWINCH)")]
    Resting,
    /// The configuration cannot be used; each line says something about it.
    #[error("the configuration cannot be used{}", lines(.0))]
    Configuration(Vec<String>),
    /// A reload failed, and nothing has changed.
    #[error("{0}")]
    Reload(String),
}

/// Puts each line below what it belongs to.
fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

impl Request {
    /// Tells whether it changes anything, so that it belongs into the log.
    #[must_use]
    pub fn is_order(&self) -> bool {
        match self {
            Request::Status(_) | Request::Preview => false,
            Request::Reload => true,
        }
    }

    /// Returns the name of the command.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Request::Status(_) => "status",
            Request::Reload => "reload",
            Request::Preview => "reload --dry-run",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_configuration_is_told_line_by_line() {
        let two = Failure::Configuration(vec!["no pool".to_owned(), "no file".to_owned()]);
        let expected = "the configuration cannot be used\n  no pool\n  no file";
        assert_eq!(two.to_string(), expected);
    }
}
