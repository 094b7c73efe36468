//! Text of a value → number, time, yes or no …, with the error texts of each kind.
//!
//! A changer must know: the texts are php-fpm's; where they say something odd, they say it on purpose.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_set_*`)

use bstr::{BStr, BString, ByteSlice};

use crate::ini::integer;
use crate::{LogLevel, Pm};

/// Says what is wrong with a value.
pub(crate) type Reason = &'static str;

/// Replaces `$pool` by the pool's name; without a pool there is nothing to put there.
///
/// The original looks again at what it has put in, and never ends when a pool is called `$pool`.
pub(crate) fn string(value: &BStr, pool: Option<&BStr>) -> Result<BString, Reason> {
    if value.find("$pool").is_none() {
        return Ok(value.to_owned());
    }
    let pool = pool.ok_or("Can't use '$pool' when the pool is not defined")?;
    Ok(value.replace("$pool", pool).into())
}

/// Reads a number: digits, a minus in front of them, or nothing at all.
pub(crate) fn number(value: &BStr) -> Result<i32, Reason> {
    if value
        .strip_prefix(b"-")
        .unwrap_or(value)
        .iter()
        .all(u8::is_ascii_digit)
    {
        Ok(integer(value))
    } else {
        Err("is not a valid number (greater or equal than zero)")
    }
}

/// Reads a time in seconds; only the last character is checked.
pub(crate) fn time(value: &BStr) -> Result<i32, Reason> {
    let (&suffix, rest) = value.split_last().ok_or("invalid time value")?;
    match suffix {
        b's' => Ok(integer(rest)),
        b'm' => Ok(integer(rest).wrapping_mul(60)),
        b'h' => Ok(integer(rest).wrapping_mul(60 * 60)),
        b'd' => Ok(integer(rest).wrapping_mul(24 * 60 * 60)),
        b'0'..=b'9' => Ok(integer(value)),
        _ => Err("unknown suffix used in time value"),
    }
}

/// Reads a yes or a no. Unquoted words have become `1` or nothing before; this is for quoted ones and variables.
pub(crate) fn boolean(value: &BStr) -> Result<bool, Reason> {
    match value.as_bytes() {
        b"1" | b"yes" | b"true" | b"on" => Ok(true),
        b"" | b"0" | b"no" | b"none" | b"false" | b"off" => Ok(false),
        _ => Err("invalid boolean value"),
    }
}

/// Reads a log level.
pub(crate) fn log_level(value: &BStr) -> Result<LogLevel, Reason> {
    let levels = [
        ("debug", LogLevel::Debug),
        ("notice", LogLevel::Notice),
        ("warning", LogLevel::Warning),
        ("warn", LogLevel::Warning),
        ("error", LogLevel::Error),
        ("alert", LogLevel::Alert),
    ];
    choice(value, &levels).ok_or("invalid value for 'log_level'")
}

/// Reads a syslog facility as syslog(3) codes it.
pub(crate) fn facility(value: &BStr) -> Result<i32, Reason> {
    let names = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4",
        "local5", "local6", "local7",
    ];
    let found = (0..)
        .zip(names)
        .find(|(_, name)| !name.is_empty() && value.eq_ignore_ascii_case(name.as_bytes()));
    found
        .map(|(number, _): (i32, _)| number << 3)
        .ok_or("invalid value")
}

/// Reads a limit for core files: −1 stands for no limit.
pub(crate) fn core_limit(value: &BStr) -> Result<i32, Reason> {
    if value.eq_ignore_ascii_case(b"unlimited") {
        return Ok(-1);
    }
    match number(value)? {
        limit @ 0.. => Ok(limit),
        _ => Err("must be greater than zero or 'unlimited'"),
    }
}

/// Reads the kind of process manager.
pub(crate) fn pm(value: &BStr) -> Result<Pm, Reason> {
    let kinds = [
        ("static", Pm::Static),
        ("dynamic", Pm::Dynamic),
        ("ondemand", Pm::Ondemand),
    ];
    choice(value, &kinds).ok_or("invalid process manager (static, dynamic or ondemand)")
}

fn choice<T: Copy>(value: &BStr, choices: &[(&str, T)]) -> Option<T> {
    choices
        .iter()
        .find(|(name, _)| value.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, choice)| *choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_like_atoi() {
        for (text, expected) in [
            ("", Ok(0)),
            ("-", Ok(0)),
            ("-5", Ok(-5)),
            ("007", Ok(7)),
            ("2147483648", Ok(i32::MIN)),
            ("4294967297", Ok(1)),
            ("99999999999999999999", Ok(-1)),
            ("-99999999999999999999", Ok(0)),
            ("--5", Err(())),
            ("+5", Err(())),
            ("5k", Err(())),
            (" 5", Err(())),
        ] {
            assert_eq!(number(text.into()).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("10", Ok(10)),
            ("10s", Ok(10)),
            ("2m", Ok(120)),
            ("3h", Ok(10_800)),
            ("1d", Ok(86_400)),
            ("s", Ok(0)),
            ("-3s", Ok(-3)),
            ("1e5", Ok(1)),
            ("99999d", Ok(99_999i32.wrapping_mul(86_400))),
            ("", Err("invalid time value")),
            ("10S", Err("unknown suffix used in time value")),
            ("10ms ", Err("unknown suffix used in time value")),
        ] {
            assert_eq!(time(text.into()), expected, "{text}");
        }
    }

    #[test]
    fn booleans_are_lower_case() {
        assert_eq!(boolean("on".into()), Ok(true));
        assert_eq!(boolean("none".into()), Ok(false));
        assert_eq!(boolean("On".into()), Err("invalid boolean value"));
    }

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(log_level("WARN".into()), Ok(LogLevel::Warning));
        assert_eq!(facility("Local7".into()), Ok(184));
        assert_eq!(facility("".into()), Err("invalid value"));
        assert_eq!(core_limit("Unlimited".into()), Ok(-1));
        assert_eq!(
            core_limit("-1".into()),
            Err("must be greater than zero or 'unlimited'")
        );
        assert_eq!(pm("OnDemand".into()), Ok(Pm::Ondemand));
    }

    #[test]
    fn the_pool_is_named_wherever_it_is_asked_for() {
        assert_eq!(
            string("/$pool/$pool.sock".into(), Some("a".into())),
            Ok("/a/a.sock".into())
        );
        assert_eq!(
            string("$pool".into(), Some("$pool".into())),
            Ok("$pool".into())
        );
        assert_eq!(
            string("$pool".into(), None),
            Err("Can't use '$pool' when the pool is not defined")
        );
    }
}
