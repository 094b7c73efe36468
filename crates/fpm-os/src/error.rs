//! Errors of steps that are told to the administrator, and the original's way to print an errno.
//!
//! Rule: one system call answers `std::io::Error`; an operation of several steps answers [`OsError`], which says
//! which step failed. Texts that the original has too are its own, word for word.

use std::io;

use nix::errno::Errno;

/// What went wrong in an operation of several steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OsError {
    /// A system call failed for which the original has no text of its own.
    #[error("{call} failed: {}", described(*errno))]
    Call {
        /// The call, as `fork()`.
        call: &'static str,
        /// Its errno.
        errno: Errno,
    },
}

impl OsError {
    /// Returns the errno of the call that failed, if it was one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            OsError::Call { errno, .. } => Some(*errno),
        }
    }
}

/// Formats an errno as the original's messages end: `No such file or directory (2)`.
#[must_use]
pub fn described(errno: Errno) -> String {
    let number = errno as i32;
    let text = io::Error::from_raw_os_error(number).to_string();
    // The standard library asks strerror_r, as the original does, and adds its own suffix.
    let text = text
        .strip_suffix(&format!(" (os error {number})"))
        .unwrap_or(&text);
    format!("{text} ({number})")
}
