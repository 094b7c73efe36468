//! The format of a log line, as a pure function.
//!
//! Original: sapi/fpm/fpm/zlog.c (`vzlog`, `zlog_print_time`)

use std::time::Duration;

use bstr::BStr;
use fpm_conf::LogLevel;
use fpm_os::clock::{LocalTime, local_time};

use super::json;

/// Ends a colour.
const RESET: &str = "\x1b[0m";

/// The original formats lines into a buffer of this size.
const BUFFER: usize = 2048;

/// The C library's names of months.
pub(super) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Where in the program a line was written; shown when debugging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Its function, or what is nearest to it that is known: the module.
    pub(super) function: &'a str,
    /// The line in its file.
    pub(super) line: u32,
}

impl Default for Place<'_> {
    fn default() -> Self {
        Place {
            function: "main",
            line: 0,
        }
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As php-fpm's.
    Plain,
    /// For people at a terminal: coloured levels, and seconds since this moment (since 1970).
    Terminal(Duration),
    /// `log_format = json`.
    Json,
}

/// One message on its way to the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) level: LogLevel,
    /// `log_level`.
    pub(super) configured: LogLevel,
    /// When it is written, since 1970.
    pub(super) now: Duration,
    pub(super) place: Place<'a>,
    pub(super) text: &'a BStr,
}

/// Puts a line together, line feed included. A plain line that is longer than the original's buffer is cut to `limit` bytes and
/// ends in `...`.
pub(super) fn compose(form: Form, record: &Record<'_>, limit: usize) -> Vec<u8> {
    if form == Form::Json {
        return json::message(record);
    }
    let mut line = prefix(form, record).into_bytes();
    line.extend_from_slice(record.text);
    let limit = limit.min(BUFFER);
    if line.len() >= BUFFER && form == Form::Plain {
        line.truncate(limit.saturating_sub(4));
        line.extend_from_slice(b"...");
    }
    line.push(b'\n');
    line
}

/// Puts a line for syslog together, which adds the time itself.
pub(super) fn for_syslog(record: &Record<'_>) -> Vec<u8> {
    let mut line = format!("[{}] ", record.level.name()).into_bytes();
    if record.configured == LogLevel::Debug {
        let Place {
            function,
            line: number,
        } = record.place;
        line.extend_from_slice(format!("{function}(), line {number}: ").as_bytes());
    }
    line.extend_from_slice(record.text);
    line
}

/// Returns what stands in front of the text: time and level, and when debugging who wrote it.
pub(super) fn prefix(form: Form, record: &Record<'_>) -> String {
    let Record {
        level,
        configured,
        now,
        place,
        ..
    } = *record;
    let name = level.name();
    let place = match configured {
        LogLevel::Debug => {
            let pid = std::process::id();
            format!("pid {pid}, {}(), line {}: ", place.function, place.line)
        }
        _ => String::new(),
    };
    if let Form::Terminal(started) = form {
        let since = now.saturating_sub(started).as_secs_f64();
        return format!("{since:9.3} {}{name}{RESET}: {place}", colour(level));
    }
    let LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = local_time(now);
    let month = MONTHS
        .get(usize::from(month.saturating_sub(1)))
        .copied()
        .unwrap_or_default();
    let time = format!("{day:02}-{month}-{year} {hour:02}:{minute:02}:{second:02}");
    match configured {
        LogLevel::Debug => format!("[{time}.{:06}] {name}: {place}", now.subsec_micros()),
        _ => format!("[{time}] {name}: "),
    }
}

/// Returns what colours the name of a level (ECMA-48, SGR).
fn colour(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "\x1b[2m",
        LogLevel::Notice => "\x1b[32m",
        LogLevel::Warning => "\x1b[33m",
        LogLevel::Error | LogLevel::Alert => "\x1b[1;31m",
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    const NOON: Duration = Duration::new(1_795_262_893, 12_345_000);

    fn line(level: LogLevel, configured: LogLevel, text: &str, limit: usize) -> String {
        let place = Place {
            function: "workers",
            line: 17,
        };
        let record = Record {
            level,
            configured,
            now: NOON,
            place,
            text: text.as_bytes().as_bstr(),
        };
        String::from_utf8(compose(Form::Plain, &record, limit)).unwrap()
    }

    /// Blanks out what depends on the time zone.
    fn without_time(line: &str) -> String {
        line.chars()
            .enumerate()
            .map(|(at, c)| if (13..21).contains(&at) { '.' } else { c })
            .collect()
    }

    #[test]
    fn lines_look_like_the_originals() {
        let short = line(LogLevel::Warning, LogLevel::Notice, "text", 1024);
        assert!(
            short.starts_with('[') && short[3..].starts_with("-Nov-2026 "),
            "{short}"
        );
        assert_eq!(&without_time(&short)[12..], " ........] WARNING: text\n");
        let pid = std::process::id();
        let long = line(LogLevel::Debug, LogLevel::Debug, "text", 1024);
        let expected = format!(" .........012345] DEBUG: pid {pid}, workers(), line 17: text\n");
        assert_eq!(&without_time(&long)[12..], expected);
    }

    #[test]
    fn lines_for_people_have_colours_and_the_time_since_the_start() {
        let record = Record {
            level: LogLevel::Warning,
            configured: LogLevel::Notice,
            now: NOON,
            place: Place::default(),
            text: "text".into(),
        };
        let form = Form::Terminal(NOON - Duration::from_millis(61_500));
        assert_eq!(
            compose(form, &record, 1024).as_bstr(),
            "   61.500 \x1b[33mWARNING\x1b[0m: text\n"
        );
    }

    #[test]
    fn lines_for_syslog_have_no_time() {
        let place = Place {
            function: "workers",
            line: 17,
        };
        let line = |configured| {
            let record = Record {
                level: LogLevel::Error,
                configured,
                now: NOON,
                place,
                text: "no".into(),
            };
            for_syslog(&record).as_bstr().to_owned()
        };
        assert_eq!(line(LogLevel::Notice), "[ERROR] no");
        assert_eq!(line(LogLevel::Debug), "[ERROR] workers(), line 17: no");
    }

    #[test]
    fn only_lines_longer_than_the_originals_buffer_are_cut() {
        let fits = line(LogLevel::Error, LogLevel::Notice, &"x".repeat(2000), 1024);
        assert!(fits.len() > 2000);
        let cut = line(LogLevel::Error, LogLevel::Notice, &"x".repeat(2048), 1024);
        assert_eq!(cut.len(), 1024);
        assert!(cut.ends_with("x...\n"));
        assert_eq!(
            line(
                LogLevel::Error,
                LogLevel::Notice,
                &"x".repeat(9000),
                100_000
            )
            .len(),
            2048
        );
    }
}
