//! What keeps the master from serving.
//!
//! Rule: texts that the original has are the original's.

use std::io;
use std::path::PathBuf;

use bstr::BString;
use fpm_channel::ChannelError;
use fpm_control::Failure;
use fpm_events::EventError;
use fpm_os::error::{OsError, described};
use fpm_os::wait::ExitStatus;
use fpm_scoreboard::ScoreboardError;
use nix::errno::Errno;

use crate::obituary::Ending;

/// An error of the master.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// A listening socket could not be opened.
    #[error(transparent)]
    Listener(#[from] OsError),
    /// A listening socket could not be given to its owner.
    #[error("[pool {pool}] {source}")]
    ListenerOwner {
        /// The pool.
        pool: BString,
        /// Why.
        source: OsError,
    },
    /// `listen.owner` is in no database. The original prints the errno that a look-up without result leaves.
    #[error("[pool {pool}] cannot get uid for user '{user}': Success (0)")]
    SocketUser {
        /// The pool.
        pool: BString,
        /// `listen.owner`.
        user: BString,
    },
    /// `listen.group` is in no database.
    #[error("[pool {pool}] cannot get gid for group '{group}': Success (0)")]
    SocketGroup {
        /// The pool.
        pool: BString,
        /// `listen.group`.
        group: BString,
    },
    /// `user` is in no database.
    #[error("[pool {pool}] cannot get uid for user '{user}'")]
    PoolUser {
        /// The pool.
        pool: BString,
        /// `user`.
        user: BString,
    },
    /// `group` is in no database.
    #[error("[pool {pool}] cannot get gid for group '{group}'")]
    PoolGroup {
        /// The pool.
        pool: BString,
        /// `group`.
        group: BString,
    },
    /// Workers of a pool would be root, which was not allowed by `-R`.
    #[error("[pool {pool}] please specify user and group other than root")]
    RootPool {
        /// The pool.
        pool: BString,
    },
    /// `operator.user` is in no database.
    #[error("operator.user: there is no user '{user}'")]
    OperatorUser {
        /// `operator.user`.
        user: BString,
    },
    /// `operator.group` is in no database.
    #[error("operator.group: there is no group '{group}'")]
    OperatorGroup {
        /// `operator.group`.
        group: BString,
    },
    /// The operator process would be root.
    #[error("operator.user and operator.group must be others than root's")]
    RootOperator,
    /// An access log could not be opened.
    #[error("failed to open access log ({path}): {}", cause(source))]
    AccessLog {
        /// Its path.
        path: BString,
        /// Why.
        source: io::Error,
    },
    /// A slow log could not be written.
    #[error("unable to open slowlog ({path}): {}", cause(source))]
    SlowLog {
        /// Its path.
        path: BString,
        /// Why.
        source: io::Error,
    },
    /// There is no memory for the scoreboard.
    #[error(transparent)]
    Scoreboard(#[from] ScoreboardError),
    /// The event loop does not work.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The process could not be made what a master has to be.
    #[error("the master process cannot be set up: {0}")]
    Process(#[source] io::Error),
    /// A pipe to a zygote could not be made.
    #[error("failed to create pipe: {0}")]
    Pipe(#[source] io::Error),
    /// The channel to a zygote does not work.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A reload found a configuration that cannot be used. What is wrong with it has been logged.
    #[error("the configuration cannot be used")]
    Configuration {
        /// What has been logged.
        reasons: Vec<String>,
    },
    /// A reload of this pool was asked for, which is in no configuration.
    #[error("there is no pool {pool}")]
    NoSuchPool {
        /// Its name.
        pool: String,
    },
    /// PHP did not start.
    #[error("{reason}")]
    Php {
        /// The zygote's sentence.
        reason: BString,
    },
    /// The zygote died while it was starting PHP.
    #[error("PHP did not start: the zygote exited {}", Ending(*status))]
    ZygoteEnded {
        /// How it died.
        status: ExitStatus,
    },
    /// The zygote's process could not be started.
    #[error("failed to start a zygote: {source}")]
    Zygote {
        /// Why.
        source: OsError,
    },
    /// A name could not be left to another master.
    #[error("cannot rename {} for another master: {}", path.display(), cause(source))]
    Name {
        /// The pid file or the control socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another program could not take the place of this one.
    #[error("cannot hand over to {}: {reason}", program.display())]
    HandOver {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// What goes on around the master failed when it was about to serve.
    #[error("{text}")]
    Launch {
        /// The whole line for the log.
        text: String,
    },
}

impl From<MasterError> for Failure {
    fn from(error: MasterError) -> Failure {
        match error {
            MasterError::Configuration { reasons } => Failure::Configuration(reasons),
            MasterError::NoSuchPool { pool } => Failure::NoSuchPool(pool),
            error => Failure::Reload(error.to_string()),
        }
    }
}

/// Formats an error of the system as the original does.
fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || error.to_string(),
        |errno| described(Errno::from_raw(errno)),
    )
}
