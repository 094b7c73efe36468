//! A new program in a new process, with one socket of ours as descriptor 3.
//!
//! Rule: the program starts as if a shell had started it: nothing blocked or ignored, nothing open but 0 to 3 and what it is to
//! have besides.

use std::ffi::{CStr, CString, OsStr};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::{self, Pid};

use crate::descriptor::duplicate_above;
use crate::error::{OsError, errno_of};
use crate::fork::{ExitCode, OtherThreads, fork};
use crate::limits::set_soft_open_files;
use crate::seqpacket::INHERITED;
use crate::signal::set::{SignalSet, forget_dispositions};
use crate::stdio::{StandardStream, open_null};
use crate::wait::wait;

/// What a child ends with when it cannot execute the program (as in a shell).
const CANNOT_EXECUTE: ExitCode = 127;

/// Starts `program` with `socket` as its descriptor 3 and returns its process id once it runs.
///
/// `arguments` begin with the program's own name. Standard input is /dev/null, standard output and error are `output`,
/// the environment is this process's. `open_files` is the soft limit of open files that the program gets; `None` leaves
/// it this process's.
///
/// # Errors
/// [`OsError::Threads`] and [`OsError::Call`] as [`fork`]; [`OsError::Execute`] when the program cannot be executed.
pub fn spawn(
    program: &Path,
    arguments: &[&OsStr],
    socket: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    open_files: Option<u64>,
) -> Result<Pid, OsError> {
    spawn_with(program, arguments, socket, output, open_files, &[])
}

/// As [`spawn`]; the program has what is `kept`, too, under the same numbers. These are copies that [`keepable`] has made.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(
    program: &Path,
    arguments: &[&OsStr],
    socket: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    open_files: Option<u64>,
    kept: &[OwnedFd],
) -> Result<Pid, OsError> {
    let cannot = |errno| OsError::Execute {
        program: program.to_owned(),
        errno,
    };
    let path = CString::new(program.as_os_str().as_bytes()).map_err(|_| cannot(Errno::EINVAL))?;
    let arguments: Vec<CString> = arguments
        .iter()
        .map(|argument| CString::new(argument.as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|_| cannot(Errno::EINVAL))?;

    // None of the descriptors that the child needs may be one that it puts another over.
    let socket = duplicate_above(socket, INHERITED).map_err(OsError::call("fcntl()"))?;
    let output = duplicate_above(output, INHERITED).map_err(OsError::call("fcntl()"))?;
    let (mut report, mut reporter) = report_pipe().map_err(OsError::call("pipe2()"))?;
    let pid = fork(OtherThreads::Refuse, || {
        let error = match arrange(&socket, &output, kept, open_files) {
            Ok(()) => execute(&path, &arguments),
            Err(error) => error,
        };
        // When even that cannot be written, the parent takes the program for started and sees it exit.
        let _ = reporter.write_all(&(errno_of(&error) as i32).to_ne_bytes());
        CANNOT_EXECUTE
    })?;
    drop(reporter);

    let mut errno = [0; 4];
    if report.read_exact(&mut errno).is_err() {
        // The pipe is close-on-exec: that it ends without a word means that the program runs.
        return Ok(pid);
    }
    wait(pid).map_err(OsError::call("waitpid()"))?;
    Err(cannot(Errno::from_raw(i32::from_ne_bytes(errno))))
}

/// Copies a descriptor, close-on-exec, to a number under which a program that is started can have it: none that is put to another
/// use there.
///
/// # Errors
/// What fcntl(2) answers.
pub fn keepable(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    duplicate_above(descriptor, INHERITED)
}

/// Creates the pipe by which the child tells what failed. Its write end is not the descriptor that the socket is put
/// over, and there is no second one: the parent takes the end of the pipe for success.
fn report_pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (report, reporter) = io::pipe()?;
    Ok((report, duplicate_above(reporter, INHERITED)?.into()))
}

/// Becomes the program; returns only when that fails.
fn execute(path: &CStr, arguments: &[CString]) -> io::Error {
    match unistd::execv(path, arguments) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

/// Arranges descriptors, limits and signals as the program shall find them.
fn arrange(
    socket: &OwnedFd,
    output: &OwnedFd,
    kept: &[OwnedFd],
    open_files: Option<u64>,
) -> io::Result<()> {
    StandardStream::Input.replace(open_null()?)?;
    StandardStream::Output.replace(output)?;
    StandardStream::Error.replace(output)?;
    // SAFETY: dup2 takes no pointer. Whatever owns descriptor 3 in this copy of the parent never runs again.
    if unsafe { libc::dup2(socket.as_raw_fd(), INHERITED) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // A belt: everything is close-on-exec already. Kernels before 5.11 refuse, which changes nothing.
    let first = INHERITED.unsigned_abs() + 1;
    let close_on_exec = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: close_range takes no pointer, and with this flag it closes nothing in this process.
    unsafe { libc::close_range(first, libc::c_uint::MAX, close_on_exec) };
    for descriptor in kept {
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    if let Some(soft) = open_files {
        set_soft_open_files(soft)?;
    }
    forget_dispositions();
    SignalSet::empty().set_mask()?;
    Ok(())
}
