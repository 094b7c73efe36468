//! The way into the background: a child becomes the daemon, the parent waits until it says that it is ready.
//!
//! Rule: what the two say to each other is php-fpm's: one native int through a pipe, 1 for success.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_init_main`)

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;

use fpm_os::error::OsError;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::signal::set::SignalSet;

use crate::exit;

/// The daemon's end of the pipe.
#[derive(Debug)]
pub(crate) struct Readiness {
    pipe: PipeWriter,
}

impl Readiness {
    /// Tells the waiting parent that the daemon serves.
    pub(crate) fn ready(self) {
        tracing::debug!(
            "Sending \"1\" (OK) to parent via fd={}",
            self.pipe.as_raw_fd()
        );
        self.send(1);
    }

    /// Tells the waiting parent that the daemon failed.
    pub(crate) fn failed(self) {
        tracing::debug!(
            "Sending \"0\" (error) to parent via fd={}",
            self.pipe.as_raw_fd()
        );
        self.send(0);
    }

    fn send(mut self, status: i32) {
        // A parent that has gone has nobody to tell.
        let _ = self.pipe.write_all(&status.to_ne_bytes());
    }
}

/// Runs `daemon` in a child and returns, in the parent, the exit code when the child says how it went.
///
/// # Errors
/// When there is no pipe or no child.
pub(crate) fn into_background(daemon: impl FnOnce(Readiness) -> u8) -> Result<u8, OsError> {
    let (reader, writer) = io::pipe().map_err(|error| OsError::Call {
        call: "pipe2()",
        errno: nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default()),
    })?;
    let mut reader = Some(reader);
    fork(OtherThreads::Refuse, || {
        // It is the parent's.
        reader = None;
        // The loop blocks what it wants to know of; everything else is to act as it does in any process.
        let _ = SignalSet::empty().set_mask();
        daemon(Readiness { pipe: writer })
    })?;
    Ok(reader.map_or(exit::SOFTWARE, outcome))
}

/// Waits for what the child says, or for its end.
///
/// There is no limit: the child starts PHP, and preloading may take its time. (The original waits ten seconds, but has
/// started PHP before.)
fn outcome(mut reader: PipeReader) -> u8 {
    tracing::debug!(
        "The calling process is waiting for the master process to ping via fd={}",
        reader.as_raw_fd()
    );
    let mut status = [0; 4];
    match reader.read_exact(&mut status) {
        Ok(()) if i32::from_ne_bytes(status) == 1 => {
            tracing::debug!(
                "I received a valid acknowledge from the master process, I can exit without error"
            );
            exit::OK
        }
        Ok(()) => {
            tracing::debug!("The master process returned an error !");
            exit::SOFTWARE
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::error!("no data have been read from pipe");
            exit::SOFTWARE
        }
        Err(error) => {
            tracing::error!("failed to read from pipe: {error}");
            exit::SOFTWARE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> u8 {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(bytes).unwrap();
        drop(writer);
        outcome(reader)
    }

    #[test]
    fn only_a_one_is_success() {
        assert_eq!(said(&1_i32.to_ne_bytes()), exit::OK);
        for bytes in [&0_i32.to_ne_bytes()[..], &2_i32.to_ne_bytes(), b"", b"\x01"] {
            assert_eq!(said(bytes), exit::SOFTWARE, "{bytes:?}");
        }
    }

    #[test]
    fn the_daemon_sends_what_the_parent_expects() {
        let (reader, pipe) = io::pipe().unwrap();
        Readiness { pipe }.ready();
        assert_eq!(outcome(reader), exit::OK);
        let (reader, pipe) = io::pipe().unwrap();
        Readiness { pipe }.failed();
        assert_eq!(outcome(reader), exit::SOFTWARE);
    }
}
