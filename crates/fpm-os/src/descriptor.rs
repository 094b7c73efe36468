//! What can be done with any descriptor. Reading, writing and pipes are in the standard library (`File`, `io::pipe`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
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
        if close_range(first.unsigned_abs(), last.unsigned_abs(), 0).is_err() {
            // A kernel before 5.9, or a filter of system calls that does not know it.
            close_each(row);
        }
    }
}

/// Gives this thread a table of descriptors of its own, in which only the standard streams and `kept` are open.
///
/// The kernel counts references to each file that is used through a table that threads share, so that every system call of all of
/// them costs more. What the other threads have open stays open for them, `kept` too, whoever owns it; here EBADF is the answer to its
/// use.
///
/// # Errors
/// What close_range(2) answers: ENOSYS from a kernel before 5.9. Then nothing has changed.
pub fn leave_shared_table(kept: impl AsFd) -> io::Result<()> {
    let kept = kept.as_fd().as_raw_fd().unsigned_abs();
    close_range(kept + 1, u32::MAX, libc::CLOSE_RANGE_UNSHARE)?;
    let first = libc::STDERR_FILENO.unsigned_abs() + 1;
    if first < kept {
        close_range(first, kept - 1, 0)?;
    }
    Ok(())
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    let flags = flags.cast_signed();
    // SAFETY: it takes no pointer, and each caller is the only one in whose table these are closed.
    Errno::result(unsafe { libc::close_range(first, last, flags) })?;
    Ok(())
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
    use std::thread;

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

    #[test]
    fn a_thread_with_its_own_table_holds_nothing_of_the_others() {
        let (mut shared, shared_writer) = io::pipe().unwrap();
        let (mut kept, kept_writer) = io::pipe().unwrap();
        let (mut later, later_writer) = io::pipe().unwrap();
        let (ready, begin) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let number = shared_writer.as_raw_fd();
        let thread = thread::spawn(move || {
            leave_shared_table(&kept_writer).unwrap();
            (&kept_writer).write_all(b"x").unwrap();
            // SAFETY: it is not used but to ask whether it is there.
            let elsewhere = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            let found = fcntl(elsewhere, FcntlArg::F_GETFD);
            ready.send(found).unwrap();
            ended.recv().unwrap_err();
        });
        assert_eq!(begin.recv().unwrap(), Err(Errno::EBADF));
        (&shared_writer).write_all(b"y").unwrap();
        drop((shared_writer, later_writer));
        let mut text = Vec::new();
        shared.read_to_end(&mut text).unwrap();
        assert_eq!(
            (text.as_slice(), later.read(&mut [0]).unwrap()),
            (&b"y"[..], 0)
        );
        assert_eq!(kept.read(&mut [0]).unwrap(), 1);
        drop(end);
        thread.join().unwrap();
    }
}
