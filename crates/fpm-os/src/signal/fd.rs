//! Signals as something to read: no handler runs, an event loop takes them in turn.
//!
//! Rule: the kernel merges equal signals that are pending, so one SIGCHLD may stand for many children.
//!
//! Original: sapi/fpm/fpm/fpm_signals.c (a handler that writes to a socketpair)

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd as NixSignalFd};
use nix::unistd::{Pid, Uid};

use crate::signal::Signal;
use crate::signal::set::SignalSet;

/// A descriptor that becomes readable when one of its signals arrives; non-blocking.
#[derive(Debug)]
pub struct SignalFd {
    fd: NixSignalFd,
}

/// A signal that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Which one.
    pub signal: Signal,
    /// Who sent it; 0 for the kernel and for processes outside this pid namespace.
    pub sender: Pid,
    /// The sender's real user id.
    pub uid: Uid,
}

impl SignalFd {
    /// Blocks the signals of the set, for good, and opens a descriptor to read them from. Those that are pending
    /// can be read at once.
    ///
    /// # Errors
    /// What signalfd(2) answers.
    pub fn open(signals: &SignalSet) -> io::Result<SignalFd> {
        signals.block()?;
        // SAFETY: the set is initialised; nix only wants to be sure of that.
        let mask = unsafe { SigSet::from_sigset_t_unchecked(*signals.as_raw()) };
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(SignalFd {
            fd: NixSignalFd::with_flags(&mask, flags)?,
        })
    }

    /// Takes the next signal, if there is one.
    ///
    /// # Errors
    /// What read(2) answers.
    pub fn take(&self) -> io::Result<Option<Caught>> {
        loop {
            let Some(info) = self.fd.read_signal()? else {
                return Ok(None);
            };
            // Every number in a set was a `Signal` before, so this always holds.
            if let Some(signal) = Signal::from_number(info.ssi_signo.cast_signed()) {
                let sender = Pid::from_raw(info.ssi_pid.cast_signed());
                return Ok(Some(Caught {
                    signal,
                    sender,
                    uid: Uid::from_raw(info.ssi_uid),
                }));
            }
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal as NixSignal, raise};

    use super::*;

    #[test]
    fn a_signal_is_read_once_with_its_sender() {
        let fd = SignalFd::open(&[Signal::USR1, Signal::USR2].into_iter().collect()).unwrap();
        assert_eq!(fd.take().unwrap(), None);
        raise(NixSignal::SIGUSR2).unwrap();
        raise(NixSignal::SIGUSR2).unwrap();
        let caught = Caught {
            signal: Signal::USR2,
            sender: Pid::this(),
            uid: Uid::current(),
        };
        assert_eq!(fd.take().unwrap(), Some(caught));
        assert_eq!(fd.take().unwrap(), None);
    }
}
