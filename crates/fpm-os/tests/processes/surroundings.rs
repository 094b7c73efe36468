//! The process title, the environment, the standard streams, the session.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};

use fpm_os::environment::{Inherited, remove, replace};
use fpm_os::error::OsError;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::process;
use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::title::ProcessTitle;
use fpm_os::wait::{ExitStatus, wait};
use nix::errno::Errno;

use crate::{Test, in_child};

pub(crate) const TESTS: &[Test] = &[
    ("the title is shown and the environment stays", titled),
    ("a child has a title of its own", titled_child),
    (
        "the environment is cleared and filled in order",
        environment,
    ),
    ("a variable that cannot be is refused", impossible_variables),
    ("standard streams go where they are sent", streams),
    ("a session is started once", session),
];

/// What ps shows, without the zeros that fill the rest.
fn shown() -> String {
    let shown = fs::read("/proc/self/cmdline").unwrap();
    String::from_utf8(shown)
        .unwrap()
        .trim_end_matches('\0')
        .to_owned()
}

fn titled() {
    in_child(|| {
        let before: Vec<(OsString, OsString)> = env::vars_os().collect();
        let mut title = ProcessTitle::claim().unwrap();
        assert_eq!(env::vars_os().collect::<Vec<_>>(), before);
        for text in [
            "php-fpm: master process (/etc/php-fpm.conf)",
            "php-fpm: pool www",
            "",
        ] {
            title.set(text.as_bytes());
            assert_eq!(shown(), text[..text.len().min(title.capacity())]);
            assert_eq!(env::vars_os().collect::<Vec<_>>(), before);
        }
        let long = "x".repeat(title.capacity() + 1);
        title.set(long.as_bytes());
        assert_eq!(shown().len(), title.capacity());
        assert_eq!(env::vars_os().collect::<Vec<_>>(), before);
        replace(Inherited::Keep, [(&b"FPM_OS_TEST"[..], &b"value"[..])]).unwrap();
        assert_eq!(env::var("FPM_OS_TEST").unwrap(), "value");

        let again = ProcessTitle::claim().unwrap_err();
        assert_eq!(
            again,
            OsError::Title {
                reason: "it was claimed before"
            }
        );
        drop(env::args_os().collect::<Vec<_>>());
    });
}

fn titled_child() {
    in_child(|| {
        let mut title = ProcessTitle::claim().unwrap();
        title.set(b"parent");
        let pid = fork(OtherThreads::Refuse, || {
            title.set(b"child");
            u8::from(shown() != "child")
        })
        .unwrap();
        assert_eq!(wait(pid).unwrap(), ExitStatus::Code(0));
        assert_eq!(shown(), "parent");
    });
}

fn environment() {
    in_child(|| {
        let variables = [
            (&b"B"[..], &b"2"[..]),
            (b"A", b"1"),
            (b"C", b"\xff"),
            (b"B", b"3"),
        ];
        replace(Inherited::Clear, variables).unwrap();
        let now: Vec<_> = env::vars_os().collect();
        let expected = [("B", &b"3"[..]), ("A", b"1"), ("C", b"\xff")];
        let expected = expected.map(|(name, value)| {
            (
                name.into(),
                std::os::unix::ffi::OsStringExt::from_vec(value.to_vec()),
            )
        });
        assert_eq!(now, expected);
        replace(Inherited::Keep, [(&b"D"[..], &b""[..])]).unwrap();
        assert_eq!(env::vars_os().count(), 4);
        remove(["D", "A", "none"]).unwrap();
        assert_eq!(env::vars_os().count(), 2);
        replace(Inherited::Clear, []).unwrap();
        assert_eq!(env::vars_os().count(), 0);
        assert!(
            ProcessTitle::claim().is_ok(),
            "an empty environment can be moved too"
        );
    });
}

fn impossible_variables() {
    in_child(|| {
        for (name, value) in [
            (&b""[..], &b"x"[..]),
            (b"A=B", b"x"),
            (b"A\0", b"x"),
            (b"A", b"\0"),
        ] {
            let refused = replace(Inherited::Keep, [(name, value)]).unwrap_err();
            assert_eq!(
                refused,
                OsError::Call {
                    call: "setenv()",
                    errno: Errno::EINVAL
                }
            );
        }
    });
}

fn streams() {
    let (mut heard, says) = io::pipe().unwrap();
    in_child(|| {
        StandardStream::Output.replace(&says).unwrap();
        StandardStream::Error.replace(&says).unwrap();
        StandardStream::Input.replace(open_null().unwrap()).unwrap();
        drop(says);
        let mut nothing = String::new();
        io::stdin().read_to_string(&mut nothing).unwrap();
        assert_eq!(nothing, "");
        io::stdout().write_all(b"out\n").unwrap();
        io::stderr().write_all(b"err\n").unwrap();
    });
    let mut said = String::new();
    heard.read_to_string(&mut said).unwrap();
    assert_eq!(said, "out\nerr\n");
}

fn session() {
    in_child(|| {
        process::start_session().unwrap();
        let again = process::start_session().unwrap_err();
        assert_eq!(
            again.raw_os_error(),
            Some(libc::EPERM),
            "it leads a session already"
        );
    });
}
