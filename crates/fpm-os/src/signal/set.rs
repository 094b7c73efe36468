//! Sets of signals, the mask of the calling thread, and dispositions.
//!
//! Rule: our programs change a mask only where they have one thread, or where that thread alone is to have it; so the thread's mask
//! is the process's as far as signals are to be taken.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use crate::signal::Signal;

/// A set of signals.
#[derive(Clone, Copy, Debug)]
pub struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// Returns the set without any signal.
    #[must_use]
    pub fn empty() -> SignalSet {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `set` is a valid place for a set during the call, which only writes to it.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: sigemptyset has initialised it.
        SignalSet(unsafe { set.assume_init() })
    }

    /// Returns the set of all signals.
    #[must_use]
    pub fn full() -> SignalSet {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `set` is a valid place for a set during the call, which only writes to it.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: sigfillset has initialised it.
        SignalSet(unsafe { set.assume_init() })
    }

    /// Tells whether the signal is in the set.
    #[must_use]
    pub fn contains(&self, signal: Signal) -> bool {
        // SAFETY: the set is initialised, and the kernel knows the signal's number.
        unsafe { libc::sigismember(&raw const self.0, signal.number()) == 1 }
    }

    /// Returns the signals that are blocked now.
    ///
    /// # Errors
    /// None that the system documents for this use.
    pub fn blocked() -> io::Result<SignalSet> {
        SignalSet::empty().change(libc::SIG_BLOCK)
    }

    /// Blocks these signals beside those that are blocked already, and returns the mask from before.
    ///
    /// # Errors
    /// None that the system documents for this use.
    pub fn block(&self) -> io::Result<SignalSet> {
        self.change(libc::SIG_BLOCK)
    }

    /// Blocks exactly these signals, and returns the mask from before.
    ///
    /// # Errors
    /// None that the system documents for this use.
    pub fn set_mask(&self) -> io::Result<SignalSet> {
        self.change(libc::SIG_SETMASK)
    }

    /// Gives the kernel's view of the set to other modules of this crate.
    pub(crate) fn as_raw(&self) -> &libc::sigset_t {
        &self.0
    }

    /// Changes the mask and returns the one from before.
    fn change(&self, how: libc::c_int) -> io::Result<SignalSet> {
        let mut before = SignalSet::empty();
        // SAFETY: both sets are initialised and live during the call.
        let errno = unsafe { libc::pthread_sigmask(how, &raw const self.0, &raw mut before.0) };
        match errno {
            0 => Ok(before),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> SignalSet {
        let mut set = SignalSet::empty();
        for signal in signals {
            // SAFETY: the set is initialised, and the kernel knows the signal's number.
            unsafe { libc::sigaddset(&raw mut set.0, signal.number()) };
        }
        set
    }
}

/// What the kernel does with a signal for which there is no handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What signal(7) lists for it.
    Default,
    /// Nothing.
    Ignore,
}

/// Sets what is done with a signal; a handler it had is gone.
///
/// # Errors
/// EINVAL for SIGKILL and SIGSTOP.
pub fn set_disposition(signal: Signal, disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    set_action(signal, handler, 0)
}

/// Sets a signal's action: a disposition, or a function that is async-signal-safe and lives for ever.
pub(super) fn set_action(
    signal: Signal,
    handler: libc::sighandler_t,
    flags: libc::c_int,
) -> io::Result<()> {
    let action = libc::sigaction {
        sa_sigaction: handler,
        sa_mask: SignalSet::empty().0,
        sa_flags: flags,
        sa_restorer: None,
    };
    // SAFETY: `action` is initialised and lives during the call; its handler is SIG_DFL, SIG_IGN or
    // `quit::on_signal`, which only uses async-signal-safe calls.
    let result = unsafe { libc::sigaction(signal.number(), &raw const action, ptr::null_mut()) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sets every signal that has a handler back to its default; what is ignored stays ignored, as across exec.
pub(crate) fn forget_handlers() {
    for_each_action(|signal, action| {
        if action != libc::SIG_DFL && action != libc::SIG_IGN {
            // A signal that has a handler is not one of the two that cannot have one.
            let _ = set_disposition(signal, Disposition::Default);
        }
    });
}

/// Sets every signal back to its default, also those that a parent has set to be ignored (nohup, a shell's `&`).
pub(crate) fn forget_dispositions() {
    for_each_action(|signal, action| {
        if action != libc::SIG_DFL {
            let _ = set_disposition(signal, Disposition::Default);
        }
    });
}

/// Calls `change` with every signal and its present action.
fn for_each_action(change: impl Fn(Signal, libc::sighandler_t)) {
    for signal in (1..=libc::SIGRTMAX()).filter_map(Signal::from_number) {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: `action` is a valid place for an action during the call.
        let known =
            unsafe { libc::sigaction(signal.number(), ptr::null(), action.as_mut_ptr()) } == 0;
        // The C library keeps the first real-time signals to itself and answers EINVAL.
        if known {
            // SAFETY: sigaction has succeeded, so it has written the action.
            change(signal, unsafe { action.assume_init() }.sa_sigaction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: SignalSet = [Signal::TERM, Signal::CHLD].into_iter().collect();
        assert!(set.contains(Signal::TERM) && set.contains(Signal::CHLD));
        assert!(!set.contains(Signal::QUIT));
        assert!(SignalSet::full().contains(Signal::QUIT));
        assert!(!SignalSet::empty().contains(Signal::QUIT));
    }

    #[test]
    fn the_mask_changes_as_told_and_the_old_one_is_returned() {
        // Every test has a thread of its own, so this mask is nobody else's.
        let usr1: SignalSet = [Signal::USR1].into_iter().collect();
        let usr2: SignalSet = [Signal::USR2].into_iter().collect();
        let original = usr1.set_mask().unwrap();
        assert!(!usr2.block().unwrap().contains(Signal::USR2));
        let both = SignalSet::blocked().unwrap();
        assert!(both.contains(Signal::USR1) && both.contains(Signal::USR2));
        usr2.set_mask().unwrap();
        let last = original.set_mask().unwrap();
        assert!(!last.contains(Signal::USR1) && last.contains(Signal::USR2));
    }

    #[test]
    fn kill_cannot_be_ignored() {
        let refused = set_disposition(Signal::KILL, Disposition::Ignore).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    }
}
