//! What a worker logs: lines on its stderr, and the same texts for the web server through FastCGI's STDERR stream.
//!
//! A worker's lines carry no time: the master adds it when it catches workers' output. The copy for the web server has no
//! level in front and is governed by ini `fastcgi.logging`; `log_level` governs it only where it is set to alert.
//!
//! Original: sapi/fpm/fpm/zlog.c, sapi_cgi_log_fastcgi in sapi/fpm/fpm/fpm_main.c.

use std::io::{self, Write};
use std::panic::Location;
use std::path::Path;

use fpm_conf::LogLevel;

/// Longest text of one of our own messages in bytes; PHP's messages are bounded by `log_limit` alone.
const MESSAGE_MAX: usize = 2048;

/// What stands between two texts of one request in the STDERR stream.
pub const MIRROR_SEPARATOR: &[u8] = b"; ";

const CUT: &[u8] = b"...";

/// What tells the master that the output of a request ends here, so that a text without line feed does not run into the next.
const FLUSH_MARK: &[u8] = b"\0fscf\0";

/// Stands in front of a request's name, which a NUL ends, where the master wants to know it. capture.rs of fpm-master reads it.
const REQUEST_MARK: &[u8] = b"\0freq:";

/// Whether anybody wants to know where the output of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushMarks {
    /// The master, which catches the worker's output.
    Written,
    /// The master, which wants to know the names of requests too (`log_format = json`).
    Named,
    /// Nobody.
    None,
}

impl FlushMarks {
    /// Says which request begins.
    pub(crate) fn name(self, request: &[u8]) {
        if self == FlushMarks::Named {
            write_to_stderr(&[REQUEST_MARK, request, b"\0"].concat());
        }
    }

    /// Says that a request is over.
    pub(crate) fn mark(self) {
        if self != FlushMarks::None {
            write_to_stderr(FLUSH_MARK);
        }
    }
}

/// The log of a worker: its settings. Lines go to stderr, one write each; a failure to write has nobody to be told to.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// `log_level`.
    pub level: LogLevel,
    /// `log_limit`, in bytes: longest line, line feed included.
    pub limit: usize,
}

impl Log {
    /// Writes a message of ours.
    #[track_caller]
    pub fn message(&self, level: LogLevel, text: &[u8]) {
        if let Some(line) = self.message_line(level, text, None, Location::caller()) {
            write_to_stderr(&line);
        }
    }

    /// Writes a message of ours at level ERROR, with the system error behind it.
    #[track_caller]
    pub fn system_error(&self, text: &[u8], error: &io::Error) {
        let line = self.message_line(LogLevel::Error, text, Some(error), Location::caller());
        if let Some(line) = line {
            write_to_stderr(&line);
        }
    }

    /// Tells whether a message of ours is for the web server too. Its log is where people look for `Primary script unknown`, which
    /// is a debugging message here: only who wants to hear of nothing but alerts is spared it.
    pub(crate) fn mirrors(&self, level: LogLevel) -> bool {
        self.level < LogLevel::Alert || level == LogLevel::Alert
    }

    /// Writes a message of PHP (`error_log()`, or an error while ini `error_log` is unset) and returns its copy for the web server.
    #[track_caller]
    pub fn php_message(&self, message: &[u8]) -> Vec<u8> {
        let mut line = self.php_line(message, Location::caller());
        line.bytes.push(b'\n');
        write_to_stderr(&line.bytes);
        line.bytes.pop();
        line.bytes.split_off(line.text_at)
    }

    /// Formats one of our own messages, or nothing when its level is too low.
    fn message_line(
        &self,
        level: LogLevel,
        text: &[u8],
        error: Option<&io::Error>,
        place: &Location<'_>,
    ) -> Option<Vec<u8>> {
        if level < self.level {
            return None;
        }
        let mut line = self.prefix(level, place);
        line.extend_from_slice(text);
        let mut too_long = line.len() >= MESSAGE_MAX;
        if let (false, Some(error)) = (too_long, error) {
            line.extend_from_slice(error_suffix(error).as_bytes());
            too_long = line.len() >= self.limit;
        }
        if too_long {
            // The line feed counts.
            cut(&mut line, self.limit.min(MESSAGE_MAX) - 1);
        }
        line.push(b'\n');
        Some(line)
    }

    /// Formats a message of PHP without its line feed. It is never filtered; a `log_level` above NOTICE only takes the level away.
    fn php_line(&self, message: &[u8], place: &Location<'_>) -> PhpLine {
        let mut bytes = if self.level <= LogLevel::Notice {
            self.prefix(LogLevel::Notice, place)
        } else {
            Vec::new()
        };
        let text_at = bytes.len();
        bytes.extend_from_slice(b"PHP message: ");
        bytes.extend_from_slice(message);
        if bytes.len() >= self.limit {
            cut(&mut bytes, self.limit - 1);
        }
        PhpLine { bytes, text_at }
    }

    fn prefix(&self, level: LogLevel, place: &Location<'_>) -> Vec<u8> {
        if self.level > LogLevel::Debug {
            return format!("{}: ", level.name()).into_bytes();
        }
        let module = Path::new(place.file()).file_stem().unwrap_or_default();
        format!(
            "{}: {}(), line {}: ",
            level.name(),
            module.to_string_lossy(),
            place.line()
        )
        .into_bytes()
    }
}

