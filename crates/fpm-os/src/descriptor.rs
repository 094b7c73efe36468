//! What can be done with any descriptor. Reading, writing and pipes are in the standard library (`File`, `io::pipe`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Barrier};
use std::thread;

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
        // SAFETY: close_range takes no pointer, and we have just become the only owner of all that is numbered so.
        let closed = unsafe { libc::close_range(first.unsigned_abs(), last.unsigned_abs(), 0) };
        if closed == -1 {
            // A kernel before 5.9, or a filter of system calls that does not know it.
            close_each(row);
        }
    }
}

/// Starts a thread with a table of descriptors of its own, in which only the standard streams and `kept` are open, and returns when it
/// has it. What `run` captures may own no other descriptor.
///
/// The kernel counts references to each file that is used through a table that threads share, so that every system call of all of
/// them costs more. What is open stays open for the other threads, `kept` too. A kernel before 5.9 lets the threads share theirs.
///
/// # Errors
/// As [`thread::Builder::spawn`].
pub fn spawn_apart<T: AsFd + Send + 'static>(
    builder: thread::Builder,
    kept: T,
    run: impl FnOnce(T) + Send + 'static,
) -> io::Result<()> {
    let parted = Arc::new(Barrier::new(2));
    let here = Arc::clone(&parted);
    builder.spawn(move || {
        let _shared = leave_shared_table(kept.as_fd());
        parted.wait();
        run(kept);
    })?;
    // What is opened from now on is not among what was copied.
    here.wait();
    Ok(())
}

/// For [`spawn_apart`]: in a thread that shares its table with the one that waits for it.
fn leave_shared_table(kept: BorrowedFd<'_>) -> io::Result<()> {
    let kept = kept.as_raw_fd().unsigned_abs();
    let unshare = libc::CLOSE_RANGE_UNSHARE.cast_signed();
    // SAFETY: it takes no pointer, and what it closes is a copy that nobody knows of.
    Errno::result(unsafe { libc::close_range(kept + 1, u32::MAX, unshare) })?;
    let first = libc::STDERR_FILENO.unsigned_abs() + 1;
    if first < kept {
        // SAFETY: as above, for the table is this thread's own now.
        Errno::result(unsafe { libc::close_range(first, kept - 1, 0) })?;
    }
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
    use std::sync::mpsc;

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
    fn a_thread_apart_holds_nothing_of_the_others() {
        let (mut shared, shared_writer) = io::pipe().unwrap();
        let (mut kept, kept_writer) = io::pipe().unwrap();
        let (found, finding) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let number = shared_writer.as_raw_fd();
        let builder = thread::Builder::new();
        spawn_apart(builder, kept_writer, move |mut kept| {
            kept.write_all(b"x").unwrap();
            // SAFETY: it is not used but to ask whether it is there.
            let elsewhere = unsafe { BorrowedFd::borrow_raw(number) };
            found.send(fcntl(elsewhere, FcntlArg::F_GETFD)).unwrap();
            ended.recv().unwrap_err();
        })
        .unwrap();
        assert_eq!(finding.recv().unwrap(), Err(Errno::EBADF));
        (&shared_writer).write_all(b"y").unwrap();
        drop(shared_writer);
        let mut text = Vec::new();
        shared.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"y");
        assert_eq!(kept.read(&mut [0]).unwrap(), 1);
        drop(end);
    }
}
