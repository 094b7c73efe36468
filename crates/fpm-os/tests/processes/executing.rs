//! Executing this very program in another role, with a socket at descriptor 3.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use fpm_os::environment::{Inherited, replace};
use fpm_os::error::OsError;
use fpm_os::exec::{keepable, spawn, spawn_with};
use fpm_os::limits::open_files;
use fpm_os::seqpacket::{self, Patience};
use fpm_os::signal::Signal;
use fpm_os::signal::set::{Disposition, SignalSet, set_disposition};
use fpm_os::stdio::open_null;
use fpm_os::wait::{ExitStatus, reap, wait};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::{Test, in_child};

pub(crate) const TESTS: &[Test] = &[
    (
        "an executed program has its socket and nothing else",
        has_its_socket,
    ),
    (
        "an executed program has what it is to have besides",
        has_what_is_kept,
    ),
    ("an executed program has our environment", same_environment),
    (
        "an executed program has the limit of files it was given",
        limit_of_files,
    ),
    (
        "an executed program starts with fresh signals",
        fresh_signals,
    ),
    (
        "an executed program writes to the given output",
        writes_to_its_output,
    ),
    (
        "a program that cannot be executed is told with its errno",
        cannot_be_executed,
    ),
    (
        "only a passed SEQPACKET socket is taken over",
        only_a_socket,
    ),
];

/// First argument of this program in another role; the second is which.
pub(crate) const ROLE: &str = "--role";

/// The soft limit of open files that the programs here get.
const OPEN_FILES: u64 = 99;

/// Does what a role wants.
pub(crate) fn play(role: &str) -> ExitCode {
    match role {
        "describe" => describe(),
        "complain" => {
            io::stdout().write_all(b"complaint about ").unwrap();
            io::stdout().flush().unwrap();
            io::stderr().write_all(b"something").unwrap();
            ExitCode::SUCCESS
        }
        "adopt" => match seqpacket::inherited() {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                let errno = error
                    .raw_os_error()
                    .and_then(|errno| u8::try_from(errno).ok());
                ExitCode::from(errno.unwrap_or(255))
            }
        },
        other => panic!("unknown role {other}"),
    }
}

/// Tells over the socket what this process has.
fn describe() -> ExitCode {
    let socket = seqpacket::inherited().unwrap();
    assert_eq!(
        seqpacket::inherited().unwrap_err().raw_os_error(),
        Some(libc::EBADF),
        "once"
    );
    let mut open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    // The directory itself was open as 4.
    assert_eq!(open, ["0", "1", "2", "3", "4"]);
    let target = |stream| fs::read_link(format!("/proc/self/fd/{stream}")).unwrap();
    assert_eq!(target(0), Path::new("/dev/null"));
    assert_eq!(target(1), target(2));
    assert_eq!(open_files().unwrap().soft, OPEN_FILES);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let variable = env::var("FPM_OS_TEST").unwrap_or_default();
    let said = [field("SigBlk:"), field("SigIgn:"), variable].join("\n");
    let message = [IoSlice::new(said.as_bytes())];
    seqpacket::send(&socket, &message, &[], Patience::Wait).unwrap();
    ExitCode::SUCCESS
}

