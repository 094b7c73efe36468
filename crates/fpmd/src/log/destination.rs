//! Where the log goes once the daemon runs.

use std::io::{self, IsTerminal};

use fpm_conf::Global;

use crate::cli::Stderr;

/// Whether log lines go to the error log or to stderr once the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To `error_log`.
    ErrorLog,
    /// To stderr; `error_log` is created all the same.
    Stderr,
}

impl Destination {
    /// Finds out where lines go: a daemon in the background logs to `error_log`, one in the foreground to the terminal, if
    /// there is one or if it was told to.
    pub(crate) fn of(global: &Global, stderr: Stderr) -> Destination {
        let is_wanted = match stderr {
            Stderr::IfTerminal => io::stderr().is_terminal(),
            Stderr::Always => true,
            Stderr::Never => false,
        };
        if is_wanted && !global.daemonize {
            Destination::Stderr
        } else {
            Destination::ErrorLog
        }
    }
}
