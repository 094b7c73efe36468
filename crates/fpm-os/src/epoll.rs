//! The set of descriptors on which a worker waits for work.
//!
//! Rule: made after the fork. An epoll set belongs to an open file, so processes that share one take each other's
//! events.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How many of the processes that wait for the same descriptor are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// One: of those that wait at that moment the one that was added first (EPOLLEXCLUSIVE, epoll_ctl(2)).
    One,
    /// All.
    All,
}

/// A set of descriptors to read from. Readiness is told as long as it lasts (level-triggered).
#[derive(Debug)]
pub struct WaitSet {
    epoll: Epoll,
}

/// The descriptors that are ready, by the tokens they were added with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    tokens: [u64; Ready::MOST],
    count: usize,
}

impl Ready {
    /// How many are told at once. What is left over is told the next time.
    const MOST: usize = 8;

    /// Tells whether the descriptor with this token is ready.
    #[must_use]
    pub fn contains(&self, token: u64) -> bool {
        self.tokens[..self.count].contains(&token)
    }

    /// Tells whether the time limit ended the wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl WaitSet {
    /// Creates an empty one.
    ///
    /// # Errors
    /// What epoll_create1(2) answers.
    pub fn create() -> io::Result<WaitSet> {
        Ok(WaitSet {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        })
    }

    /// Adds a descriptor that tells when there is something to read, the end, or an error.
    ///
    /// # Errors
    /// What epoll_ctl(2) answers.
    pub fn add(&self, descriptor: impl AsFd, token: u64, wake: Wake) -> io::Result<()> {
        let flags = match wake {
            Wake::One => EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE,
            Wake::All => EpollFlags::EPOLLIN,
        };
        Ok(self.epoll.add(descriptor, EpollEvent::new(flags, token))?)
    }

    /// Removes a descriptor.
    ///
    /// # Errors
    /// ENOENT when it is not in the set.
    pub fn remove(&self, descriptor: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(descriptor)?)
    }

    /// Waits until something is ready or the time is over; `None` waits for ever. A signal that a handler took
    /// ends the wait with an empty answer, because what the caller waits for may have changed.
    ///
    /// # Errors
    /// None that the system documents for this use.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<Ready> {
        let mut events = [EpollEvent::empty(); Ready::MOST];
        let timeout = match limit {
            None => EpollTimeout::NONE,
            Some(limit) => EpollTimeout::try_from(limit.as_nanos().div_ceil(1_000_000))
                .unwrap_or(EpollTimeout::MAX),
        };
        let count = match self.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        Ok(Ready {
            tokens: events.map(|event| event.data()),
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_ready_is_told_by_its_token_as_long_as_it_lasts() {
        let (one, mut to_one) = io::pipe().unwrap();
        let (other, to_other) = io::pipe().unwrap();
        let set = WaitSet::create().unwrap();
        set.add(&one, 1, Wake::One).unwrap();
        set.add(&other, 2, Wake::All).unwrap();
        assert!(set.wait(Some(Duration::ZERO)).unwrap().is_empty());
        to_one.write_all(b"x").unwrap();
        for _ in 0..2 {
            let ready = set.wait(None).unwrap();
            assert!(ready.contains(1) && !ready.contains(2));
        }
        drop(to_other);
        let ready = set.wait(None).unwrap();
        assert!(ready.contains(1) && ready.contains(2));
        set.remove(&other).unwrap();
        assert!(!set.wait(None).unwrap().contains(2));
    }

    #[test]
    fn a_token_of_a_past_event_is_not_told_again() {
        let (one, mut to_one) = io::pipe().unwrap();
        let set = WaitSet::create().unwrap();
        set.add(&one, 0, Wake::All).unwrap();
        // Unused places hold token 0.
        assert!(!set.wait(Some(Duration::ZERO)).unwrap().contains(0));
        to_one.write_all(b"x").unwrap();
        assert!(set.wait(None).unwrap().contains(0));
    }
}
