//! Errors of steps that are told to the administrator, and the original's way to print an errno.
//!
//! Rule: one system call answers `std::io::Error`; an operation of several steps answers [`OsError`], which says
//! which step failed. Texts that the original has too are its own, word for word and without the `[pool …]` that a
//! caller may put before them.

use std::io;
use std::path::PathBuf;

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
    /// A process that has more than one thread was to be forked.
    #[error("the process has more than one thread and cannot be forked")]
    Threads,
    /// A number is no signal's.
    #[error("there is no signal {number}")]
    NoSuchSignal {
        /// The number.
        number: i32,
    },
    /// A program could not be executed.
    #[error("failed to execute '{}': {}", program.display(), described(*errno))]
    Execute {
        /// The program.
        program: PathBuf,
        /// The errno of the step that failed in the child, nearly always execve(2).
        errno: Errno,
    },

    /// No socket could be made.
    #[error("failed to create new listening socket: socket(): {}", described(*errno))]
    Socket {
        /// The errno of socket(2).
        errno: Errno,
    },
    /// A descriptor that was to be a listening stream socket is something else.
    #[error("it is no listening socket")]
    NotListening,
    /// A server accepts connections at the path of a unix socket.
    #[error("Another FPM instance seems to already listen on {}", path.display())]
    AlreadyListening {
        /// The path.
        path: PathBuf,
    },
    /// An address could not be bound.
    #[error("unable to bind listening socket for address '{address}': {}", described(*errno))]
    Bind {
        /// The address as configured.
        address: String,
        /// The errno of bind(2).
        errno: Errno,
    },
    /// A bound socket could not listen.
    #[error("failed to listen to address '{address}': {}", described(*errno))]
    Listen {
        /// The address as configured.
        address: String,
        /// The errno of listen(2).
        errno: Errno,
    },
    /// A socket's file could not be given to its owner.
    #[error("failed to chown() the socket '{}': {}", path.display(), described(*errno))]
    ChangeOwner {
        /// The path of the socket.
        path: PathBuf,
        /// The errno of chown(2).
        errno: Errno,
    },
    /// A socket's access control list could not be read.
    #[error("failed to read the ACL of the socket '{}': {}", path.display(), described(*errno))]
    ReadAcl {
        /// The path of the socket.
        path: PathBuf,
        /// The errno of getxattr(2).
        errno: Errno,
    },
    /// A socket's access control list could not be written.
    #[error("failed to write the ACL of the socket '{}': {}", path.display(), described(*errno))]
    WriteAcl {
        /// The path of the socket.
        path: PathBuf,
        /// The errno of setxattr(2).
        errno: Errno,
    },
    /// A port is outside 1 to 65535.
    #[error("invalid port value '{port}'")]
    Port {
        /// The port as configured.
        port: String,
    },
    /// The resolver knows no address for a host.
    #[error("getaddrinfo: {reason}")]
    Resolve {
        /// What the resolver says.
        reason: String,
    },

    /// The root directory could not be changed.
    #[error("failed to chroot({}): {}", path.display(), described(*errno))]
    ChangeRoot {
        /// The new root.
        path: PathBuf,
        /// The errno of chroot(2).
        errno: Errno,
    },
    /// The working directory could not be changed.
    #[error("failed to chdir({}): {}", path.display(), described(*errno))]
    ChangeDirectory {
        /// The new working directory.
        path: PathBuf,
        /// The errno of chdir(2).
        errno: Errno,
    },
    /// The group could not be changed.
    #[error("failed to setgid({gid}): {}", described(*errno))]
    SetGroup {
        /// The new group.
        gid: u32,
        /// The errno of setgid(2).
        errno: Errno,
    },
    /// The supplementary groups could not be changed.
    #[error("failed to initgroups({user}, {gid}): {}", described(*errno))]
    SupplementaryGroups {
        /// The user whose groups they are.
        user: String,
        /// The group added to them.
        gid: u32,
        /// The errno of initgroups(3).
        errno: Errno,
    },
    /// The user could not be changed.
    #[error("failed to setuid({uid}): {}", described(*errno))]
    SetUser {
        /// The new user.
        uid: u32,
        /// The errno of setuid(2).
        errno: Errno,
    },
    /// After the change of user or group the old ones can still be taken back.
    #[error("the process could get back what it gave up: {what}")]
    Revocable {
        /// What is wrong, as a phrase.
        what: &'static str,
    },
    /// The area of the command line and the environment is not where it should be.
    #[error("the process title cannot be set: {reason}")]
    Title {
        /// Why, as a phrase.
        reason: &'static str,
    },
}

impl OsError {
    /// Makes the error of a call that has no variant of its own: `.map_err(OsError::call("fork()"))`.
    pub(crate) fn call(call: &'static str) -> impl FnOnce(io::Error) -> OsError {
        move |error| OsError::Call {
            call,
            errno: errno_of(&error),
        }
    }
}

/// Returns the errno of an error that a system call has made.
pub(crate) fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_originals() {
        let (path, address) = (PathBuf::from("/run/a.sock"), "127.0.0.1:80".to_owned());
        let errno = Errno::EACCES;
        for (error, text) in [
            (
                OsError::Socket { errno },
                "failed to create new listening socket: socket(): Permission denied (13)",
            ),
            (
                OsError::AlreadyListening { path: path.clone() },
                "Another FPM instance seems to already listen on /run/a.sock",
            ),
            (
                OsError::Bind {
                    address: address.clone(),
                    errno: Errno::EADDRINUSE,
                },
                "unable to bind listening socket for address '127.0.0.1:80': Address already in use (98)",
            ),
            (
                OsError::Listen { address, errno },
                "failed to listen to address '127.0.0.1:80': Permission denied (13)",
            ),
            (
                OsError::ChangeOwner {
                    path: path.clone(),
                    errno,
                },
                "failed to chown() the socket '/run/a.sock': Permission denied (13)",
            ),
            (
                OsError::Port {
                    port: "0".to_owned(),
                },
                "invalid port value '0'",
            ),
            (
                OsError::ChangeRoot {
                    path: path.clone(),
                    errno,
                },
                "failed to chroot(/run/a.sock): Permission denied (13)",
            ),
            (
                OsError::ChangeDirectory { path, errno },
                "failed to chdir(/run/a.sock): Permission denied (13)",
            ),
            (
                OsError::SetGroup { gid: 33, errno },
                "failed to setgid(33): Permission denied (13)",
            ),
            (
                OsError::SupplementaryGroups {
                    user: "www".to_owned(),
                    gid: 33,
                    errno,
                },
                "failed to initgroups(www, 33): Permission denied (13)",
            ),
            (
                OsError::SetUser { uid: 33, errno },
                "failed to setuid(33): Permission denied (13)",
            ),
            (
                OsError::Call {
                    call: "fork()",
                    errno: Errno::EAGAIN,
                },
                "fork() failed: Resource temporarily unavailable (11)",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
