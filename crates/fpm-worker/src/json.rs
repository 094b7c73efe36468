//! One JSON object on one line, for logs.
//!
//! Rule: whatever it is given, a line is valid JSON in valid UTF-8; bytes that are no UTF-8 become U+FFFD.

use std::fmt::{Display, Write};
use std::time::Duration;

use fpm_os::clock::{LocalTime, local_time};

/// An object that is being written.
#[derive(Debug)]
pub struct Object {
    text: String,
}

impl Default for Object {
    fn default() -> Object {
        Object::new()
    }
}

impl Object {
    /// Begins an object.
    #[must_use]
    pub fn new() -> Object {
        Object {
            text: "{".to_owned(),
        }
    }

    /// Adds a string.
    pub fn text(&mut self, name: &str, text: &[u8]) {
        self.name(name);
        self.text.push('"');
        for character in String::from_utf8_lossy(text).chars() {
            escape(character, &mut self.text);
        }
        self.text.push('"');
    }

    /// Adds a number; it has to look like one.
    pub fn number(&mut self, name: &str, number: impl Display) {
        self.name(name);
        self.put(format_args!("{number}"));
    }

    /// Adds a length of time in seconds, to the microsecond.
    pub fn seconds(&mut self, name: &str, duration: Duration) {
        self.number(
            name,
            format_args!("{}.{:06}", duration.as_secs(), duration.subsec_micros()),
        );
    }

    /// Adds a point in time with its offset: `2026-11-21T12:00:00.123456+00:00`.
    pub fn time(&mut self, name: &str, since_1970: Duration) {
        let LocalTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
            utc_offset,
        } = local_time(since_1970);
        let sign = if utc_offset < 0 { '-' } else { '+' };
        let offset = utc_offset.unsigned_abs() / 60;
        let micros = since_1970.subsec_micros();
        self.name(name);
        self.put(format_args!(
            "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}{sign}{:02}:{:02}\"",
            offset / 60,
            offset % 60
        ));
    }

    /// Adds something that is so.
    pub fn truth(&mut self, name: &str) {
        self.name(name);
        self.text.push_str("true");
    }

    /// Ends the object and the line.
    #[must_use]
    pub fn line(mut self) -> Vec<u8> {
        self.text.push_str("}\n");
        self.text.into_bytes()
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.put(format_args!("\"{name}\":"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("a String takes everything");
    }
}

/// Writes a character as it stands in a string, and leaves alone what may stay.
pub(crate) fn escape(character: char, text: &mut String) {
    match character {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\u{8}' => text.push_str("\\b"),
        '\u{c}' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\0'..='\u{1f}' => {
            write!(text, "\\u{:04x}", u32::from(character)).expect("a String takes everything");
        }
        other => text.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn fields_keep_their_order() {
        let mut object = Object::new();
        object.text("a", b"x\"\\\n\0\xff\xc3\xa9");
        object.number("b", -3);
        object.seconds("c", Duration::from_micros(1_000_042));
        object.truth("d");
        let expected =
            "{\"a\":\"x\\\"\\\\\\n\\u0000\u{fffd}\u{e9}\",\"b\":-3,\"c\":1.000042,\"d\":true}\n";
        assert_eq!(String::from_utf8(object.line()).unwrap(), expected);
        assert_eq!(Object::new().line(), b"{}\n");
    }

    #[test]
    fn times_say_where_they_are_meant() {
        let mut object = Object::new();
        object.time("t", Duration::new(1_795_262_893, 12_345_000));
        let text = String::from_utf8(object.line()).unwrap();
        assert!(text.starts_with("{\"t\":\"2026-11-2"), "{text}");
        assert!(text.contains(":13.012345"), "{text}");
        assert_eq!(
            text.len(),
            "{'t':'2026-11-21T12:00:00.123456+00:00'}\n".len()
        );
    }

    proptest! {
        #[test]
        fn whatever_was_said_comes_back(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut object = Object::new();
            object.text("said", &text);
            let line = object.line();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let value: Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(value["said"].as_str().unwrap(), String::from_utf8_lossy(&text));
        }
    }
}
