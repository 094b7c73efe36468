//! A bell: one process rings it, and one of those that wait for it wakes up, even if it begins to wait only then.
//!
//! It is an eventfd(2) that several processes wait for with [`Wake::One`](crate::epoll::Wake). What was rung is not lost and not
//! counted: who wakes up looks for himself what there is to do. Whoever has it can make ringing it block for all others, for whether
//! it may is a property of the open file.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// One end of it; all are alike.
#[derive(Debug)]
pub struct Bell {
    event: EventFd,
}

impl Bell {
    /// Creates one that a forked child has, too.
    ///
    /// # Errors
    /// What eventfd(2) answers.
    pub fn create() -> io::Result<Bell> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Bell {
            event: EventFd::from_flags(flags)?,
        })
    }

    /// Wakes one of those who wait, or the next one who would.
    pub fn ring(&self) {
        // EAGAIN: it has been rung more often than can be counted, and nobody has come yet.
        let _already = self.event.write(1);
    }

    /// Ends the ringing; to be called by whoever was woken by it, before it looks what there is to do.
    pub fn answer(&self) {
        // EAGAIN: somebody else has answered.
        let _answered = self.event.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl From<Bell> for OwnedFd {
    fn from(bell: Bell) -> OwnedFd {
        bell.event.into()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::epoll::{WaitSet, Wake};

    fn waits_for(bell: &Bell) -> WaitSet {
        let set = WaitSet::create().unwrap();
        set.add(bell, 1, Wake::One).unwrap();
        set
    }

    fn rings(set: &WaitSet) -> bool {
        set.wait(Some(Duration::ZERO)).unwrap().contains(1)
    }

    #[test]
    fn it_rings_until_somebody_answers() {
        let bell = Bell::create().unwrap();
        let set = waits_for(&bell);
        bell.answer();
        assert!(!rings(&set));
        bell.ring();
        bell.ring();
        assert!(rings(&set) && rings(&set));
        bell.answer();
        assert!(!rings(&set));
    }

    #[test]
    fn one_who_waits_is_woken() {
        let bell = Bell::create().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(waits_for(&bell).wait(None).unwrap().contains(1)));
            bell.ring();
        });
    }
}
