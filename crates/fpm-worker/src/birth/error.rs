//! What can keep a forked process from becoming a worker. The texts are the original's.

use std::io;

use bstr::BString;
use fpm_os::error::OsError;

/// Why a worker cannot begin its work.
#[derive(Debug, thiserror::Error)]
pub enum BirthError {
    /// Root directory, working directory or identity could not be changed.
    #[error(transparent)]
    Identity(#[from] OsError),
    /// `process.priority` could not be set.
    #[error("Unable to set priority for this new process: {}", text(.0))]
    Priority(#[source] io::Error),
    /// The AppArmor profile could not be read.
    #[error(
        "failed to query apparmor confinement. Please check if \"/proc/*/attr/current\" is read and writeable.: {}",
        text(.0)
    )]
    QueryConfinement(#[source] io::Error),
    /// The hat could not be put on.
    #[error(
        "failed to change to new confinement ({hat}). Please check if \"/proc/*/attr/current\" is read and writeable and \"change_profile -> {profile}//*\" is allowed.: {}",
        text(source)
    )]
    ChangeConfinement {
        /// The full name of the hat.
        hat: BString,
        /// The profile that it belongs to.
        profile: BString,
        /// Why.
        source: io::Error,
    },
    /// Signals could not be set up.
    #[error("failed to init child signals: {}", text(.0))]
    Signals(#[source] io::Error),
    /// Standard output or error could not be replaced.
    #[error("failed to init child stdio: {}", text(.0))]
    Stdio(#[source] io::Error),
    /// It cannot be seen how much memory the worker needs.
    #[error("failed to look at pm.max_memory: {}", text(.0))]
    Memory(#[source] io::Error),
    /// The descriptors that a worker waits on could not be set up.
    #[error("failed to wait for connections: {}", text(.0))]
    Watch(#[source] io::Error),
    /// PHP gave up on a `php_value` or `php_admin_value`.
    #[error(transparent)]
    PhpValue(#[from] sapi::IniError),
    /// The slot in the scoreboard cannot be used.
    #[error("{0}")]
    Scoreboard(#[from] fpm_scoreboard::ScoreboardError),
}

/// Formats a system error as the original's messages end: `No such file or directory (2)`.
fn text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => fpm_os::error::described(nix::errno::Errno::from_raw(errno)),
        None => error.to_string(),
    }
}
