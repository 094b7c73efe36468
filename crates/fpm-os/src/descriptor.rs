//! What can be done with any descriptor. Reading, writing and pipes are in the standard library (`File`, `io::pipe`).

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Makes calls on this open file answer EAGAIN instead of waiting, in every process that shares it.
///
/// # Errors
/// What fcntl(2) answers.
pub fn set_nonblocking(descriptor: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL)?);
    fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Duplicates a descriptor, close-on-exec, to a number above `floor`.
pub(crate) fn duplicate_above(descriptor: impl AsFd, floor: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(floor + 1))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn an_empty_pipe_answers_at_once() {
        let (mut reader, _writer) = io::pipe().unwrap();
        set_nonblocking(&reader).unwrap();
        assert_eq!(
            reader.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn a_copy_is_above_the_floor_and_close_on_exec() {
        let (reader, _writer) = io::pipe().unwrap();
        let copy = duplicate_above(&reader, 100).unwrap();
        assert!(copy.as_raw_fd() > 100);
        assert_eq!(fcntl(&copy, FcntlArg::F_GETFD).unwrap(), libc::FD_CLOEXEC);
    }
}
