//! The worker's quit flag: a signal asks it to end after the request it serves.
//!
//! A handler, not a blocked signal that is read: a blocked one would be inherited by everything a script executes, and
//! a script that sets and removes a handler of its own (pcntl) would leave it unblocked with its deadly default.
//!
//! This is global state because a signal handler can reach nothing else. Rule: the handler sets a flag and wakes the
//! event loop, nothing more; it runs in the middle of anything, PHP's allocator included.
//!
//! Original: sapi/fpm/fpm/fpm_signals.c (`sig_soft_quit`)

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::signal::Signal;
use crate::signal::set::set_action;

/// Whether the signal has come.
static ASKED: AtomicBool = AtomicBool::new(false);
/// The descriptor to write to when it comes; never closed once it is set.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// The flag. Its descriptor is readable from the signal on.
#[derive(Clone, Copy, Debug)]
pub struct QuitFlag {
    event: BorrowedFd<'static>,
}

impl QuitFlag {
    /// Makes `signal` set the flag instead of its default. To be called once in a process, before the signal is
    /// unblocked; system calls that it interrupts are restarted.
    ///
    /// # Errors
    /// What eventfd(2) and sigaction(2) answer; EALREADY at a second call.
    pub fn install(signal: Signal) -> io::Result<QuitFlag> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = OwnedFd::from(EventFd::from_flags(flags)?);
        WAKE.compare_exchange(-1, event.as_raw_fd(), Ordering::SeqCst, Ordering::SeqCst)
            .map_err(|_| io::Error::from_raw_os_error(libc::EALREADY))?;
        // SAFETY: the descriptor is given up without being closed, so it stays open for the life of the process.
        let event = unsafe { BorrowedFd::borrow_raw(event.into_raw_fd()) };
        set_action(
            signal,
            on_signal as *const () as libc::sighandler_t,
            libc::SA_RESTART,
        )?;
        Ok(QuitFlag { event })
    }

    /// Tells whether the signal has come.
    #[must_use]
    pub fn is_set(self) -> bool {
        ASKED.load(Ordering::Relaxed)
    }
}

impl AsFd for QuitFlag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event
    }
}

/// Notes that the signal has come. Only async-signal-safe calls (signal-safety(7)), and errno is as before.
extern "C" fn on_signal(_signal: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the C library's errno of this thread always exists.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above, it may be read.
    let before = unsafe { *errno };
    // SAFETY: write(2) is async-signal-safe; the descriptor stays open for ever and `one` lives during the call.
    // A failure means that the counter is at its limit: it is readable then.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), one.as_ptr().cast(), one.len()) };
    // SAFETY: as above, it may be written.
    unsafe { *errno = before };
}
