//! `access.format`, taken apart once.

use std::ffi::CString;

use bstr::{BStr, ByteSlice};

/// Longest modifier that counts, in bytes; the rest of a longer one is ignored.
const LONGEST_MODIFIER: usize = 128;

/// A format, ready to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) parts: Vec<Part>,
}

/// What stands next to each other in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A text of the format itself.
    Literal(Vec<u8>),
    /// `%C`
    Cpu(Share),
    /// `%d`
    Duration(Unit),
    /// `%{NAME}e`
    Param(Vec<u8>),
    /// `%f`
    Script,
    /// `%l`
    ContentLength,
    /// `%m`
    Method,
    /// `%M`, and how many bytes count as one.
    Memory(u64),
    /// `%n`
    Pool,
    /// `%{Name}o`
    Header(Vec<u8>),
    /// `%p`
    Process,
    /// `%P`
    Parent,
    /// `%q`
    Query,
    /// `%Q`
    QuestionMark,
    /// `%r`
    Uri,
    /// `%R`
    Client,
    /// `%s`
    Status,
    /// `%t` and `%T`
    Time(Moment, Option<CString>),
    /// `%u`
    User,
}

/// Which CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Total,
    User,
    System,
}

/// In what a duration is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// Which time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// When the request began to arrive.
    Accepted,
    /// When the line is written.
    Logged,
}

impl Format {
    /// Takes a format apart. The configuration's check has refused what means nothing; here it shows nothing.
    pub(super) fn compile(format: &BStr) -> Format {
        let mut parts = Vec::new();
        let mut rest = format.as_bytes();
        while let Some(percent) = rest.find_byte(b'%') {
            literal(&mut parts, &rest[..percent]);
            rest = &rest[percent + 1..];
            let mut modifier: &[u8] = b"";
            // Braces may come more than once; the last pair counts.
            while let Some(inside) = rest.strip_prefix(b"{") {
                let end = inside.find_byte(b'}').unwrap_or(inside.len());
                modifier = &inside[..end.min(LONGEST_MODIFIER)];
                rest = inside.get(end + 1..).unwrap_or_default();
            }
            let Some((&letter, after)) = rest.split_first() else {
                return Format { parts };
            };
            match letter {
                b'%' => literal(&mut parts, b"%"),
                letter => parts.extend(part(letter, modifier)),
            }
            rest = after;
        }
        literal(&mut parts, rest);
        Format { parts }
    }

    /// Tells whether a line shows CPU time, which costs system calls to find out.
    pub(super) fn shows_cpu(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Cpu(_)))
    }
}

/// Adds a text to the end.
fn literal(parts: &mut Vec<Part>, text: &[u8]) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(before)) => before.extend_from_slice(text),
        _ => parts.push(Part::Literal(text.to_vec())),
    }
}

fn part(letter: u8, modifier: &[u8]) -> Option<Part> {
    let is = |words: &[&str]| {
        words
            .iter()
            .any(|word| modifier.eq_ignore_ascii_case(word.as_bytes()))
    };
    Some(match letter {
        b'C' if is(&["user"]) => Part::Cpu(Share::User),
        b'C' if is(&["system"]) => Part::Cpu(Share::System),
        b'C' => Part::Cpu(Share::Total),
        // `mili` and `miliseconds` are old misspellings that still work.
        b'd' if is(&["milli", "milliseconds", "mili", "miliseconds"]) => {
            Part::Duration(Unit::Milliseconds)
        }
        b'd' if is(&["micro", "microseconds"]) => Part::Duration(Unit::Microseconds),
        b'd' => Part::Duration(Unit::Seconds),
        b'e' => Part::Param(modifier.to_vec()),
        b'f' => Part::Script,
        b'l' => Part::ContentLength,
        b'm' => Part::Method,
        b'M' if is(&["kilo", "kilobytes"]) => Part::Memory(1 << 10),
        b'M' if is(&["mega", "megabytes"]) => Part::Memory(1 << 20),
        b'M' => Part::Memory(1),
        b'n' => Part::Pool,
        b'o' => Part::Header([modifier, b": "].concat()),
        b'p' => Part::Process,
        b'P' => Part::Parent,
        b'q' => Part::Query,
        b'Q' => Part::QuestionMark,
        b'r' => Part::Uri,
        b'R' => Part::Client,
        b's' => Part::Status,
        b't' => Part::Time(Moment::Accepted, strftime(modifier)),
        b'T' => Part::Time(Moment::Logged, strftime(modifier)),
        b'u' => Part::User,
        _ => return None,
    })
}

/// Returns a format for strftime(3); none stands for the usual one.
fn strftime(modifier: &[u8]) -> Option<CString> {
    if modifier.is_empty() {
        return None;
    }
    // A line of the configuration holds no NUL byte.
    CString::new(modifier).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Literal(text.into())
    }

    #[test]
    fn formats_are_taken_apart() {
        for (format, parts) in [
            ("", vec![]),
            ("100%%%% a", vec![text("100%% a")]),
            ("a%", vec![text("a")]),
            ("%m%r", vec![Part::Method, Part::Uri]),
            (
                "x %{total}{USER}C y",
                vec![text("x "), Part::Cpu(Share::User), text(" y")],
            ),
            ("%{}d", vec![Part::Duration(Unit::Seconds)]),
            ("%z%{", vec![]),
            (
                "%{%H}t%T",
                vec![
                    Part::Time(Moment::Accepted, Some(c"%H".to_owned())),
                    Part::Time(Moment::Logged, None),
                ],
            ),
            (
                "%{Name}o%{NAME}e",
                vec![
                    Part::Header(b"Name: ".to_vec()),
                    Part::Param(b"NAME".to_vec()),
                ],
            ),
        ] {
            assert_eq!(Format::compile(format.into()).parts, parts, "{format}");
        }
    }

    #[test]
    fn a_long_modifier_is_cut() {
        let format = format!("%{{{}}}e", "x".repeat(200));
        assert_eq!(
            Format::compile(format.as_str().into()).parts,
            [Part::Param(vec![b'x'; 128])]
        );
    }
}
