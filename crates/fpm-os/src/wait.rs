//! Ends of child processes as typed values.
//!
//! Rule: whoever waits takes every exit that is there; SIGCHLD is not queued per child.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_bury`)

use std::io;

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It called `exit` or returned from `main` with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal.
        signal: Signal,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
}

/// A child that has ended and been reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The process that was; its id may be taken by another process from now on.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
}

/// Reaps one child that has ended, if there is one. Call it until it returns `None`.
///
/// # Errors
/// None that a caller can cure: having no children at all is `None` as well.
pub fn reap() -> io::Result<Option<Exit>> {
    match wait_for(Pid::from_raw(-1), libc::WNOHANG) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => other,
    }
}

/// Waits until the child `pid` has ended.
///
/// # Errors
/// ECHILD when `pid` is not a child of this process.
pub fn wait(pid: Pid) -> io::Result<ExitStatus> {
    loop {
        if let Some(exit) = wait_for(pid, 0)? {
            return Ok(exit.status);
        }
    }
}

/// Calls waitpid(2). Not through nix: it answers EINVAL for a child that a real-time signal ended, after the
/// kernel has forgotten that child.
fn wait_for(pid: Pid, options: libc::c_int) -> io::Result<Option<Exit>> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for an int during the call.
        let reaped = unsafe { libc::waitpid(pid.as_raw(), &raw mut status, options) };
        match reaped {
            0 => return Ok(None),
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ => {
                // A stop or a trace event is not an end; without WUNTRACED the kernel does not report it.
                if let Some(status) = ExitStatus::from_raw(status) {
                    return Ok(Some(Exit {
                        pid: Pid::from_raw(reaped),
                        status,
                    }));
                }
            }
        }
    }
}

impl ExitStatus {
    /// Decodes what waitpid(2) stores; `None` when it does not describe an end.
    fn from_raw(status: libc::c_int) -> Option<ExitStatus> {
        if libc::WIFEXITED(status) {
            return Some(ExitStatus::Code(libc::WEXITSTATUS(status)));
        }
        if !libc::WIFSIGNALED(status) {
            return None;
        }
        let signal = Signal::from_number(libc::WTERMSIG(status))?;
        Some(ExitStatus::Signal {
            signal,
            core_dumped: libc::WCOREDUMP(status),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_decoded_as_the_kernel_encodes_them() {
        let signal = |number, core_dumped| {
            Some(ExitStatus::Signal {
                signal: Signal::from_number(number).unwrap(),
                core_dumped,
            })
        };
        for (raw, expected) in [
            (0, Some(ExitStatus::Code(0))),
            (70 << 8, Some(ExitStatus::Code(70))),
            (9, signal(9, false)),
            (11 | 0x80, signal(11, true)),
            (35, signal(35, false)),
            (19 << 8 | 0x7f, None),
            (0xffff, None),
        ] {
            assert_eq!(ExitStatus::from_raw(raw), expected, "{raw:#x}");
        }
    }
}
