//! The five log levels, in the order in which `log_level` compares them.
//!
//! Original: sapi/fpm/fpm/zlog.h

use serde::{Deserialize, Serialize};

/// Orders log lines: a line is written when its level is at least the configured one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum LogLevel {
    /// Everything, with pid, function and line in each log line.
    Debug,
    /// The default: what a start, a stop or a PHP `error_log()` says.
    #[default]
    Notice,
    /// Something is not as asked for, but the daemon goes on.
    Warning,
    /// Something failed.
    Error,
    /// The configuration cannot be used.
    Alert,
}

impl LogLevel {
    /// Returns the name as log lines and the `-tt` dump print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Alert => "ALERT",
        }
    }
}
