//! Forking, ends of children, signals around both.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fpm_os::error::OsError;
use fpm_os::exec::spawn;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::poll::{Interest, Waited, wait as wait_for};
use fpm_os::process;
use fpm_os::signal::Signal;
use fpm_os::signal::fd::SignalFd;
use fpm_os::signal::quit::QuitFlag;
use fpm_os::signal::set::{Disposition, SignalSet, set_disposition};
use fpm_os::wait::{Exit, ExitStatus, reap, wait};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
use nix::unistd::{Uid, pause, setuid};

use crate::{Test, in_child};

pub(crate) const TESTS: &[Test] = &[
    ("a child ends with its code", ends_with_its_code),
    (
        "a child starts with everything blocked and no handlers",
        starts_deaf,
    ),
    (
        "a signal that ends a child is told, real-time ones too",
        ended_by_signals,
    ),
    ("a panic in a child ends it there", panics),
    ("children are reaped one by one", reaped_one_by_one),
    ("the end of a child is a signal to read", end_is_a_signal),
    ("other threads are refused or left behind", other_threads),
    ("a subreaper gets the orphans", orphans),
    ("a wait for nobody's child is an error", not_a_child),
    ("the quit flag is set by its signal and wakes", quit_flag),
    (
        "an ignored signal stays ignored, a default one ends",
        dispositions,
    ),
    (
        "no room for a process is an error that leaves nothing behind",
        no_room,
    ),
];

fn ends_with_its_code() {
    for code in [0, 1, 70, 255] {
        let pid = fork(OtherThreads::Refuse, || code).unwrap();
        assert_eq!(wait(pid).unwrap(), ExitStatus::Code(i32::from(code)));
    }
}

extern "C" fn handler(_: i32) {}

fn starts_deaf() {
    in_child(|| {
        let action = SigAction::new(
            SigHandler::Handler(handler),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        unsafe { sigaction(nix::sys::signal::Signal::SIGTERM, &action) }.unwrap();
        set_disposition(Signal::HUP, Disposition::Ignore).unwrap();
        let usr1: SignalSet = [Signal::USR1].into_iter().collect();
        usr1.set_mask().unwrap();

        let pid = fork(OtherThreads::Refuse, || {
            let blocked = SignalSet::blocked().unwrap();
            for signal in [Signal::TERM, Signal::QUIT, Signal::CHLD, Signal::HUP] {
                assert!(blocked.contains(signal));
            }
            SignalSet::empty().set_mask().unwrap();
            process::kill(process::id(), Signal::HUP).unwrap();
            process::kill(process::id(), Signal::TERM).unwrap();
            0
        })
        .unwrap();
        let ended = ExitStatus::Signal {
            signal: Signal::TERM,
            core_dumped: false,
        };
        assert_eq!(
            wait(pid).unwrap(),
            ended,
            "HUP is ignored, TERM has lost its handler"
        );

        let mask = SignalSet::blocked().unwrap();
        assert!(
            mask.contains(Signal::USR1) && !mask.contains(Signal::TERM),
            "as it was"
        );
    });
}

/// Forks a child that does nothing until a signal ends it.
fn sleeper() -> nix::unistd::Pid {
    fork(OtherThreads::Refuse, || {
        SignalSet::empty().set_mask().unwrap();
        loop {
            pause();
        }
    })
    .unwrap()
}

fn ended_by_signals() {
    for signal in [Signal::KILL, Signal::TERM, Signal::from_number(40).unwrap()] {
        let pid = sleeper();
        process::kill(pid, signal).unwrap();
        assert_eq!(
            wait(pid).unwrap(),
            ExitStatus::Signal {
                signal,
                core_dumped: false
            }
        );
    }
}

fn panics() {
    in_child(|| {
        std::panic::set_hook(Box::new(|_| {}));
        let pid = fork(OtherThreads::Refuse, || panic!("in the child")).unwrap();
        match wait(pid).unwrap() {
            ExitStatus::Signal { signal, .. } => assert_eq!(signal.name(), "SIGABRT"),
            ExitStatus::Code(code) => panic!("it went on to code {code}"),
        }
    });
}

fn reaped_one_by_one() {
    assert_eq!(reap().unwrap(), None, "no children at all");
    let stays = sleeper();
    assert_eq!(reap().unwrap(), None, "none that has ended");
    let mut expected: Vec<_> = (1..4)
        .map(|code| (fork(OtherThreads::Refuse, move || code).unwrap(), code))
        .map(|(pid, code)| Exit {
            pid,
            status: ExitStatus::Code(i32::from(code)),
        })
        .collect();
    let mut reaped = Vec::new();
    while reaped.len() < 3 {
        reaped.extend(reap().unwrap());
    }
    expected.sort_by_key(|exit| exit.pid);
    reaped.sort_by_key(|exit| exit.pid);
    assert_eq!(reaped, expected);
    process::kill(stays, Signal::KILL).unwrap();
    wait(stays).unwrap();
}

fn end_is_a_signal() {
    in_child(|| {
        let signals = SignalFd::open(&[Signal::CHLD].into_iter().collect()).unwrap();
        let pid = fork(OtherThreads::Refuse, || 0).unwrap();
        wait_for(&signals, Interest::Readable, None).unwrap();
        let caught = signals.take().unwrap().unwrap();
        assert_eq!((caught.signal, caught.sender), (Signal::CHLD, pid));
        assert_eq!(reap().unwrap().unwrap().pid, pid);
    });
}

fn other_threads() {
    in_child(|| {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || stopped.recv());
        assert_eq!(fork(OtherThreads::Refuse, || 0), Err(OsError::Threads));
        let pid = fork(OtherThreads::LeaveBehind, || {
            u8::from(process::threads().unwrap() != 1)
        });
        assert_eq!(wait(pid.unwrap()).unwrap(), ExitStatus::Code(0));
        drop(stop);
        thread.join().unwrap().unwrap_err();
    });
}

