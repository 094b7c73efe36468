//! What a process can say of itself and do to another.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{self, Pid};

use crate::signal::Signal;

/// Returns this process's id.
#[must_use]
pub fn id() -> Pid {
    Pid::this()
}

/// Counts the threads of this process.
///
/// # Errors
/// ENOENT where /proc is not mounted.
pub fn threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// Whether this process was forked by this crate, and so was born with a single thread. Global because it is a fact
/// about the whole process.
static BORN_ALONE: AtomicBool = AtomicBool::new(false);

/// Notes that this process is a forked child.
pub(crate) fn note_birth() {
    BORN_ALONE.store(true, Ordering::Relaxed);
}

/// Tells whether this process has a single thread.
pub(crate) fn is_alone() -> bool {
    if let Ok(count) = threads() {
        return count == 1;
    }
    // Without /proc, as in a pool's chroot: this changes nothing for a process with a single thread and answers
    // EINVAL to any other (unshare(2)).
    // SAFETY: unshare takes no pointer, and this flag never changes anything.
    if unsafe { libc::unshare(libc::CLONE_THREAD) } == 0 {
        return true;
    }
    // Containers forbid that call whatever it would do. What is left is that a child of ours was alone at first.
    Errno::last() != Errno::EINVAL && BORN_ALONE.load(Ordering::Relaxed)
}

/// Sends a signal to one process.
///
/// # Errors
/// What kill(2) answers; ESRCH for ids that would mean groups or every process.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    if pid.as_raw() <= 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill takes no pointer.
    if unsafe { libc::kill(pid.as_raw(), signal.number()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Makes this process the parent of descendants whose parents die (prctl(2), PR_SET_CHILD_SUBREAPER).
///
/// # Errors
/// None that the system documents.
pub fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Lets this process dump core and be traced although it has changed its identity (`process.dumpable`).
///
/// # Errors
/// None that the system documents.
pub fn make_dumpable() -> io::Result<()> {
    Ok(prctl::set_dumpable(true)?)
}

/// Forbids other processes of the same user to look into this one: no trace, no core dump. A change of identity does this
/// too, unless the administrator has told the kernel otherwise (fs.suid_dumpable).
///
/// # Errors
/// None that the system documents.
pub fn make_undumpable() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Leaves the controlling terminal by starting a session of its own.
///
/// # Errors
/// EPERM when the process leads a process group, as a shell's foreground job does.
pub fn start_session() -> io::Result<()> {
    unistd::setsid()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_everybody_are_never_signalled() {
        for pid in [0, -1, -1000] {
            let refused = kill(Pid::from_raw(pid), Signal::KILL).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::ESRCH));
        }
    }

    #[test]
    fn a_test_has_a_thread_beside_the_main_one() {
        assert!(threads().unwrap() >= 2);
        assert!(!is_alone());
    }
}
