//! The error log: where lines go, and the tracing layer that brings them there.
//!
//! Rule: one line is one write. Before the daemon is launched lines also go to stderr, so that whoever starts it sees
//! them; from then on stderr is the log file itself.
//!
//! Original: sapi/fpm/fpm/zlog.c, fpm_log.c, fpm_stdio.c

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard};

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{ErrorLog, Global, LogLevel};
use fpm_os::clock;
use fpm_os::stdio::{StandardStream, open_null};

mod layer;
mod line;
mod syslog;
#[cfg(test)]
mod tests;

use line::{Place, compose};
use syslog::Syslog;

use crate::cli::Stderr;

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
    sink: Sink,
    phase: Phase,
}

/// Where lines go.
#[derive(Debug)]
enum Sink {
    /// To stderr only.
    Stderr,
    /// To this file.
    File { file: File, path: BString },
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

/// Whether log lines go to the error log or to stderr once the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To `error_log`.
    ErrorLog,
    /// To stderr; `error_log` is created all the same.
    Stderr,
}

impl Destination {
    /// Finds out where lines go: a daemon in the background logs to `error_log`, one in the foreground to the terminal, if
    /// there is one or if it was told to.
    pub(crate) fn of(global: &Global, stderr: Stderr) -> Destination {
        if global.daemonize || (stderr == Stderr::IfTerminal && !io::stderr().is_terminal()) {
            Destination::ErrorLog
        } else {
            Destination::Stderr
        }
    }
}

impl Log {
    /// Makes a log that writes notices and above to stderr.
    pub(crate) fn to_stderr() -> Log {
        let inner = Inner {
            level: LogLevel::Notice,
            limit: 1024,
            sink: Sink::Stderr,
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
        let sink = match &global.error_log {
            ErrorLog::File(path) => {
                let file = open(path.as_bstr())?;
                match destination {
                    Destination::ErrorLog => Sink::File {
                        file,
                        path: path.clone(),
                    },
                    Destination::Stderr => Sink::Stderr,
                }
            }
            ErrorLog::Syslog if destination == Destination::Stderr => Sink::Stderr,
            ErrorLog::Syslog => {
                Sink::Syslog(Syslog::new(&global.syslog_ident, global.syslog_facility))
            }
        };
        let mut inner = self.lock();
        inner.sink = sink;
        inner.limit = usize::try_from(global.log_limit).unwrap_or(usize::MAX);
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

    /// Returns how a line of this level begins now; nothing when such lines are not logged.
    pub(crate) fn prefix(&self, level: LogLevel) -> String {
        let inner = self.lock();
        if level < inner.level {
            return String::new();
        }
        line::prefix(level, inner.level, clock::realtime(), Place::default())
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
    /// Composes and writes a line. A log that cannot be written to has nobody to tell.
    fn write(&mut self, level: LogLevel, text: &BStr, place: Place<'_>) {
        let now = clock::realtime();
        let shown = self.phase == Phase::Starting && level >= LogLevel::Notice;
        let line = match &mut self.sink {
            Sink::Syslog(syslog) => {
                let mut line = line::for_syslog(level, self.level, place, text);
                syslog.send(self.level, &line);
                line.push(b'\n');
                shown.then_some(line)
            }
            Sink::Stderr => Some(compose(level, self.level, now, place, text, self.limit)),
            Sink::File { file, path } => {
                let line = compose(level, self.level, now, place, text, self.limit);
                let _ = file.write_all(&line);
                (shown && !is_stderr(path.as_bstr())).then_some(line)
            }
        };
        if let Some(line) = line {
            let _ = io::stderr().write_all(&line);
        }
    }

    fn reopen_file(&mut self) -> io::Result<()> {
        if let Sink::File { file, path } = &mut self.sink {
            *file = open(path.as_bstr())?;
        }
        Ok(())
    }

    fn tie_stderr(&self) -> io::Result<()> {
        match &self.sink {
            Sink::Stderr => Ok(()),
            Sink::File { file, .. } => StandardStream::Error.replace(file),
            Sink::Syslog(_) => StandardStream::Error.replace(open_null()?),
        }
    }
}

fn open(path: &BStr) -> io::Result<File> {
    let path = std::ffi::OsStr::from_bytes(path);
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Tells whether a log file is stderr under another name, which would show every line of the start twice.
fn is_stderr(path: &BStr) -> bool {
    [&b"/dev/stderr"[..], b"/proc/self/fd/2"].contains(&path.as_bytes())
}