fn orphans() {
    in_child(|| {
        process::become_subreaper().unwrap();
        let (mut heard, mut says) = io::pipe().unwrap();
        let parent = fork(OtherThreads::Refuse, || {
            let orphan = fork(OtherThreads::Refuse, || 9).unwrap();
            says.write_all(&orphan.as_raw().to_ne_bytes()).unwrap();
            0
        })
        .unwrap();
        assert_eq!(wait(parent).unwrap(), ExitStatus::Code(0));
        let mut orphan = [0; 4];
        heard.read_exact(&mut orphan).unwrap();
        let orphan = nix::unistd::Pid::from_raw(i32::from_ne_bytes(orphan));
        assert_eq!(wait(orphan).unwrap(), ExitStatus::Code(9));
    });
}

fn not_a_child() {
    assert_eq!(
        wait(process::id()).unwrap_err().raw_os_error(),
        Some(libc::ECHILD)
    );
    assert_eq!(
        wait(nix::unistd::getppid()).unwrap_err().raw_os_error(),
        Some(libc::ECHILD)
    );
}

fn quit_flag() {
    in_child(|| {
        let quit = QuitFlag::install(Signal::QUIT).unwrap();
        SignalSet::empty().set_mask().unwrap();
        let is_readable =
            || wait_for(quit, Interest::Readable, Some(Duration::ZERO)).unwrap() == Waited::Ready;
        assert!(!quit.is_set() && !is_readable());
        let again = QuitFlag::install(Signal::QUIT).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EALREADY));
        for _ in 0..2 {
            process::kill(process::id(), Signal::QUIT).unwrap();
            assert!(quit.is_set() && is_readable());
        }

        // A read that the signal finds waiting goes on waiting.
        let (mut heard, mut says) = io::pipe().unwrap();
        let parent = process::id();
        let pid = fork(OtherThreads::Refuse, || {
            process::kill(parent, Signal::QUIT).unwrap();
            says.write_all(b"x").unwrap();
            0
        })
        .unwrap();
        let mut byte = [0];
        assert_eq!(nix::unistd::read(&heard, &mut byte), Ok(1), "not EINTR");
        assert_eq!(wait(pid).unwrap(), ExitStatus::Code(0));
        drop(says);
        assert_eq!(heard.read(&mut byte).unwrap(), 0);
    });
}

fn dispositions() {
    in_child(|| {
        SignalSet::empty().set_mask().unwrap();
        set_disposition(Signal::USR1, Disposition::Ignore).unwrap();
        process::kill(process::id(), Signal::USR1).unwrap();
        let pid = fork(OtherThreads::Refuse, || {
            set_disposition(Signal::USR1, Disposition::Default).unwrap();
            SignalSet::empty().set_mask().unwrap();
            process::kill(process::id(), Signal::USR1).unwrap();
            0
        })
        .unwrap();
        let ended = ExitStatus::Signal {
            signal: Signal::USR1,
            core_dumped: false,
        };
        assert_eq!(wait(pid).unwrap(), ended);
    });
}

/// Takes away this process's right to fork, as a limit of processes does.
fn limit_processes() {
    if Uid::effective().is_root() {
        // There is no such limit for root.
        setuid(Uid::from_raw(65534)).unwrap();
    }
    setrlimit(Resource::RLIMIT_NPROC, 0, 0).unwrap();
}

/// Has the kernel answer every fork of this process as if there were no memory: that is what it says where the first process of a pid
/// namespace has ended (fork(2)).
fn end_namespace() {
    unshare(CloneFlags::CLONE_NEWPID).unwrap();
    wait(fork(OtherThreads::Refuse, || 0).unwrap()).unwrap();
}

fn no_room() {
    let by_limit: (fn(), _) = (limit_processes, Errno::EAGAIN);
    let by_namespace: (fn(), _) = (end_namespace, Errno::ENOMEM);
    // Only root may make a namespace for sure.
    let is_root = Uid::effective().is_root();
    for (take_room, errno) in [by_limit]
        .into_iter()
        .chain(is_root.then_some(by_namespace))
    {
        in_child(|| {
            take_room();
            let usr1: SignalSet = [Signal::USR1].into_iter().collect();
            usr1.set_mask().unwrap();
            let (pipe, output) = io::pipe().unwrap();
            let first_free = || pipe.try_clone().unwrap().as_raw_fd();
            let before = first_free();
            let expected = Err(OsError::Call {
                call: "fork()",
                errno,
            });
            for _ in 0..2 {
                assert_eq!(fork(OtherThreads::Refuse, || 0), expected);
                let (program, name) = (Path::new("/bin/true"), [OsStr::new("true")]);
                let spawned = spawn(program, &name, pipe.as_fd(), output.as_fd(), None);
                assert_eq!(spawned, expected);
            }
            assert_eq!(first_free(), before, "no descriptor is left");
            let mask = SignalSet::blocked().unwrap();
            assert!(mask.contains(Signal::USR1) && !mask.contains(Signal::TERM));
            assert_eq!(reap().unwrap(), None, "no child is left");
        });
    }
}
