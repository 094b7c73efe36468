//! A daemon with an operator process, and what it answers over HTTP. Only fpmd has one.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{Daemon, Fpm, PATIENCE, Process, Result, Under, under, wait_for};

/// The operator's title.
pub const TITLE: &str = "fpmd: operator";

/// What the operator has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The status of HTTP.
    pub code: u16,
    /// The head, with its lines as they are.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Told {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Fails when it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| self.body.clone())
    }

    /// The value of a metric, named with its labels.
    ///
    /// # Errors
    /// Fails when there is no such line.
    pub fn number(&self, name: &str) -> Result<f64> {
        let found = self.body.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            value.parse().ok()
        });
        found.with_context(|| format!("no {name} in\n{}", self.body))
    }
}

/// Starts a daemon whose operator listens at `{dir}/operator`; `None` when it is the original, which has no such thing.
///
/// # Errors
/// Fails when it does not become ready, or the original takes the directive.
pub fn start(daemon: Daemon) -> Result<Option<Fpm>> {
    let listen = "operator.listen = {dir}/operator";
    if under()? == Under::Fpmd {
        return daemon.global(listen).start().map(Some);
    }
    // Without anything else that it might not know.
    let refusal = Daemon::new().global(listen).start_in_vain()?;
    let unknown = "unknown entry 'operator.listen'";
    ensure!(refusal.output.contains(unknown), "{}", refusal.output);
    Ok(None)
}

/// Where the operator of such a daemon listens.
#[must_use]
pub fn socket(fpm: &Fpm) -> PathBuf {
    fpm.site().path("operator")
}

/// Asks such a daemon's operator for something.
///
/// # Errors
/// Fails when there is no answer.
pub fn get(fpm: &Fpm, path: &str) -> Result<Told> {
    ask(UnixStream::connect(socket(fpm))?, path)
}

/// Asks at any connection.
///
/// # Errors
/// Fails when there is no answer.
pub fn ask(mut connection: impl Read + Write, path: &str) -> Result<Told> {
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    let code = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Told {
        code,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Asks again and again until the answer is as it should be.
///
/// # Errors
/// Fails when it is not in [`PATIENCE`].
pub fn get_when(fpm: &Fpm, path: &str, is_right: impl Fn(&Told) -> bool) -> Result<Told> {
    let last = std::cell::RefCell::new(None);
    wait_for(path, || {
        let told = get(fpm, path).ok();
        last.replace(told.clone());
        Ok(told.filter(&is_right))
    })
    .with_context(|| format!("in {PATIENCE:?} the last was {:?}", last.borrow()))
}

/// The operator's process, which gets its title a moment after its birth.
///
/// # Errors
/// Fails when there is none, or more than one.
pub fn process(fpm: &Fpm) -> Result<Process> {
    let mut found = fpm.wait_for_processes(TITLE, 1)?;
    found.pop().context("no operator")
}

/// Whether somebody listens at a unix socket.
#[must_use]
pub fn listens(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}