/// Starts this program in a role.
fn start(role: &str, socket: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Pid {
    let program = env::current_exe().unwrap();
    let arguments = ["test", ROLE, role].map(OsStr::new);
    spawn(&program, &arguments, socket, output, Some(OPEN_FILES)).unwrap()
}

/// Starts the program that describes itself, and returns what it says.
fn description() -> String {
    let (ours, theirs) = seqpacket::pair().unwrap();
    let pid = start("describe", theirs.as_fd(), io::stderr().as_fd());
    drop(theirs);
    let mut said = vec![0; 1000];
    let packet = seqpacket::receive(&ours, &mut said, Patience::Wait).unwrap();
    assert_eq!(wait(pid).unwrap(), ExitStatus::Code(0));
    said.truncate(packet.len);
    String::from_utf8(said).unwrap()
}

fn has_its_socket() {
    description();
    in_child(|| {
        // Without close-on-exec, and at 3, where the child wants its socket.
        let leaks: Vec<OwnedFd> = (0..4)
            .map(|_| OwnedFd::from(open_null().unwrap()))
            .collect();
        for leak in &leaks {
            nix::fcntl::fcntl(
                leak,
                nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
            )
            .unwrap();
        }
        assert!(
            leaks
                .iter()
                .any(|leak| leak.as_raw_fd() == seqpacket::INHERITED)
        );
        description();
    });
}

fn has_what_is_kept() {
    let (socket, _other) = seqpacket::pair().unwrap();
    let (mut heard, says) = io::pipe().unwrap();
    let kept = [keepable(&says).unwrap()];
    drop(says);
    let number = kept[0].as_raw_fd();
    assert!(number > seqpacket::INHERITED);
    let script = format!("echo kept >&{number}");
    let arguments = ["sh", "-c", &script].map(OsStr::new);
    let output = io::stderr();
    let (program, socket, output) = (Path::new("/bin/sh"), socket.as_fd(), output.as_fd());
    let pid = spawn_with(program, &arguments, socket, output, None, &kept).unwrap();
    drop(kept);
    let mut said = String::new();
    heard.read_to_string(&mut said).unwrap();
    assert_eq!(
        (said.as_str(), wait(pid).unwrap()),
        ("kept\n", ExitStatus::Code(0))
    );
}

fn same_environment() {
    in_child(|| {
        replace(Inherited::Keep, [(&b"FPM_OS_TEST"[..], &b"is seen"[..])]).unwrap();
        assert!(description().ends_with("\nis seen"));
    });
}

fn limit_of_files() {
    let before = open_files().unwrap();
    description();
    assert_eq!(open_files().unwrap(), before, "ours is as it was");
    let (socket, _other) = seqpacket::pair().unwrap();
    let program = env::current_exe().unwrap();
    let too_many = Some(before.hard.saturating_add(1));
    let (arguments, output) = ([OsStr::new("test")], io::stderr());
    let refused = spawn(
        &program,
        &arguments,
        socket.as_fd(),
        output.as_fd(),
        too_many,
    );
    let errno = Errno::EINVAL;
    assert_eq!(refused, Err(OsError::Execute { program, errno }));
}

fn fresh_signals() {
    in_child(|| {
        SignalSet::full().block().unwrap();
        set_disposition(Signal::USR1, Disposition::Ignore).unwrap();
        let said = description();
        let signals: Vec<u64> = said
            .lines()
            .take(2)
            .map(|line| u64::from_str_radix(line.rsplit_once('\t').unwrap().1, 16).unwrap())
            .collect();
        // The run-time of a Rust program ignores SIGPIPE (13) itself. The C library keeps 32 and 33 to itself, and
        // its posix_spawn, by which cargo may have started this test, leaves them ignored for ever.
        let own = 1 << 12;
        let the_c_librarys = 3 << 31;
        assert_eq!(
            (signals[0], signals[1] & !the_c_librarys),
            (0, own),
            "{said}"
        );
        assert!(
            SignalSet::blocked().unwrap().contains(Signal::USR2),
            "ours is as it was"
        );
    });
}

fn writes_to_its_output() {
    let (ours, theirs) = seqpacket::pair().unwrap();
    let (mut heard, says) = io::pipe().unwrap();
    let pid = start("complain", theirs.as_fd(), says.as_fd());
    drop((ours, says));
    let mut complaint = String::new();
    heard.read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint, "complaint about something");
    assert_eq!(wait(pid).unwrap(), ExitStatus::Code(0));
}

fn cannot_be_executed() {
    let (socket, _other) = seqpacket::pair().unwrap();
    let text = tempfile::NamedTempFile::new().unwrap();
    for (program, errno) in [
        (Path::new("/no/such/program"), Errno::ENOENT),
        (Path::new("/etc/passwd"), Errno::EACCES),
        (Path::new("/etc"), Errno::EACCES),
        (text.path(), Errno::EACCES),
        (Path::new("/with\0nul"), Errno::EINVAL),
    ] {
        let arguments = [OsStr::new("test")];
        let refused = spawn(
            program,
            &arguments,
            socket.as_fd(),
            io::stderr().as_fd(),
            None,
        );
        let expected = OsError::Execute {
            program: program.to_owned(),
            errno,
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(reap().unwrap(), None, "nothing is left of the attempt");
    }
}

fn only_a_socket() {
    let stderr = io::stderr();
    let refused = |socket: BorrowedFd<'_>| wait(start("adopt", socket, stderr.as_fd())).unwrap();
    let (stream, _other) = UnixStream::pair().unwrap();
    assert_eq!(refused(stream.as_fd()), ExitStatus::Code(libc::EPROTOTYPE));
    let (pipe, _other) = io::pipe().unwrap();
    assert_eq!(refused(pipe.as_fd()), ExitStatus::Code(libc::ENOTSOCK));
    let own = |number| stream.as_raw_fd() == number || pipe.as_raw_fd() == number;
    assert!(
        own(seqpacket::INHERITED),
        "3 is a descriptor of our own now"
    );
    let refused = seqpacket::inherited().unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
}
