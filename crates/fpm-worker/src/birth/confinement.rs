//! Limits, root and working directory, priority, identity: what cannot be taken back.
//!
//! Original: fpm_unix_init_child in sapi/fpm/fpm/fpm_unix.c.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::{BStr, ByteSlice};
use fpm_conf::{LogLevel, Pool};
use fpm_os::identity;
use fpm_os::limits::{self, Limit};
use fpm_os::process;
use nix::errno::Errno;
use nix::unistd::geteuid;

use super::apparmor;
use super::words::FirstWords;
use super::{BirthError, RunsAs, said_of};

/// Confines the process as the pool says and takes on its identity.
pub(super) fn confine(
    pool: &Pool,
    runs_as: &RunsAs,
    words: &mut FirstWords,
) -> Result<(), BirthError> {
    set_limits(pool, words);
    let is_root = geteuid().is_root();
    change_directories(pool, is_root, words)?;
    if let Some(nice) = pool.process_priority
        && (is_root || matches!(runs_as, RunsAs::Zygote(_)))
    {
        limits::set_priority(nice).map_err(BirthError::Priority)?;
    }
    match runs_as {
        RunsAs::Other(who) => identity::assume(who)?,
        RunsAs::Zygote(who) => identity::verify(who.uid, who.gid)?,
        RunsAs::Same => {}
    }
    if pool.process_dumpable
        && let Err(error) = process::make_dumpable()
    {
        let text = with_errno("failed to prctl(PR_SET_DUMPABLE)", &error);
        words.say(LogLevel::Error, &said_of(pool.name.as_bstr(), &text));
    }
    match &pool.apparmor_hat {
        Some(hat) => apparmor::change_hat(hat.as_bstr()),
        None => Ok(()),
    }
}

/// Limits that cannot be set are told and otherwise ignored.
fn set_limits(pool: &Pool, words: &mut FirstWords) {
    let mut attempt = |directive: &str, (resource, value): (&str, &str), set: io::Result<()>| {
        if let Err(error) = set {
            let text = format!(
                "failed to set {directive} for this pool. Please check your system limits or decrease {directive}. \
                 setrlimit({resource}, {value})"
            );
            words.say(
                LogLevel::Error,
                &said_of(pool.name.as_bstr(), &with_errno(&text, &error)),
            );
        }
    };
    let original: [(i32, &str, &str, SetLimit); 2] = [
        (
            pool.rlimit_files,
            "rlimit_files",
            "RLIMIT_NOFILE",
            limits::set_open_files,
        ),
        (
            pool.rlimit_core,
            "rlimit_core",
            "RLIMIT_CORE",
            limits::set_core_size,
        ),
    ];
    for (value, directive, resource, set) in original {
        if value != 0 {
            attempt(directive, (resource, &value.to_string()), set(Limit(value)));
        }
    }
    for limit in &pool.rlimit {
        let directive = format!("rlimit[{}]", limit.resource.name());
        let resource = super::limits::name(limit);
        attempt(
            &directive,
            (resource, &limit.hard.to_string()),
            super::limits::set(limit),
        );
    }
}

/// How a limit of the original's is set.
type SetLimit = fn(Limit) -> io::Result<()>;

fn change_directories(
    pool: &Pool,
    is_root: bool,
    words: &mut FirstWords,
) -> Result<(), BirthError> {
    let root = pool.chroot.as_ref().filter(|_| is_root);
    if let Some(root) = root {
        identity::change_root(path(root.as_bstr()))?;
    }
    match &pool.chdir {
        Some(directory) => identity::change_directory(path(directory.as_bstr()))?,
        None if root.is_some() && identity::change_directory(Path::new("/")).is_err() => {
            words.say(
                LogLevel::Warning,
                &said_of(pool.name.as_bstr(), "failed to chdir(/)"),
            );
        }
        None => {}
    }
    Ok(())
}

fn path(bytes: &BStr) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn with_errno(text: &str, error: &io::Error) -> String {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    format!("{text}: {}", fpm_os::error::described(errno))
}
