//! The environment as PHP's getenv sees it.
//!
//! Rule: only a process with a single thread changes it; the C library lets any thread read it at any time.
//!
//! Original: sapi/fpm/fpm/fpm_env.c (`fpm_env_init_child`)

use std::ffi::CString;
use std::io;

use nix::errno::Errno;

use crate::error::OsError;
use crate::process::is_alone;

/// What happens to the variables that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    /// They stay (`clear_env = no`).
    Keep,
    /// They go (`clear_env = yes`).
    Clear,
}

/// Sets variables in the order given, each a name and a value; one that is there already keeps its place.
///
/// # Errors
/// [`OsError::Threads`] when the process has more than one thread; EINVAL for an empty name, a `=` in a name, or a
/// NUL byte anywhere. Variables before the faulty one are set.
pub fn replace<'a>(
    inherited: Inherited,
    variables: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), OsError> {
    if !is_alone() {
        return Err(OsError::Threads);
    }
    if inherited == Inherited::Clear {
        // SAFETY: there is no other thread that could read the environment meanwhile.
        unsafe { libc::clearenv() };
    }
    let invalid = |_| OsError::Call {
        call: "setenv()",
        errno: Errno::EINVAL,
    };
    for (name, value) in variables {
        let name = CString::new(name).map_err(invalid)?;
        let value = CString::new(value).map_err(invalid)?;
        // SAFETY: both texts are NUL-terminated and copied by setenv; as above there is no other thread.
        if unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) } == -1 {
            return Err(OsError::call("setenv()")(io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// Removes variables; one that is not there is no error.
///
/// # Errors
/// [`OsError::Threads`] when the process has more than one thread; EINVAL for an empty name, a `=` or a NUL byte in one.
pub fn remove<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), OsError> {
    if !is_alone() {
        return Err(OsError::Threads);
    }
    for name in names {
        let name = CString::new(name).map_err(|_| OsError::Call {
            call: "unsetenv()",
            errno: Errno::EINVAL,
        })?;
        // SAFETY: the name is NUL-terminated, and there is no other thread that could read the environment meanwhile.
        if unsafe { libc::unsetenv(name.as_ptr()) } == -1 {
            return Err(OsError::call("unsetenv()")(io::Error::last_os_error()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_keeps_its_environment() {
        // What changes it is tested in tests/processes.rs.
        assert_eq!(replace(Inherited::Clear, []), Err(OsError::Threads));
        assert_eq!(remove(["PATH"]), Err(OsError::Threads));
    }
}
