//! Changes of identity. As root they happen, in children; otherwise the refusals are tested.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use fpm_os::capabilities;
use fpm_os::environment::{Inherited, replace};
use fpm_os::error::OsError;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::identity::{Identity, assume, change_directory, change_root, verify};
use fpm_os::limits::{Limit, set_core_size, set_open_files, set_priority};
use fpm_os::wait::{ExitStatus, wait};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid, setgid, setresuid};

use crate::{Test, in_child};

pub(crate) const TESTS: &[Test] = &[
    ("an identity is taken on for good", taken_on),
    ("id 0 changes nothing", zero_changes_nothing),
    ("a way back to root is found", way_back),
    ("capabilities are given up", no_capabilities),
    ("a root directory hides the others", another_root),
    ("limits and priority are set", limited),
];

/// A user and a group that no system gives to anybody.
const UID: u32 = 54_321;
const GID: u32 = 54_322;

fn stranger() -> Identity {
    let (uid, gid) = (Uid::from_raw(UID), Gid::from_raw(GID));
    Identity {
        user: c"nobody knows this name".to_owned(),
        uid,
        gid,
    }
}

fn taken_on() {
    in_child(|| {
        let result = assume(&stranger());
        if !geteuid().is_root() && getuid() != Uid::from_raw(UID) {
            let refused = OsError::SetGroup {
                gid: GID,
                errno: Errno::EPERM,
            };
            assert_eq!(result, Err(refused));
            return;
        }
        assert_eq!(result, Ok(()));
        assert_eq!(
            (getuid(), geteuid()),
            (Uid::from_raw(UID), Uid::from_raw(UID))
        );
        assert_eq!(
            (getgid(), getegid()),
            (Gid::from_raw(GID), Gid::from_raw(GID))
        );
        assert_eq!(
            getgroups().unwrap(),
            [Gid::from_raw(GID)],
            "root's groups are gone"
        );
        assert!(fs::File::open("/etc/shadow").is_err());
        let back = Identity {
            uid: Uid::from_raw(UID - 1),
            ..stranger()
        };
        let refused = assume(&back).unwrap_err();
        assert!(matches!(
            refused,
            OsError::SupplementaryGroups {
                errno: Errno::EPERM,
                ..
            }
        ));
    });
}

fn zero_changes_nothing() {
    in_child(|| {
        let before = (getuid(), getgid(), getgroups().unwrap());
        let root = (Uid::from_raw(0), Gid::from_raw(0));
        let nothing = Identity {
            user: c"root".to_owned(),
            uid: root.0,
            gid: root.1,
        };
        assume(&nothing).unwrap();
        assert_eq!((getuid(), getgid(), getgroups().unwrap()), before);
    });
}

fn way_back() {
    let (uid, gid) = (Uid::from_raw(UID), Gid::from_raw(GID));
    if !geteuid().is_root() {
        let refused = verify(uid, gid).unwrap_err();
        assert_eq!(
            refused,
            OsError::Revocable {
                what: "a user id is still another"
            }
        );
        return;
    }
    in_child(|| {
        setgid(gid).unwrap();
        setresuid(uid, uid, Uid::from_raw(0)).unwrap();
        let found = verify(uid, gid).unwrap_err();
        assert_eq!(
            found,
            OsError::Revocable {
                what: "a user id is still another"
            }
        );
    });
    in_child(|| {
        setresuid(uid, uid, uid).unwrap();
        let found = verify(uid, gid).unwrap_err();
        assert_eq!(
            found,
            OsError::Revocable {
                what: "a group id is still another"
            }
        );
    });
    in_child(|| {
        keep_capabilities();
        setgid(gid).unwrap();
        setresuid(uid, uid, uid).unwrap();
        let found = verify(uid, gid).unwrap_err();
        assert_eq!(
            found,
            OsError::Revocable {
                what: "it may change its group to root's"
            }
        );
    });
    in_child(|| {
        // No id can be changed any more, but this could be handed to a program.
        keep_capabilities();
        setgid(gid).unwrap();
        setresuid(uid, uid, uid).unwrap();
        leave_inheritable_only();
        let found = verify(uid, gid).unwrap_err();
        assert_eq!(
            found,
            OsError::Revocable {
                what: "it has capabilities"
            }
        );
    });
}

fn no_capabilities() {
    in_child(|| {
        if !geteuid().is_root() {
            return;
        }
        keep_capabilities();
        assume(&stranger()).unwrap();
        assert!(!capabilities::any_left().unwrap());
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let set = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line[name.len()..].trim(), 16).unwrap()
        };
        for name in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(set(name), 0, "{name}");
        }
        assert_ne!(
            set("CapBnd:"),
            0,
            "programs with rights of their own keep them"
        );
    });
}

/// Lets the capabilities stay with the process across a change of user (SECBIT_NO_SETUID_FIXUP, capabilities(7)); ids
/// alone do not show that.
fn keep_capabilities() {
    const NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;
    // SAFETY: this prctl takes no pointer.
    let set = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) };
    assert_eq!(set, 0);
}

/// Gives up all capabilities but keeps one to be inherited.
fn leave_inheritable_only() {
    let mut header: [u32; 2] = [0x2008_0522, 0];
    // Effective, permitted, inheritable of the lower half, then of the upper: CAP_CHOWN.
    let sets: [u32; 6] = [0, 0, 1, 0, 0, 0];
    // SAFETY: capset reads a header of two words and, for this version, six words of sets.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
    assert_eq!(set, 0);
}

fn another_root() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("inside"), "").unwrap();
    in_child(|| {
        let result = change_root(directory.path());
        if !geteuid().is_root() {
            let path = directory.path().to_owned();
            assert_eq!(
                result,
                Err(OsError::ChangeRoot {
                    path,
                    errno: Errno::EPERM
                })
            );
            return;
        }
        result.unwrap();
        change_directory(Path::new("/")).unwrap();
        assert!(Path::new("inside").exists() && Path::new("/inside").exists());
        assert!(!Path::new("/proc").exists());

        // Whether there is one thread must be found out without /proc here.
        let variable = [(&b"FPM_OS_TEST"[..], &b"x"[..])];
        replace(Inherited::Clear, variable).unwrap();
        assert_eq!(
            wait(fork(OtherThreads::Refuse, || 0).unwrap()).unwrap(),
            ExitStatus::Code(0)
        );
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || stopped.recv());
        assert_eq!(replace(Inherited::Clear, variable), Err(OsError::Threads));
        drop(stop);
        thread.join().unwrap().unwrap_err();
    });
}

fn limited() {
    in_child(|| {
        set_open_files(Limit(64)).unwrap();
        set_core_size(Limit(0)).unwrap();
        set_priority(7).unwrap();
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let limit = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..]
                .split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
        };
        assert_eq!(limit("Max open files"), ["64", "64"]);
        assert_eq!(limit("Max core file size"), ["0", "0"]);
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        assert_eq!(after_name.split_whitespace().nth(16), Some("7"));
        if !geteuid().is_root() {
            let refused = set_priority(-7).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EACCES));
        }
    });
}
