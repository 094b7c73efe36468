//! The format of a log line, as a pure function.
//!
//! Original: sapi/fpm/fpm/zlog.c (`vzlog`, `zlog_print_time`)

use std::time::Duration;

use bstr::BStr;
use fpm_conf::LogLevel;
use fpm_os::clock::{LocalTime, local_time};

/// The original formats lines into a buffer of this size.
const BUFFER: usize = 2048;

const MONTHS: [&str; 12] = [
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

/// Puts a line together, line feed included. A line longer than the original's buffer is cut to `limit` bytes and ends in
/// `...`.
pub(super) fn compose(
    level: LogLevel,
    configured: LogLevel,
    since_1970: Duration,
    place: Place<'_>,
    text: &BStr,
    limit: usize,
) -> Vec<u8> {
    let mut line = prefix(level, configured, since_1970, place).into_bytes();
    line.extend_from_slice(text);
    let limit = limit.min(BUFFER);
    if line.len() >= BUFFER {
        line.truncate(limit.saturating_sub(4));
        line.extend_from_slice(b"...");
    }
    line.push(b'\n');
    line
}

/// Puts a line for syslog together, which adds the time itself.
pub(super) fn for_syslog(
    level: LogLevel,
    configured: LogLevel,
    place: Place<'_>,
    text: &BStr,
) -> Vec<u8> {
    let mut line = format!("[{}] ", level.name()).into_bytes();
    if configured == LogLevel::Debug {
        line.extend_from_slice(format!("{}(), line {}: ", place.function, place.line).as_bytes());
    }
    line.extend_from_slice(text);
    line
}

/// Returns what stands in front of the text: time and level, and when debugging who wrote it.
pub(super) fn prefix(
    level: LogLevel,
    configured: LogLevel,
    since_1970: Duration,
    place: Place<'_>,
) -> String {
    let LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = local_time(since_1970);
    let month = MONTHS
        .get(usize::from(month.saturating_sub(1)))
        .copied()
        .unwrap_or_default();
    let time = format!("{day:02}-{month}-{year} {hour:02}:{minute:02}:{second:02}");
    let level = level.name();
    if configured > LogLevel::Debug {
        return format!("[{time}] {level}: ");
    }
    let (micros, pid) = (since_1970.subsec_micros(), std::process::id());
    format!(
        "[{time}.{micros:06}] {level}: pid {pid}, {}(), line {}: ",
        place.function, place.line
    )
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
        let line = compose(
            level,
            configured,
            NOON,
            place,
            text.as_bytes().as_bstr(),
            limit,
        );
        String::from_utf8(line).unwrap()
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
    fn lines_for_syslog_have_no_time() {
        let place = Place {
            function: "workers",
            line: 17,
        };
        let line = |configured| {
            for_syslog(LogLevel::Error, configured, place, "no".into())
                .as_bstr()
                .to_owned()
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
