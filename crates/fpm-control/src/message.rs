//! The messages.
//!
//! Rule: raise [`VERSION`](crate::VERSION) with every change here.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use fpm_conf::Changes;
use serde::{Deserialize, Serialize};

use crate::stack::WorkerStack;
use crate::status::Status;

/// From a command to the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How is the daemon?
    Status(Detail),
    /// Read the configuration again and put it to work. The answer comes when that has happened, or has failed.
    Reload(Scope),
    /// Put the program on disk to work.
    Upgrade(Way),
    /// Read the configuration again and tell what a reload would change.
    Preview(Scope),
    /// Open the logs again under their names.
    Reopen,
    /// End at once. The answer comes when it has.
    Stop,
    /// End when the requests that run are done. The answer comes when it has.
    Quit,
    /// Let a pool's workers go and leave its socket open. The answer comes when the last one has gone.
    Drain {
        /// The pool.
        pool: String,
    },
    /// Let a pool that was drained have workers again.
    Resume {
        /// The pool.
        pool: String,
    },
    /// What are they doing?
    Stack {
        /// A pool, or the process id of a worker.
        of: String,
    },
    /// Change a directive of a pool until the next reload.
    Set {
        /// The pool.
        pool: String,
        /// `pm.max_children`.
        max_children: u32,
    },
}

/// How a program is put to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// In the place of the one that runs. The answer is that of [`Request::Reload`], which follows, and comes from the other program
    /// when that is of the same release; another release hangs up.
    InPlace,
    /// As a second master beside the one that runs, until somebody ends one of the two.
    Beside,
}

/// What a reload is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    All,
    /// The pools of these names. The other pools and the `[global]` section stay as they are.
    Pools(BTreeSet<String>),
}

impl Scope {
    /// Returns what two reloads are about that become one.
    #[must_use]
    pub fn and(self, other: Scope) -> Scope {
        match (self, other) {
            (Scope::Pools(mut one), Scope::Pools(mut two)) => {
                one.append(&mut two);
                Scope::Pools(one)
            }
            _ => Scope::All,
        }
    }
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
    /// To [`Request::Reload`], and [`Request::Upgrade`] in place: this generation serves now.
    Reloaded {
        /// Its number.
        generation: u64,
    },
    /// To [`Request::Upgrade`] with another master beside this one: it serves.
    Beside {
        /// Its process.
        pid: i32,
        /// The one that has started it.
        before: i32,
        /// Its release.
        version: String,
    },
    /// To [`Request::Preview`].
    Changes(Changes),
    /// To [`Request::Stack`].
    Stacks(Vec<WorkerStack>),
    /// To the others: it is done.
    Done,
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
    /// There is nothing to upgrade to.
    #[error(
        "the program on disk is the one that runs; `fpmd reload` puts the configuration and libphp as they are now to work"
    )]
    SameProgram,
    /// There is nothing at the place that the program was started from.
    #[error("there is no program at {0}")]
    NoProgram(PathBuf),
    /// Another master is there: which configuration and which program are to be used is not decided.
    #[error("process {0} is a master beside this one: end one of the two before (`fpmd quit`)")]
    TwoMasters(i32),
    /// The daemon is the first process of its container.
    #[error(
        "the master is process 1, with whose end everything here ends: it cannot make way for another one (`fpmd upgrade` replaces \
         it in place)"
    )]
    Init,
    /// It has something else to do first.
    #[error("the daemon is starting or reloading: try again when that is over")]
    Busy,
    /// The other master did not get as far as serving.
    #[error("the other master did not start, this one goes on{}", lines(.0))]
    NotBeside(Vec<String>),
    /// All workers were let go meanwhile.
    #[error("all workers were let go (SIGWINCH)")]
    Resting,
    /// The configuration cannot be used; each line says something about it.
    #[error("the configuration cannot be used{}", lines(.0))]
    Configuration(Vec<String>),
    /// Some log could not be opened; each line says which and why.
    #[error("not every log could be opened{}", lines(.0))]
    NotReopened(Vec<String>),
    /// There is no pool of this name.
    #[error("there is no pool {0}")]
    NoSuchPool(String),
    /// There is nobody of this name or number.
    #[error("there is no pool and no worker {0}")]
    Nobody(String),
    /// Workers of this pool have no watchdog.
    #[error(
        "workers of pool {0} cannot be asked: it has neither request_stack = yes nor request_slowlog_timeout"
    )]
    NotWatched(String),
    /// Workers came back before the last one had gone.
    #[error("the pool got workers again before the last one had gone")]
    Resumed,
    /// The number cannot be set.
    #[error(
        "pm.max_children can be set to 1 up to {most} here; for more, change the configuration and reload"
    )]
    OutOfRange {
        /// The highest possible.
        most: u32,
    },
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
            Request::Status(_) | Request::Preview(_) | Request::Stack { .. } => false,
            Request::Reload(_)
            | Request::Upgrade(_)
            | Request::Reopen
            | Request::Stop
            | Request::Quit
            | Request::Drain { .. }
            | Request::Resume { .. }
            | Request::Set { .. } => true,
        }
    }
}

impl fmt::Display for Scope {
    /// Writes the options of the command line that say so, each with a blank before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => Ok(()),
            Scope::Pools(names) => names
                .iter()
                .try_for_each(|name| write!(f, " --pool {name}")),
        }
    }
}

impl fmt::Display for Request {
    /// Writes it as on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Status(_) => f.write_str("status"),
            Request::Reload(scope) => write!(f, "reload{scope}"),
            Request::Upgrade(Way::InPlace) => f.write_str("upgrade"),
            Request::Upgrade(Way::Beside) => f.write_str("upgrade --beside"),
            Request::Preview(scope) => write!(f, "reload --dry-run{scope}"),
            Request::Reopen => f.write_str("reopen"),
            Request::Stop => f.write_str("stop"),
            Request::Quit => f.write_str("quit"),
            Request::Drain { pool } => write!(f, "drain {pool}"),
            Request::Resume { pool } => write!(f, "resume {pool}"),
            Request::Stack { of } => write!(f, "stack {of}"),
            Request::Set { pool, max_children } => {
                write!(f, "set {pool} pm.max_children={max_children}")
            }
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
