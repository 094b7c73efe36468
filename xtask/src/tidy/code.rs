//! Rust source reduced to its code: comments, strings and characters become blanks.
//!
//! Rules that look for a word must not stumble over a text that only talks about it. Lines and columns stay.

/// Returns the source with everything blanked that is not code.
pub(super) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let after_word = at > 0 && is_word(bytes[at - 1]);
        let length = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_length(&bytes[at..]),
            b'/' if bytes[at..].starts_with(b"/*") => block_length(&bytes[at..]),
            b'"' => string_length(&bytes[at..]),
            b'r' if !after_word || bytes[at - 1] == b'b' => raw_length(&bytes[at..]),
            b'\'' => character_length(&source[at..]),
            _ => 0,
        };
        if length == 0 {
            code.push(if bytes[at].is_ascii() {
                bytes[at]
            } else {
                b' '
            });
            at += 1;
        } else {
            let end = (at + length).min(bytes.len());
            code.extend(
                bytes[at..end]
                    .iter()
                    .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8(code).expect("only ASCII is kept")
}

/// Says whether a line of code has this word, not as a part of a longer one.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).map(|before| line.as_bytes()[before]);
        let after = line.as_bytes().get(at + word.len()).copied();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len())
}

/// Block comments nest.
fn block_length(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        let step = match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"…"`, `r#"…"#`; 0 when it is a name that starts with r.
fn raw_length(bytes: &[u8]) -> usize {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let start = hashes + 2;
    let found = bytes[start..]
        .windows(end.len())
        .position(|window| window == end);
    found.map_or(bytes.len(), |at| start + at + end.len())
}

/// `'a'`, `'\''`; 0 when it is a lifetime.
fn character_length(source: &str) -> usize {
    let mut characters = source.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            // What is escaped may itself be a quote.
            let closing = characters.skip(1).find(|(_, character)| *character == '\'');
            closing.map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, code: &str) {
        assert_eq!(code_only(source), code);
    }

    #[test]
    fn comments_become_blanks_and_lines_stay() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */\n d */ e", "a             \n      e");
        check("a /* b", "a     ");
    }

    #[test]
    fn strings_become_blanks() {
        check(r#"f("a\"b", c)"#, "f(      , c)");
        check(r##"f(r#"a"b"#, br"x")"##, "f(        , b    )");
        check("for r in rows {}", "for r in rows {}");
        check("\"ä\" x", "     x");
    }

    #[test]
    fn characters_differ_from_lifetimes() {
        for character in [r"'a'", r#"'"'"#, r"'\''", r"'\u{41}'", "'ä'"] {
            check(
                &format!("{character};"),
                &format!("{};", " ".repeat(character.len())),
            );
        }
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(has_word("#[unsafe(no_mangle)]", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }
}
