//! What keeps the operator from its work.

use std::io;

use fpm_channel::ChannelError;
use fpm_os::error::OsError;
use fpm_scoreboard::ScoreboardError;

/// An error of the operator; it ends the process.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The master says something that makes no sense, or nothing at all.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The first message was another.
    #[error("the master did not begin with the beginning")]
    NotStarted,
    /// There is no scoreboard where it should be.
    #[error(transparent)]
    Scoreboard(#[from] ScoreboardError),
    /// It cannot become who it is to be.
    #[error(transparent)]
    Identity(#[from] OsError),
    /// The kernel is short of something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl OperatorError {
    /// Makes an error of what the kernel answered to `what`.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> OperatorError {
        move |source| OperatorError::Io { what, source }
    }
}
