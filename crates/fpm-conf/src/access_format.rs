//! Checks `access.format` before the first request is logged with it.
//!
//! A changer must know: the letters here are those that the worker's access log writes; both change together.
//!
//! Original: sapi/fpm/fpm/fpm_log.c (`fpm_log_write` in test mode)

use bstr::{BStr, BString, ByteSlice};

use crate::report::text;

/// Longest modifier that counts, in bytes; the rest of a longer one is ignored.
pub(crate) const LONGEST_MODIFIER: usize = 128;

/// Checks a format.
///
/// # Errors
/// Something is wrong with it; the text is the warning to log.
pub(crate) fn check(format: &BStr) -> Result<(), BString> {
    let mut rest = format.as_bytes();
    while let Some(percent) = rest.find_byte(b'%') {
        rest = &rest[percent + 1..];
        let mut modifier: &[u8] = b"";
        // Braces may come more than once; the last pair counts.
        while let Some(inside) = rest.strip_prefix(b"{") {
            let end = inside.find_byte(b'}').filter(|end| end + 1 < inside.len());
            let Some(end) = end else {
                return Err("missing closing embrace in the access.format".into());
            };
            modifier = &inside[..end.min(LONGEST_MODIFIER)];
            rest = &inside[end + 1..];
        }
        let Some((&letter, after)) = rest.split_first() else {
            return Ok(());
        };
        specifier(letter, modifier)?;
        rest = after;
    }
    Ok(())
}

fn specifier(letter: u8, modifier: &[u8]) -> Result<(), BString> {
    let one_of = |allowed: &[&str]| {
        modifier.is_empty()
            || allowed
                .iter()
                .any(|word| modifier.eq_ignore_ascii_case(word.as_bytes()))
    };
    let only = |words: &str| {
        Err(text!(
            "only ",
            words,
            " are allowed as a modifier for %",
            [letter],
            " ('",
            modifier,
            "')"
        ))
    };
    match letter {
        b'C' if !one_of(&["total", "user", "system"]) => only("'total', 'user' or 'system'"),
        b'd' if !one_of(&DURATIONS) => {
            only("'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds'")
        }
        b'M' if !one_of(&["bytes", "kilobytes", "kilo", "megabytes", "mega"]) => {
            only("'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes'")
        }
        b'e' if modifier.is_empty() => {
            Err("the name of the environment variable must be set between embraces for %e".into())
        }
        b'o' if modifier.is_empty() => {
            Err("the name of the header must be set between embraces for %o".into())
        }
        b'C' | b'd' | b'M' | b'e' | b'o' | b't' | b'T' => Ok(()),
        b'%' | b'f' | b'l' | b'm' | b'n' | b'p' | b'P' | b'q' | b'Q' | b'r' | b'R' | b's'
        | b'u' => {
            if modifier.is_empty() {
                Ok(())
            } else {
                Err(text!("embrace is not allowed for modifier %", [letter]))
            }
        }
        _ => Err(text!(
            "Invalid token in the access.format (%",
            [letter],
            ")"
        )),
    }
}

/// `mili` and `miliseconds` are old misspellings that still work.
const DURATIONS: [&str; 7] = [
    "seconds",
    "milliseconds",
    "milli",
    "miliseconds",
    "mili",
    "microseconds",
    "micro",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_pass() {
        for format in [
            "",
            "plain",
            "%R - %u %t \"%m %r%Q%q\" %s %f %{milli}d %{kilo}M %C%%",
            "%{REMOTE_ADDR}e %{Content-Type}o %{%H:%M}t %{}d",
            "%{User}C %{MILI}d",
            "ends in %",
            "%{total}{user}C",
        ] {
            assert_eq!(check(format.into()), Ok(()), "{format}");
        }
    }

    #[test]
    fn formats_that_do_not() {
        for (format, warning) in [
            ("%z", "Invalid token in the access.format (%z)"),
            ("%{x}z", "Invalid token in the access.format (%z)"),
            (
                "%e",
                "the name of the environment variable must be set between embraces for %e",
            ),
            (
                "%{}o",
                "the name of the header must be set between embraces for %o",
            ),
            ("%{x}m", "embrace is not allowed for modifier %m"),
            ("%{x}%", "embrace is not allowed for modifier %%"),
            (
                "%{x}C",
                "only 'total', 'user' or 'system' are allowed as a modifier for %C ('x')",
            ),
            (
                "%{hour}d",
                "only 'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds' are allowed as a modifier for %d ('hour')",
            ),
            (
                "%{x}M",
                "only 'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes' are allowed as a modifier for %M ('x')",
            ),
            ("%{abc", "missing closing embrace in the access.format"),
            ("%{abc}", "missing closing embrace in the access.format"),
            ("%{", "missing closing embrace in the access.format"),
        ] {
            assert_eq!(check(format.into()), Err(warning.into()), "{format}");
        }
    }
}
