//! A daemon that takes orders at a control socket, and the commands that give them. Only fpmd has these.

use std::path::Path;
use std::process::Output;
use std::time::Instant;

use anyhow::ensure;
use serde_json::Value;

use crate::{Daemon, Fpm, PATIENCE, Result, Subject, Under, under};

/// Starts a daemon that takes orders at `{dir}/control`; `None` when it is the original, which does not know how.
///
/// # Errors
/// Fails when it does not become ready, or the original takes the directive.
pub fn start(daemon: Daemon) -> Result<Option<Fpm>> {
    let ordered = "control.listen = {dir}/control";
    if under()? == Under::Fpmd {
        return daemon.global(ordered).start().map(Some);
    }
    // Without anything else that it might not know.
    let refusal = Daemon::new().global(ordered).start_in_vain()?;
    let unknown = "unknown entry 'control.listen'";
    ensure!(refusal.output.contains(unknown), "{}", refusal.output);
    Ok(None)
}

/// Runs a command against this daemon; returns the exit code, what was printed, and what was complained of.
///
/// # Errors
/// Fails when it cannot be run.
pub fn run(fpm: &Fpm, command: &str) -> Result<(i32, String, String)> {
    at(&fpm.site().path("control"), command)
}

/// Runs a command against the daemon that takes orders at this socket.
///
/// # Errors
/// As [`run`].
pub fn at(socket: &Path, command: &str) -> Result<(i32, String, String)> {
    let line = format!("{command} --control {}", socket.display());
    done(&Subject::from_environment()?.run(&line.split(' ').collect::<Vec<_>>())?)
}

/// Takes apart what a command has left: the exit code, what was printed, and what was complained of.
///
/// # Errors
/// Fails when that is no text.
pub fn done(output: &Output) -> Result<(i32, String, String)> {
    Ok((
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout.clone())?,
        String::from_utf8(output.stderr.clone())?,
    ))
}

/// Asks for the status with all workers.
///
/// # Errors
/// Fails when there is none.
pub fn status(fpm: &Fpm) -> Result<Value> {
    let (code, text, complaint) = run(fpm, "status --json --workers")?;
    ensure!(code == 0, "{complaint}");
    Ok(serde_json::from_str(&text)?)
}

/// Asks for the status again and again until it is as it should be.
///
/// # Errors
/// Fails when it is not in [`PATIENCE`].
pub fn status_when(fpm: &Fpm, is_right: impl Fn(&Value) -> bool) -> Result<Value> {
    let begin = Instant::now();
    loop {
        let status = status(fpm)?;
        if is_right(&status) {
            return Ok(status);
        }
        ensure!(begin.elapsed() < PATIENCE, "{status:#}");
    }
}
