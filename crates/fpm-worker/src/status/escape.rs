//! Texts of clients made fit for a page.
//!
//! What is no UTF-8 stays visible as U+FFFD in markup, where php-fpm drops the whole text, and is left out in JSON, as there.

use std::fmt::Write;

use crate::json::escape;

/// Makes a text fit for HTML and XML, inside elements and attributes.
pub(super) fn markup(text: &[u8], page: &mut String) {
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            // No XML document may hold these, not even as references.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                page.push('\u{fffd}');
            }
            other => page.push(other),
        }
    }
}

/// Makes a text fit for a JSON string the way PHP's `json_encode` does: in ASCII, slashes escaped.
pub(super) fn json_in_ascii(text: &[u8], page: &mut String) {
    for character in valid(text) {
        match character {
            '/' => page.push_str("\\/"),
            '\u{80}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    put(page, *unit);
                }
            }
            other => escape(other, page),
        }
    }
}

/// Makes a text fit for a JSON string and leaves alone what may stay.
pub(super) fn json(text: &[u8], page: &mut String) {
    for character in valid(text) {
        escape(character, page);
    }
}

fn put(page: &mut String, unit: u16) {
    write!(page, "\\u{unit:04x}").expect("a String takes everything");
}

/// Returns the characters of a text without what is none.
fn valid(text: &[u8]) -> impl Iterator<Item = char> {
    text.utf8_chunks().flat_map(|chunk| chunk.valid().chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(escape: fn(&[u8], &mut String), text: &[u8]) -> String {
        let mut page = String::new();
        escape(text, &mut page);
        page
    }

    /// Every character that means something to somebody, and bytes that are no UTF-8.
    const TEXT: &[u8] = b"/a<>\"&'\xc3\xa9\xf0\x9f\x98\x80\x01\x0b\x7f\t\\\xff";

    #[test]
    fn texts_in_markup() {
        assert_eq!(
            done(markup, TEXT),
            "/a&lt;&gt;&quot;&amp;'é😀\u{fffd}\u{fffd}\x7f\t\\\u{fffd}"
        );
        assert_eq!(done(markup, b"&amp;"), "&amp;amp;");
    }

    #[test]
    fn texts_in_json() {
        assert_eq!(
            done(json_in_ascii, TEXT),
            "\\/a<>\\\"&'\\u00e9\\ud83d\\ude00\\u0001\\u000b\x7f\\t\\\\"
        );
        assert_eq!(done(json, TEXT), "/a<>\\\"&'é😀\\u0001\\u000b\x7f\\t\\\\");
        assert_eq!(done(json, b"\x08\x0c\n\r"), "\\b\\f\\n\\r");
    }
}
