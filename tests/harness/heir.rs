//! Starts a program with descriptors of ours as 3, 4, …, as systemd and an outgoing master do.
//!
//! Nothing in the standard library does so without unsafe code; a shell does.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustix::fd::AsFd;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::Result;

/// Held while a process is started: what one is to inherit, no other may.
pub(crate) static BIRTH: Mutex<()> = Mutex::new(());

/// Above all numbers that the program finds its descriptors under.
const ABOVE: i32 = 100;

/// Returns a command that does what `command` does and has the descriptors; they must live until it is started, with
/// [`BIRTH`] held. `LISTEN_PID`, unless it is set, becomes the process's own when there is a `LISTEN_FDS`.
pub(crate) fn with_descriptors(
    command: &Command,
    descriptors: &[Arc<OwnedFd>],
) -> Result<(Command, Vec<OwnedFd>)> {
    let mut script = "exec".to_owned();
    let mut copies = Vec::new();
    for (number, descriptor) in (3..).zip(descriptors) {
        let copy = fcntl_dupfd_cloexec(descriptor.as_fd(), ABOVE)?;
        fcntl_setfd(&copy, FdFlags::empty())?;
        let passed = copy.as_raw_fd();
        script += &format!(" {number}<&{passed} {passed}<&-");
        copies.push(copy);
    }
    script += "; [ -z \"$LISTEN_FDS\" ] || export LISTEN_PID=\"${LISTEN_PID-$$}\"; exec \"$@\"";
    let mut shell = Command::new("/bin/bash");
    shell
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .args(["-c", &script, "bash"])
        .arg(command.get_program())
        .args(command.get_args());
    Ok((shell, copies))
}
