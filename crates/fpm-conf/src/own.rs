//! Values of the directives that php-fpm does not have.
//!
//! A changer must know: a file that uses none of these directives means what it means to php-fpm, and its `-tt` dump shows
//! none of them.

use std::fmt;
use std::str::FromStr;

use bstr::{BStr, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::value::{self, Reason};

/// A part of a pool's workers. `reload.surge`: how many there may be beyond `pm.max_children` while a reload replaces them;
/// `pm.max_recycling`: how many may end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Portion {
    /// This many per cent of `pm.max_children`, 0 to 100.
    Percent(u32),
    /// This many workers.
    Workers(u32),
}

impl Portion {
    /// What `reload.surge` is unless it is set.
    pub const SURGE: Portion = Portion::Percent(25);

    /// Returns the number of workers for a pool with this `pm.max_children`. Parts of a worker count as one.
    #[must_use]
    pub fn workers(self, max_children: u32) -> u32 {
        match self {
            Self::Percent(percent) => {
                let hundredths = u64::from(max_children) * u64::from(percent);
                u32::try_from(hundredths.div_ceil(100)).unwrap_or(u32::MAX)
            }
            Self::Workers(workers) => workers,
        }
    }

    /// Reads `25%` or `4`.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        let portion = match value.strip_suffix(b"%") {
            Some(percent) => digits(percent)
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => digits(value).map(Self::Workers),
        };
        portion.ok_or("must be a number of workers, or a percentage from 0% to 100%")
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Percent(percent) => format!("{percent}%"),
            Self::Workers(workers) => workers.to_string(),
        }
    }
}

/// Reads the number of requests of `pm.max_requests_jitter`.
pub(crate) fn requests(value: &BStr) -> Result<u32, Reason> {
    digits(value).ok_or("must be a number of requests")
}

/// Reads bytes, as `512M`: digits, and K, M or G for 1024, 1024² or 1024³ of them.
pub(crate) fn bytes(value: &BStr) -> Result<u64, Reason> {
    let (number, unit): (_, u64) = match value.split_last() {
        Some((b'k' | b'K', number)) => (number, 1 << 10),
        Some((b'm' | b'M', number)) => (number, 1 << 20),
        Some((b'g' | b'G', number)) => (number, 1 << 30),
        _ => (value.as_bytes(), 1),
    };
    digits::<u64>(number)
        .and_then(|number| number.checked_mul(unit))
        .ok_or("must be a number of bytes, with K, M or G if that is meant")
}

/// `pm.crash_budget`: how many workers of a pool may crash in which time until it gets no new ones for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashBudget {
    /// So many workers.
    pub crashes: u32,
    /// In so many seconds, never 0.
    pub seconds: u32,
}

impl CrashBudget {
    /// Reads `5/1m`.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        let reason = "must be a number of workers and a time, such as 5/1m";
        let (crashes, time) = value.split_once_str("/").ok_or(reason)?;
        let seconds = value::time(time.as_bstr()).map_err(|_| reason)?;
        // What reads times looks at their last character only.
        let (_, number) = time.split_last().ok_or(reason)?;
        if !number.iter().all(u8::is_ascii_digit) {
            return Err(reason);
        }
        match (digits(crashes), u32::try_from(seconds)) {
            (Some(crashes), Ok(seconds @ 1..)) => Ok(Self { crashes, seconds }),
            _ => Err(reason),
        }
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(self) -> String {
        format!("{}/{}s", self.crashes, self.seconds)
    }
}

/// `shutdown_on_term`: what SIGTERM means to the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TermMeans {
    /// `fast`: requests that run are cut off, as with php-fpm.
    #[default]
    Fast,
    /// `graceful`: requests that run are finished, as with SIGQUIT.
    Graceful,
}

impl TermMeans {
    /// Reads the word, in any case.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        [Self::Fast, Self::Graceful]
            .into_iter()
            .find(|means| value.eq_ignore_ascii_case(means.name().as_bytes()))
            .ok_or("invalid kind of shutdown (fast or graceful)")
    }

    /// Returns the name as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Graceful => "graceful",
        }
    }
}