/// A formatted message of PHP and where its text begins behind the level.
struct PhpLine {
    bytes: Vec<u8>,
    text_at: usize,
}

/// Returns the copy of one of our own messages for the web server.
pub fn mirrored(text: &[u8]) -> Vec<u8> {
    let mut copy = text.to_vec();
    if copy.len() >= MESSAGE_MAX {
        cut(&mut copy, MESSAGE_MAX);
    }
    copy
}

/// Returns the system's own words for an error: `No such file or directory`.
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    let Some(errno) = error.raw_os_error() else {
        return text;
    };
    match text.strip_suffix(&format!(" (os error {errno})")) {
        Some(words) => words.to_owned(),
        None => text,
    }
}

fn error_suffix(error: &io::Error) -> String {
    let errno = error.raw_os_error().unwrap_or_default();
    format!(": {} ({errno})", error_text(error))
}

/// Cuts `line` to `len` bytes, the last three of which say so.
fn cut(line: &mut Vec<u8>, len: usize) {
    line.truncate(len.saturating_sub(CUT.len()));
    line.extend_from_slice(CUT);
}

fn write_to_stderr(line: &[u8]) {
    // Nobody can be told that telling has failed.
    let _unwritten = io::stderr().write_all(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(level: LogLevel, limit: usize) -> Log {
        Log { level, limit }
    }

    #[track_caller]
    fn line(log: Log, level: LogLevel, text: &str) -> Option<String> {
        log.message_line(level, text.as_bytes(), None, Location::caller())
            .map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    #[test]
    fn levels() {
        let notice = log(LogLevel::Notice, 1024);
        assert_eq!(line(notice, LogLevel::Debug, "x"), None);
        assert_eq!(
            line(notice, LogLevel::Error, "x").as_deref(),
            Some("ERROR: x\n")
        );
        let debug = line(log(LogLevel::Debug, 1024), LogLevel::Debug, "x").unwrap();
        assert!(
            debug.starts_with("DEBUG: log(), line ") && debug.ends_with(": x\n"),
            "{debug}"
        );
    }

    #[test]
    fn only_alert_spares_the_web_server() {
        use LogLevel::{Alert, Debug, Error, Notice};
        for (configured, level, mirrored) in [
            (Debug, Debug, true),
            (Notice, Debug, true),
            (Error, Debug, true),
            (Alert, Debug, false),
            (Alert, Error, false),
            (Alert, Alert, true),
        ] {
            assert_eq!(log(configured, 1024).mirrors(level), mirrored);
        }
    }

    #[test]
    fn system_errors() {
        let log = log(LogLevel::Notice, 512);
        let place = Location::caller();
        let error = io::Error::from_raw_os_error(2);
        let line = log.message_line(LogLevel::Error, b"open(x)", Some(&error), place);
        assert_eq!(
            line.as_deref(),
            Some(&b"ERROR: open(x): No such file or directory (2)\n"[..])
        );
        let line = log.message_line(LogLevel::Error, &[b'x'; 500], Some(&error), place);
        let line = line.unwrap();
        assert_eq!(line.len(), 512);
        assert!(line.ends_with(b"x:...\n"));
        assert_eq!(error_text(&error), "No such file or directory");
    }

    #[test]
    fn own_messages_are_cut_late() {
        // Between log_limit and 2048 bytes they are left alone.
        for (len, expected) in [(1500, 1508), (2040, 2048), (2041, 1024), (5000, 1024)] {
            let line = line(
                log(LogLevel::Notice, 1024),
                LogLevel::Error,
                &"x".repeat(len),
            );
            assert_eq!(line.unwrap().len(), expected, "{len}");
        }
        assert_eq!(mirrored(&[b'x'; 2047]).len(), 2047);
        assert_eq!(mirrored(&[b'x'; 4000]).len(), 2048);
        assert!(mirrored(&[b'x'; 2048]).ends_with(b"x..."));
    }

    #[track_caller]
    fn php(log: Log, message: &str) -> (String, String) {
        let line = log.php_line(message.as_bytes(), Location::caller());
        let text = String::from_utf8(line.bytes).unwrap();
        let copy = text[line.text_at..].to_owned();
        (text, copy)
    }

    #[test]
    fn php_messages() {
        let (line, copy) = php(log(LogLevel::Notice, 1024), "hello");
        assert_eq!(line, "NOTICE: PHP message: hello");
        assert_eq!(copy, "PHP message: hello");
        // Not filtered, but without its level.
        let (line, copy) = php(log(LogLevel::Error, 1024), "hello");
        assert_eq!(line, "PHP message: hello");
        assert_eq!(copy, line);
    }

    #[test]
    fn php_messages_are_cut_to_the_limit() {
        let (line, copy) = php(log(LogLevel::Notice, 2048), &"x".repeat(4000));
        assert_eq!(
            line,
            format!("NOTICE: PHP message: {}...", "x".repeat(2023))
        );
        assert_eq!(copy, line["NOTICE: ".len()..]);
        let prefix = "NOTICE: PHP message: ".len();
        for (len, expected) in [(1023 - prefix, 1023), (1024 - prefix, 1023)] {
            let (line, _) = php(log(LogLevel::Notice, 1024), &"x".repeat(len));
            assert_eq!(line.len(), expected);
            assert_eq!(line.ends_with("..."), len == 1024 - prefix);
        }
    }
}
