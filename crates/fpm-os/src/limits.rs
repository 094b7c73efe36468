//! Limits and priority of the own process.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A limit as a configuration has it: negative numbers become the huge ones that the original's cast makes of them,
/// and −1 is "no limit" (RLIM_INFINITY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub i32);

impl Limit {
    /// Tells whether it can be set without rights where this is the hard limit.
    #[must_use]
    pub fn fits(self, hard: u64) -> bool {
        self.as_raw() <= hard
    }

    /// Returns what setrlimit(2) takes.
    fn as_raw(self) -> u64 {
        i64::from(self.0).cast_unsigned()
    }
}

/// Sets how many files the process may have open, soft and hard limit alike.
///
/// # Errors
/// EPERM when it would be raised without the right to, or above the kernel's own limit.
pub fn set_open_files(limit: Limit) -> io::Result<()> {
    Ok(setrlimit(
        Resource::RLIMIT_NOFILE,
        limit.as_raw(),
        limit.as_raw(),
    )?)
}

/// Sets a limit of the own process. [`u64::MAX`] is none.
///
/// # Errors
/// EPERM when the hard limit would be raised without the right to.
pub fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    Ok(setrlimit(resource, soft, hard)?)
}

/// Returns how far any process may raise a limit.
///
/// # Errors
/// None that the system documents for this use.
pub fn hard(resource: Resource) -> io::Result<u64> {
    Ok(getrlimit(resource)?.1)
}

/// How many files the process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit that is in force.
    pub soft: u64,
    /// How far any process may raise that.
    pub hard: u64,
}

/// Returns how many files the process may have open.
///
/// # Errors
/// None that the system documents for this use.
pub fn open_files() -> io::Result<OpenFiles> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(OpenFiles { soft, hard })
}

/// Sets how many files the process may have open for now; it can be changed again up to the hard limit.
///
/// # Errors
/// EINVAL above the hard limit.
pub fn set_soft_open_files(soft: u64) -> io::Result<()> {
    Ok(setrlimit(
        Resource::RLIMIT_NOFILE,
        soft,
        open_files()?.hard,
    )?)
}

/// Returns how large a core file may be made, in bytes.
///
/// # Errors
/// None that the system documents for this use.
pub fn hard_core_size() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_CORE)?.1)
}

/// Sets how large a core file may be, in bytes, soft and hard limit alike.
///
/// # Errors
/// EPERM when it would be raised without the right to.
pub fn set_core_size(limit: Limit) -> io::Result<()> {
    Ok(setrlimit(
        Resource::RLIMIT_CORE,
        limit.as_raw(),
        limit.as_raw(),
    )?)
}

/// Sets the process's nice value, −20 (first) to 19 (last).
///
/// # Errors
/// EACCES when it would be lowered without the right to.
pub fn set_priority(nice: i32) -> io::Result<()> {
    // SAFETY: setpriority takes no pointer; 0 is the calling process.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the process's nice value, −20 (first) to 19 (last).
///
/// # Errors
/// None that the system documents for the own process.
pub fn priority() -> io::Result<i32> {
    // −1 is a nice value as well as the sign of an error.
    Errno::clear();
    // SAFETY: getpriority takes no pointer; 0 is the calling process.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    match Errno::last() {
        errno if nice == -1 && errno != Errno::from_raw(0) => Err(errno.into()),
        _ => Ok(nice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_fits_below_the_hard_one() {
        assert!(Limit(1024).fits(1024) && !Limit(1025).fits(1024));
        assert!(!Limit(-1).fits(1 << 40) && Limit(-1).fits(libc::RLIM_INFINITY));
        assert!(priority().unwrap() >= -20 && hard_core_size().is_ok());
    }

    #[test]
    fn a_negative_limit_is_what_a_cast_makes_of_it() {
        assert_eq!(Limit(1024).as_raw(), 1024);
        assert_eq!(Limit(-1).as_raw(), libc::RLIM_INFINITY);
        assert_eq!(Limit(-2).as_raw(), u64::MAX - 1);
    }

    #[test]
    fn an_impossible_number_of_files_is_refused() {
        // Above fs.nr_open even for root.
        let refused = set_open_files(Limit(-2)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
