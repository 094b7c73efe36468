//! What ends a zygote before its time.

use std::io;

use fpm_channel::ChannelError;
use fpm_events::EventError;
use fpm_os::error::OsError;
use fpm_scoreboard::ScoreboardError;
use sapi::SapiError;

/// Why a zygote could not do its work. The master learns it through the channel as far as that works.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteError {
    /// The master said something that makes no sense, or could not be spoken to.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The master was gone, or said something else, before it had said what is to be served.
    #[error("the master did not say what is to be served")]
    NotStarted,
    /// PHP did not start.
    #[error(transparent)]
    Php(#[from] SapiError),
    /// The user that all pools share could not be taken on.
    #[error(transparent)]
    Identity(#[from] OsError),
    /// The scoreboard cannot be used.
    #[error(transparent)]
    Scoreboard(#[from] ScoreboardError),
    /// The event loop failed.
    #[error(transparent)]
    Events(#[from] EventError),
    /// A pipe could not be made or read, or children could not be waited for.
    #[error("{what} failed: {source}")]
    Call {
        /// What was called.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl ZygoteError {
    /// Makes the error of a call that has no variant of its own.
    pub(crate) fn call(what: &'static str) -> impl FnOnce(io::Error) -> ZygoteError {
        move |source| ZygoteError::Call { what, source }
    }
}
