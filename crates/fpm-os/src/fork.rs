//! New processes by fork.
//!
//! Rule: the child leaves by `_exit` and never returns into the code of its parent; what the parent has not
//! flushed is never flushed by the child.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_make`)

use std::process;

use nix::unistd::{self, ForkResult, Pid};

use crate::error::OsError;
use crate::process::{is_alone, note_birth};
use crate::signal::set::{SignalSet, forget_handlers};

/// What to do when this process has more threads than the one that forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherThreads {
    /// Refuse. The right answer for a program that never starts a thread.
    Refuse,
    /// Fork without them. The right answer for a program that loads foreign code (an extension of PHP) which may
    /// have started threads of its own; they do not exist in the child, as with php-fpm.
    LeaveBehind,
}

/// What a child ends with, as wait(2) reports it.
pub type ExitCode = u8;

/// Runs `child` in a new process and returns that process's id.
///
/// All signals are blocked when `child` starts, and none has a handler (ignored ones stay ignored): it sets its
/// own and then unblocks what it wants (`SignalSet::empty().set_mask()`), so no signal is lost or taken for the
/// parent's. What `child` returns is the process's exit code.
///
/// # Errors
/// [`OsError::Threads`] when there are other threads and they are to be refused, [`OsError::Call`] with the errno of
/// fork(2): EAGAIN, ENOMEM.
pub fn fork(other_threads: OtherThreads, child: impl FnOnce() -> ExitCode) -> Result<Pid, OsError> {
    if other_threads == OtherThreads::Refuse && !is_alone() {
        return Err(OsError::Threads);
    }
    let mask = SignalSet::full()
        .block()
        .map_err(OsError::call("sigprocmask()"))?;
    // SAFETY: with a single thread, the child is a copy of a process in a consistent state. With other threads,
    // POSIX allows the child only async-signal-safe calls because a lock may be held by a thread that is gone;
    // the C library resets its own locks (allocator, stdio, loader) in the child, and no code of ours takes one
    // in another thread, so what can be held is a lock of the foreign code that started the thread. Waiting for it
    // for ever is that code's known risk under every forking server, and no memory unsafety.
    let forked = unsafe { unistd::fork() };
    match forked {
        Ok(ForkResult::Child) => run(child),
        Ok(ForkResult::Parent { child }) => {
            restore(&mask)?;
            Ok(child)
        }
        Err(errno) => {
            restore(&mask)?;
            Err(OsError::Call {
                call: "fork()",
                errno,
            })
        }
    }
}

/// Runs the child to its end.
fn run(child: impl FnOnce() -> ExitCode) -> ! {
    let guard = NoReturn;
    note_birth();
    forget_handlers();
    let code = child();
    std::mem::forget(guard);
    // SAFETY: _exit takes no pointer and does not return.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

/// Ends the process when it is dropped: a panic in the child must not unwind into its copy of the parent's stack.
struct NoReturn;

impl Drop for NoReturn {
    fn drop(&mut self) {
        process::abort();
    }
}

/// Puts back the mask from before the fork.
fn restore(mask: &SignalSet) -> Result<(), OsError> {
    mask.set_mask()
        .map(drop)
        .map_err(OsError::call("sigprocmask()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_forked_unless_told_so() {
        // The test runner has threads; what forks successfully is tested in tests/processes.rs.
        assert_eq!(fork(OtherThreads::Refuse, || 0), Err(OsError::Threads));
    }
}
