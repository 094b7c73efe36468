//! The error log: where lines go, and the tracing layer that brings them there.
//!
//! Rule: one line is one write, and none is waited for while the daemon runs. Before it is launched lines also go to stderr, so that
//! whoever starts it sees them all; from then on stderr is the log file itself.
//!
//! Original: sapi/fpm/fpm/zlog.c, fpm_log.c, fpm_stdio.c

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{ErrorLog, Global, LogFormat, LogLevel};
use fpm_master::program::{self, Speaker, Words};
use fpm_os::clock;
use fpm_os::sink;
use fpm_os::stdio::{StandardStream, open_null};

mod destination;
mod json;
mod layer;
mod line;
mod outlet;
mod syslog;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use destination::Destination;
use line::{Form, Place, Record, compose};
use outlet::{Backlog, Outlet};
use syslog::Syslog;

/// How long the end of the daemon waits for its log.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// The error log. Clones are the same log.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    level: LogLevel,
    /// `log_limit`, in bytes.
    limit: usize,
    /// `log_format`.
    format: LogFormat,
    sink: Sink,
    /// Standard error as this process was started with it, as long as it is written to.
    stderr: Option<Outlet>,
    /// Lines there are for people, who want to know what came when since this moment.
    terminal: Option<Form>,
    phase: Phase,
}

/// Where lines go.
#[derive(Debug)]
enum Sink {
    /// To stderr only.
    Stderr,
    /// To this file.
    File { outlet: Outlet, path: BString },
    /// To syslog.
    Syslog(Syslog),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Lines from notice on are shown on stderr too.
    Starting,
    /// Stderr is the log.
    Launched,
}

