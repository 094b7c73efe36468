//! Waiting for one descriptor or a few, with a time limit.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, the end, or an error.
    Readable,
    /// Room to write, or an error.
    Writable,
}

/// How the wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The descriptor is ready, or has an error that the next call on it tells.
    Ready,
    /// The time is over.
    TimedOut,
}

/// Waits for a descriptor; `None` waits for ever. Signals do not end the wait.
///
/// # Errors
/// What poll(2) answers, EINTR excepted.
pub fn wait(
    descriptor: impl AsFd,
    interest: Interest,
    limit: Option<Duration>,
) -> io::Result<Waited> {
    let flags = match interest {
        Interest::Readable => PollFlags::POLLIN,
        Interest::Writable => PollFlags::POLLOUT,
    };
    match wait_for([PollFd::new(descriptor.as_fd(), flags)], limit)? {
        [true] => Ok(Waited::Ready),
        [false] => Ok(Waited::TimedOut),
    }
}

/// Waits until one of the descriptors has something to read, the end, or an error, and tells which have; none when
/// the time is over. Signals do not end the wait.
///
/// # Errors
/// What poll(2) answers, EINTR excepted.
pub fn wait_any<const N: usize>(
    descriptors: [BorrowedFd<'_>; N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait_for(
        descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)),
        limit,
    )
}

/// Waits and tells which are ready.
fn wait_for<const N: usize>(
    mut interests: [PollFd<'_>; N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => rounded_up(deadline.saturating_duration_since(Instant::now())),
        };
        match nix::poll::poll(&mut interests, timeout) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(0) => return Ok([false; N]),
            Ok(_) => {
                return Ok(interests
                    .map(|interest| interest.revents().is_some_and(|told| !told.is_empty())));
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Rounds up to the milliseconds that poll takes, lest it ends before its time and is called again and again.
fn rounded_up(time: Duration) -> PollTimeout {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn ready_and_timed_out_are_told_apart() {
        let (reader, mut writer) = io::pipe().unwrap();
        let wait = |limit| wait(&reader, Interest::Readable, limit).unwrap();
        assert_eq!(wait(Some(Duration::ZERO)), Waited::TimedOut);
        let started = Instant::now();
        assert_eq!(wait(Some(Duration::from_millis(5))), Waited::TimedOut);
        assert!(started.elapsed() >= Duration::from_millis(5));
        writer.write_all(b"x").unwrap();
        assert_eq!(wait(Some(Duration::ZERO)), Waited::Ready);
        assert_eq!(wait(None), Waited::Ready);
    }

    #[test]
    fn of_several_those_that_are_ready_are_told() {
        let (one, mut to_one) = io::pipe().unwrap();
        let (other, to_other) = io::pipe().unwrap();
        let wait = |limit| wait_any([one.as_fd(), other.as_fd()], limit).unwrap();
        assert_eq!(wait(Some(Duration::ZERO)), [false, false]);
        to_one.write_all(b"x").unwrap();
        assert_eq!(wait(None), [true, false]);
        drop(to_other);
        assert_eq!(wait(None), [true, true]);
    }

    #[test]
    fn the_end_is_readable_and_a_full_pipe_is_not_writable() {
        let (reader, writer) = io::pipe().unwrap();
        let limit = Some(Duration::ZERO);
        assert_eq!(
            wait(&writer, Interest::Writable, limit).unwrap(),
            Waited::Ready
        );
        drop(writer);
        assert_eq!(
            wait(&reader, Interest::Readable, limit).unwrap(),
            Waited::Ready
        );
    }

    #[test]
    fn times_are_rounded_up() {
        for (nanoseconds, milliseconds) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            let timeout = rounded_up(Duration::from_nanos(nanoseconds));
            assert_eq!(timeout.as_millis(), Some(milliseconds));
        }
        assert_eq!(rounded_up(Duration::MAX), PollTimeout::MAX);
    }
}
