//! What can be done with any descriptor. Reading, writing and pipes are in the standard library (`File`, `io::pipe`).

use std::io;
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

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

/// Closes many descriptors with few system calls: one for all that are numbered in a row.
pub fn close_all(descriptors: impl IntoIterator<Item = OwnedFd>) {
    let mut numbers: Vec<_> = descriptors.into_iter().map(OwnedFd::into_raw_fd).collect();
    numbers.sort_unstable();
    for row in numbers.chunk_by(|one, next| one + 1 == *next) {
        let [first, .., last] = row else {
            close_each(row);
            continue;
        };
        // SAFETY: close_range takes no pointer, and we have just become the only owner of all that is numbered so.
        let closed = unsafe { libc::close_range(first.unsigned_abs(), last.unsigned_abs(), 0) };
        if closed == -1 {
            // A kernel before 5.9, or a filter of system calls that does not know it.
            close_each(row);
        }
    }
}

fn close_each(numbers: &[RawFd]) {
    for number in numbers {
        // SAFETY: the caller owns it and does not use it again.
        drop(unsafe { OwnedFd::from_raw_fd(*number) });
    }
}

/// Duplicates a descriptor, close-on-exec, to a number above `floor`.
pub(crate) fn duplicate_above(descriptor: impl AsFd, floor: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(floor + 1))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
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

    #[test]
    fn only_the_given_ones_are_closed() {
        let mut pipes: Vec<_> = (0..9).map(|_| io::pipe().unwrap()).collect();
        let (mut kept, kept_writer) = pipes.remove(4);
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        close_all(writers.into_iter().map(OwnedFd::from));
        for mut reader in readers {
            assert_eq!(reader.read(&mut [0]).unwrap(), 0, "its writer is closed");
        }
        (&kept_writer).write_all(b"x").unwrap();
        assert_eq!(kept.read(&mut [0]).unwrap(), 1);
        close_all([]);
    }
}
