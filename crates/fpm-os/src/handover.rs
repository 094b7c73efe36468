//! Another program in the place of this process's own, with descriptors that it finds under their numbers.
//!
//! Rule: descriptors lose close-on-exec for the moment of the exec only. Blocked signals stay blocked and pending ones pending,
//! children stay children (execve(2)), so nothing is lost in between.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd;

use crate::error::OsError;

/// The numbers below are the standard streams, which everybody uses without owning them.
const FIRST: RawFd = 3;

/// Becomes another program, which has `kept` open beside the standard streams. `arguments` begin with the program's own name.
/// Returns only when that fails; then everything is as it was.
pub fn replace_program(program: &Path, arguments: &[&OsStr], kept: &[BorrowedFd<'_>]) -> OsError {
    let cannot = |errno| OsError::Execute {
        program: program.to_owned(),
        errno,
    };
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| cannot(Errno::EINVAL));
    let path = match text(program.as_os_str()) {
        Ok(path) => path,
        Err(error) => return error,
    };
    let arguments: Result<Vec<_>, _> = arguments.iter().copied().map(text).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return error,
    };
    let mut opened = Opened(Vec::with_capacity(kept.len()));
    for descriptor in kept {
        if let Err(errno) = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())) {
            return cannot(errno);
        }
        opened.0.push(*descriptor);
    }
    match unistd::execv(&path, &arguments) {
        Ok(never) => match never {},
        Err(errno) => cannot(errno),
    }
}

/// Descriptors that are close-on-exec again when this is dropped.
struct Opened<'a>(Vec<BorrowedFd<'a>>);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        for descriptor in &self.0 {
            // It was changed a moment ago, so it can be changed back.
            let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
        }
    }
}

/// Takes over the descriptor that this process was executed with under this number.
///
/// A second call fails: what this process opens itself is close-on-exec, what it was executed with is not, and this marks it.
///
/// # Errors
/// EBADF when there is no such descriptor, when it is this process's own, or one of the standard streams.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let closed = || io::Error::from_raw_os_error(libc::EBADF);
    if number < FIRST {
        return Err(closed());
    }
    // SAFETY: F_GETFD takes no pointer, and a number that is no open descriptor is merely refused.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(closed());
    }
    // SAFETY: it is open, and without FD_CLOEXEC it has survived an exec, so nothing here has opened it or knows of it; from the
    // next line on FD_CLOEXEC keeps this function from taking it again.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(descriptor.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(descriptor)
}

/// Returns the numbers of all descriptors that this process was executed with and has not taken over, beside the standard
/// streams.
///
/// # Errors
/// When /proc is not mounted.
pub fn untaken() -> io::Result<Vec<RawFd>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
            continue;
        };
        // SAFETY: F_GETFD takes no pointer, and a number that is no open descriptor is merely refused.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        if number >= FIRST && flags != -1 && flags & libc::FD_CLOEXEC == 0 {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_program_that_cannot_be_executed_changes_nothing() {
        let (reader, _writer) = io::pipe().unwrap();
        let error = replace_program("/no/such".as_ref(), &["x".as_ref()], &[reader.as_fd()]);
        let expected = "failed to execute '/no/such': No such file or directory (2)";
        assert_eq!(error.to_string(), expected);
        assert_eq!(fcntl(&reader, FcntlArg::F_GETFD).unwrap(), libc::FD_CLOEXEC);
        let error = replace_program("/bin/true".as_ref(), &["a\0b".as_ref()], &[]);
        assert_eq!(
            error.to_string(),
            "failed to execute '/bin/true': Invalid argument (22)"
        );
    }

    #[test]
    fn what_this_process_has_opened_and_the_standard_streams_are_not_taken() {
        let (reader, _writer) = io::pipe().unwrap();
        for number in [reader.as_raw_fd(), 2, -1, 100_000] {
            let refused = take(number).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EBADF), "{number}");
        }
    }
}