/// `log_format`: what a line of the error log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LogFormat {
    /// `fpm`: `[date] LEVEL: text`, as php-fpm writes it.
    #[default]
    Fpm,
    /// `json`: one JSON object.
    Json,
}

impl LogFormat {
    /// Reads the word, in any case.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        [Self::Fpm, Self::Json]
            .into_iter()
            .find(|format| value.eq_ignore_ascii_case(format.name().as_bytes()))
            .ok_or("invalid log format (fpm or json)")
    }

    /// Returns the name as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fpm => "fpm",
            Self::Json => "json",
        }
    }
}

/// A part of something, in hundredths of it: `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Percent(pub u32);

impl Percent {
    /// Reads `50%`, up to `100%`.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        value
            .strip_suffix(b"%")
            .and_then(digits)
            .filter(|percent| *percent <= 100)
            .map(Self)
            .ok_or("must be a percentage from 0% to 100%")
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// Reads digits and nothing else.
pub(crate) fn digits<N: FromStr>(text: &[u8]) -> Option<N> {
    let text = text.to_str().ok()?;
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_a_number_or_a_percentage() {
        let invalid = Err("must be a number of workers, or a percentage from 0% to 100%");
        for (text, expected) in [
            ("25%", Ok(Portion::Percent(25))),
            ("0%", Ok(Portion::Percent(0))),
            ("100%", Ok(Portion::Percent(100))),
            ("0", Ok(Portion::Workers(0))),
            ("300", Ok(Portion::Workers(300))),
            ("101%", invalid),
            ("", invalid),
            ("%", invalid),
            ("-1", invalid),
            ("+1", invalid),
            ("2.5", invalid),
            ("25 %", invalid),
            ("25%%", invalid),
            ("4294967296", invalid),
        ] {
            assert_eq!(Portion::parse(text.into()), expected, "{text}");
        }
    }

    #[test]
    fn a_crash_budget_is_a_number_in_a_time() {
        let invalid = Err("must be a number of workers and a time, such as 5/1m");
        for (text, expected) in [
            ("5/1m", Ok((5, 60))),
            ("0/30", Ok((0, 30))),
            ("5", invalid),
            ("5/", invalid),
            ("/1m", invalid),
            ("5/0s", invalid),
            ("5/-1s", invalid),
            ("-5/1m", invalid),
            ("5 / 1m", invalid),
            ("5/1m/2", invalid),
        ] {
            let budget = CrashBudget::parse(text.into());
            let budget = budget.map(|budget| (budget.crashes, budget.seconds));
            assert_eq!(budget, expected, "{text}");
        }
    }

    #[test]
    fn bytes_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("1k", Some(1024)),
            ("256M", Some(256 << 20)),
            ("8589934592", Some(8 << 30)),
            ("4294967295G", Some(u64::from(u32::MAX) << 30)),
            ("99999999999999G", None),
            ("", None),
            ("M", None),
            ("-1M", None),
            ("1.5G", None),
            ("1T", None),
            ("1 M", None),
        ] {
            assert_eq!(bytes(text.into()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_worker_counts_as_one() {
        for (portion, max_children, expected) in [
            (Portion::Percent(25), 4, 1),
            (Portion::Percent(25), 1, 1),
            (Portion::Percent(25), 10, 3),
            (Portion::Percent(0), 10, 0),
            (Portion::Percent(100), u32::MAX, u32::MAX),
            (Portion::Workers(0), 10, 0),
            (Portion::Workers(50), 10, 50),
        ] {
            assert_eq!(portion.workers(max_children), expected, "{portion:?}");
        }
    }

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(TermMeans::parse("Graceful".into()), Ok(TermMeans::Graceful));
        assert_eq!(TermMeans::parse("fast".into()), Ok(TermMeans::Fast));
        assert!(TermMeans::parse("".into()).is_err());
        assert_eq!(LogFormat::parse("JSON".into()), Ok(LogFormat::Json));
        assert_eq!(LogFormat::parse("fpm".into()), Ok(LogFormat::Fpm));
        assert!(LogFormat::parse("json5".into()).is_err());
    }
}
