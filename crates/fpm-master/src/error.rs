//! What keeps the master from serving.
//!
//! Rule: texts that the original has are the original's.

use bstr::BString;
use fpm_os::error::OsError;

use crate::obituary::Ending;

/// An error of the master.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// PHP did not start.
    #[error("PHP did not start: {reason}")]
    Php {
        /// What PHP or the zygote says.
        reason: BString,
    },
    /// The zygote died while it was starting PHP.
    #[error("PHP did not start: the zygote exited {ending}")]
    ZygoteEnded {
        /// How it died.
        ending: Ending,
    },
    /// The zygote's process could not be started.
    #[error("failed to start a zygote: {source}")]
    Zygote {
        /// Why.
        source: OsError,
    },
    /// What goes on around the master failed when it was about to serve.
    #[error("{text}")]
    Launch {
        /// The whole line for the log.
        text: String,
    },
}