impl Log {
    /// Makes a log that writes notices and above to stderr.
    pub(crate) fn to_stderr() -> Log {
        let stderr = sink::open_stderr();
        let inner = Inner {
            level: LogLevel::Notice,
            limit: 1024,
            format: LogFormat::default(),
            sink: Sink::Stderr,
            stderr: stderr
                .map(|file| Outlet::new(file, Backlog::default()))
                .ok(),
            terminal: for_people().then(|| Form::Terminal(clock::realtime())),
            phase: Phase::Starting,
        };
        Log {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Opens what the configuration says.
    ///
    /// # Errors
    /// When `error_log` cannot be opened.
    pub(crate) fn open(&self, global: &Global, destination: Destination) -> io::Result<()> {
        let mut inner = self.lock();
        inner.format = global.log_format;
        inner.limit = usize::try_from(global.log_limit).unwrap_or(usize::MAX);
        inner.sink = match (&global.error_log, destination) {
            (ErrorLog::File(path), Destination::ErrorLog) => Sink::File {
                outlet: Outlet::new(open(path.as_bstr())?, inner.give_up()),
                path: path.clone(),
            },
            (ErrorLog::File(path), Destination::Stderr) => {
                open(path.as_bstr())?;
                Sink::Stderr
            }
            (ErrorLog::Syslog, Destination::Stderr) => Sink::Stderr,
            (ErrorLog::Syslog, Destination::ErrorLog) => Sink::Syslog(Syslog::new(
                &global.syslog_ident,
                global.syslog_facility,
                inner.give_up(),
            )),
        };
        Ok(())
    }

    /// Sets the lowest level that is written.
    pub(crate) fn set_level(&self, level: LogLevel) {
        self.lock().level = level;
    }

    /// Ends the start: from now on lines go to the log only, and what is written to stderr goes there too.
    ///
    /// # Errors
    /// When stderr cannot be redirected.
    pub(crate) fn launched(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.phase = Phase::Launched;
        if !matches!(inner.sink, Sink::Stderr) {
            // Whoever waits for its end must not have to wait for ours.
            inner.stderr = None;
        }
        inner.tie_stderr()
    }

    /// Opens the log file again under its name.
    ///
    /// # Errors
    /// When it cannot be opened; the old file stays in use.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.reopen_file()?;
        inner.tie_stderr()
    }

    /// Writes a line whatever its level: somebody else has decided that already.
    pub(crate) fn show(&self, level: LogLevel, text: &BStr) {
        self.lock().write(level, text, Place::default());
    }

    /// Returns how many bytes of what this worker says fit in a line.
    pub(crate) fn room(&self, speaker: &Speaker<'_>) -> usize {
        let inner = self.lock();
        let record = inner.record(LogLevel::Warning, b"".into(), Place::default());
        match (inner.form(), &inner.sink) {
            (Form::Json, Sink::Syslog(_)) => json::SYSLOG_TEXT_MAX,
            (form, _) => words::room(form, &record, speaker, inner.limit),
        }
    }

    /// Writes a line that a worker has said.
    pub(crate) fn worker_said(&self, speaker: &Speaker<'_>, words: &Words<'_>) {
        let mut inner = self.lock();
        let record = inner.record(LogLevel::Warning, b"".into(), Place::default());
        let form = inner.form();
        match &mut inner.sink {
            Sink::Syslog(syslog) => {
                let text = match form {
                    Form::Json => words::compose(form, &record, speaker, words),
                    Form::Plain | Form::Terminal(_) => words::for_syslog(speaker, words),
                };
                syslog.write(record.level, record.now, text.trim_ascii_end());
            }
            Sink::Stderr | Sink::File { .. } => {
                let line = words::compose(form, &record, speaker, words);
                inner.put(line);
            }
        }
    }

    /// Writes bytes as they are, where the log may hold such.
    pub(crate) fn put(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        if inner.format == LogFormat::Fpm && !matches!(inner.sink, Sink::Syslog(_)) {
            inner.put(bytes.to_vec());
            return;
        }
        for line in bytes.lines().filter(|line| !line.is_empty()) {
            inner.write(LogLevel::Warning, line.as_bstr(), Place::default());
        }
    }

    /// Tries again to write what was not taken.
    pub(crate) fn flush(&self) -> program::Backlog {
        self.lock().flush()
    }

    /// Has the log take what waits, for a moment at the most: this process ends.
    pub(crate) fn finish(&self) {
        let mut inner = self.lock();
        if let Some(outlet) = inner.outlet() {
            outlet.drain(Some(LAST_MOMENT));
        }
        inner.flush();
    }

    fn write_line(&self, level: LogLevel, text: &BStr, place: Place<'_>) {
        let mut inner = self.lock();
        if level < inner.level {
            return;
        }
        inner.write(level, text, place);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held ends the process anyway.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    /// Composes and writes a line.
    fn write(&mut self, level: LogLevel, text: &BStr, place: Place<'_>) {
        let record = self.record(level, text, place);
        let line = compose(self.form(), &record, self.limit);
        let shown = self.phase == Phase::Starting && level >= LogLevel::Notice;
        let form_on_stderr = self.form_on_stderr();
        let copy = match &mut self.sink {
            Sink::Stderr => None,
            Sink::Syslog(syslog) => {
                let mut text = match self.format {
                    LogFormat::Fpm => line::for_syslog(&record),
                    LogFormat::Json => line.trim_ascii_end().to_vec(),
                };
                syslog.write(level, record.now, &text);
                text.push(b'\n');
                shown.then_some(text)
            }
            Sink::File { path, .. } => {
                let shown = shown && !is_stderr(path.as_bstr());
                shown.then(|| compose(form_on_stderr, &record, self.limit))
            }
        };
        if !matches!(self.sink, Sink::Syslog(_)) {
            self.put(line);
        }
        if let (Some(copy), Some(stderr)) = (copy, &mut self.stderr) {
            stderr.write(copy);
            stderr.drain(None);
        }
        self.report_lost();
    }

    /// Writes to the log what is a line already.
    fn put(&mut self, line: Vec<u8>) {
        if let Some(outlet) = self.outlet() {
            outlet.write(line);
        }
        if let (Phase::Starting, Sink::Stderr, Some(stderr)) =
            (self.phase, &self.sink, &mut self.stderr)
        {
            stderr.drain(None);
        }
    }

    /// Tries again to write what was not taken.
    fn flush(&mut self) -> program::Backlog {
        if let Some(outlet) = self.outlet() {
            outlet.flush();
        }
        if let Sink::Syslog(syslog) = &mut self.sink {
            syslog.flush();
        }
        self.report_lost();
        self.backlog()
            .map(|backlog| backlog.state())
            .unwrap_or_default()
    }

    /// Says how many lines are missing, once the log takes lines again.
    fn report_lost(&mut self) {
        if let Some(lost) = self.backlog().and_then(Backlog::take_lost) {
            let text = format!("{lost} line(s) of this log are lost: it could not be written to");
            self.write(
                LogLevel::Warning,
                text.as_bytes().as_bstr(),
                Place::default(),
            );
        }
    }

    /// Takes over what a log has lost that is not used any more.
    fn give_up(&mut self) -> Backlog {
        self.backlog().map(Backlog::give_up).unwrap_or_default()
    }

    fn outlet(&mut self) -> Option<&mut Outlet> {
        match &mut self.sink {
            Sink::Stderr => self.stderr.as_mut(),
            Sink::File { outlet, .. } => Some(outlet),
            Sink::Syslog(_) => None,
        }
    }

    fn backlog(&mut self) -> Option<&mut Backlog> {
        match &mut self.sink {
            Sink::Syslog(syslog) => Some(syslog.backlog()),
            Sink::File { outlet, .. } => Some(outlet.backlog()),
            Sink::Stderr => self.stderr.as_mut().map(Outlet::backlog),
        }
    }

    fn record<'a>(&self, level: LogLevel, text: &'a BStr, place: Place<'a>) -> Record<'a> {
        Record {
            level,
            configured: self.level,
            now: clock::realtime(),
            place,
            text,
        }
    }

    /// Returns how lines look in the log.
    fn form(&self) -> Form {
        match (self.format, &self.sink) {
            (LogFormat::Json, _) => Form::Json,
            (LogFormat::Fpm, Sink::Stderr) => self.form_on_stderr(),
            (LogFormat::Fpm, _) => Form::Plain,
        }
    }

    /// Returns how lines look that are shown on stderr.
    fn form_on_stderr(&self) -> Form {
        match self.format {
            LogFormat::Json => Form::Json,
            LogFormat::Fpm => self.terminal.unwrap_or(Form::Plain),
        }
    }

    fn reopen_file(&mut self) -> io::Result<()> {
        if let Sink::File { outlet, path } = &mut self.sink {
            outlet.replace(open(path.as_bstr())?);
        }
        Ok(())
    }

    fn tie_stderr(&self) -> io::Result<()> {
        match &self.sink {
            Sink::Stderr => Ok(()),
            Sink::File { outlet, .. } => StandardStream::Error.replace(outlet),
            Sink::Syslog(_) => StandardStream::Error.replace(open_null()?),
        }
    }
}

/// Tells whether people read standard error, and want colours (no-color.org).
fn for_people() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

fn open(path: &BStr) -> io::Result<std::fs::File> {
    match sink::open(OsStr::from_bytes(path)) {
        // A socket, such as journald's stream, cannot be opened by name.
        Err(_) if is_stderr(path) => sink::open_stderr(),
        opened => opened,
    }
}

/// Tells whether a log file is stderr under another name, which would show every line of the start twice.
fn is_stderr(path: &BStr) -> bool {
    [&b"/dev/stderr"[..], b"/proc/self/fd/2"].contains(&path.as_bytes())
}
