//! The access log: one line for each request, written when its script has ended and before its shutdown functions run.
//!
//! A line is one write(2) to a descriptor that the master has opened for appending, so the lines of many workers never mix. A
//! changer must know: `%` specifiers are checked by fpm-conf when the configuration is read; both change together.
//!
//! Original: sapi/fpm/fpm/fpm_log.c

mod entry;
mod format;
mod object;

use std::fs::File;
use std::os::fd::OwnedFd;

use bstr::{BString, ByteSlice};
use fpm_conf::Pool;
use fpm_os::clock::{self, CpuTimes};
use fpm_os::process;
use fpm_os::sink::Sink;
use nix::unistd::Pid;

pub(crate) use self::entry::Entry;
use self::format::Format;

/// Longest line in bytes, without its line feed.
const LINE_MAX: usize = 1024;

/// The text of the log line about an access that had no room.
pub(crate) const TRUNCATED: &[u8] =
    b"the log buffer is full (1024). The access log request has been truncated.";

/// The access log of a worker.
#[derive(Debug)]
pub(crate) struct AccessLog {
    file: Sink,
    form: Form,
    /// `access.suppress_path`.
    suppressed: Vec<BString>,
    /// What every line can say of the worker.
    writer: Writer,
    /// CPU time when the request began, for formats that show some.
    cpu: CpuTimes,
    /// Lines that could not be written and that nobody knows of yet.
    lost: u64,
    /// Whether the last one could not be written.
    failing: bool,
    /// Memory for a line.
    line: Vec<u8>,
}

/// What a line is.
#[derive(Debug)]
enum Form {
    /// `access.format` with its specifiers.
    Format(Format),
    /// `access.format = json`.
    Json,
}

/// Who writes the lines.
#[derive(Debug)]
struct Writer {
    pool: BString,
    generation: u64,
    process: Pid,
    /// The master's process: php-fpm's workers are its children.
    parent: Pid,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is as the format wants it.
    Whole,
    /// It was cut.
    Truncated,
    /// There is none.
    Nothing,
}

impl AccessLog {
    /// Takes over the open log of `pool`; `None` when the pool has no format, which means no log.
    pub(crate) fn new(
        file: OwnedFd,
        pool: &Pool,
        generation: u64,
        master: Pid,
    ) -> Option<AccessLog> {
        let form = match pool.access_format.as_ref()?.as_bstr() {
            format if format == "json" => Form::Json,
            format => Form::Format(Format::compile(format)),
        };
        Some(AccessLog {
            file: Sink::new(File::from(file)),
            form,
            suppressed: pool.access_suppress_path.clone(),
            writer: Writer {
                pool: pool.name.clone(),
                generation,
                process: process::id(),
                parent: master,
            },
            cpu: CpuTimes::default(),
            lost: 0,
            failing: false,
            line: Vec::new(),
        })
    }

    /// Writes to another file from now on.
    pub(crate) fn write_to(&mut self, file: OwnedFd) {
        self.file = Sink::new(File::from(file));
    }

    /// Returns how many lines could not be written and were not forgotten.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Tells whether lines were lost and the last one was not.
    pub(crate) fn has_recovered(&self) -> bool {
        self.lost > 0 && !self.failing
    }

    /// Forgets lines that were lost: somebody else knows of them.
    pub(crate) fn forget_lost(&mut self) {
        self.lost = 0;
    }

    /// Notes that a request begins to be answered.
    pub(crate) fn begin(&mut self) {
        if self.shows_cpu() {
            self.cpu = clock::cpu_times();
        }
    }

    /// Writes the line of a request. One that cannot be written is counted.
    pub(crate) fn write(&mut self, entry: &Entry<'_>) -> Written {
        if is_suppressed(&self.suppressed, entry) {
            return Written::Nothing;
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let written = match &self.form {
            Form::Format(format) => {
                entry::compose(format, entry, &self.writer, self.spent(), &mut line);
                finish(&mut line)
            }
            Form::Json => {
                line = object::compose(entry, &self.writer, self.spent());
                Written::Whole
            }
        };
        if written != Written::Nothing {
            self.failing = !self
                .file
                .write(&line)
                .is_ok_and(|count| count == line.len());
            self.lost += u64::from(self.failing);
        }
        self.line = line;
        written
    }

    /// Tells whether lines name their requests and how long they have waited.
    pub(crate) fn names_requests(&self) -> bool {
        matches!(self.form, Form::Json)
    }

    fn shows_cpu(&self) -> bool {
        match &self.form {
            Form::Format(format) => format.shows_cpu(),
            Form::Json => true,
        }
    }

    /// Returns the CPU time of the request, if a line shows it.
    fn spent(&self) -> CpuTimes {
        if !self.shows_cpu() {
            return CpuTimes::default();
        }
        let now = clock::cpu_times();
        CpuTimes {
            user: now.user.saturating_sub(self.cpu.user),
            system: now.system.saturating_sub(self.cpu.system),
        }
    }
}

/// Makes a line of what was composed.
fn finish(line: &mut Vec<u8>) -> Written {
    if line.is_empty() {
        return Written::Nothing;
    }
    let written = if line.len() > LINE_MAX {
        line.truncate(LINE_MAX);
        Written::Truncated
    } else {
        Written::Whole
    };
    line.push(b'\n');
    written
}

/// Tells whether `access.suppress_path` keeps a request out of the log: only what has succeeded and could have no side effects.
fn is_suppressed(paths: &[BString], entry: &Entry<'_>) -> bool {
    let request = &entry.request;
    request.query.is_empty()
        && matches!(request.method, b"GET" | b"HEAD")
        && (200..300).contains(&entry.status)
        && request.content_length <= 0
        && paths.iter().any(|path| path == request.uri)
}

#[cfg(test)]
mod tests;
