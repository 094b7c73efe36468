//! Why a configuration cannot be used.

use bstr::BString;

use crate::Report;

/// Says at which step loading ended. Each carries all that there is to say in its report.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    /// The global prefix is no directory.
    #[error("the global prefix '{path}' is not a directory")]
    Prefix {
        /// The prefix.
        path: BString,
        /// What to log.
        report: Box<Report>,
    },
    /// A file could not be read, or something in it is not understood.
    #[error("the configuration file '{path}' cannot be read")]
    Read {
        /// The main configuration file.
        path: BString,
        /// What to log.
        report: Box<Report>,
    },
    /// The values are understood but cannot be used.
    #[error("the configuration of '{path}' cannot be used")]
    Check {
        /// The main configuration file.
        path: BString,
        /// What to log.
        report: Box<Report>,
    },
    /// A user, a group or a socket path that `-t` looks at is not usable.
    #[error("the configuration of '{path}' names something that this machine does not have")]
    Account {
        /// The main configuration file.
        path: BString,
        /// What to log.
        report: Box<Report>,
    },
}

impl ConfError {
    /// Returns what to log.
    #[must_use]
    pub fn report(&self) -> &Report {
        match self {
            Self::Prefix { report, .. }
            | Self::Read { report, .. }
            | Self::Check { report, .. }
            | Self::Account { report, .. } => report,
        }
    }
}
