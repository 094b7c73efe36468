//! One name against one pattern, as fnmatch(3) with `FNM_PERIOD` does it.
//!
//! A changer must know: a match costs at most name times pattern; nothing here backtracks further than the last `*`.

use bstr::{BString, ByteSlice};

/// Tells whether this part of a path has special characters; a `[` counts only with a `]` behind it.
pub(crate) fn is_pattern(part: &[u8]) -> bool {
    let mut at = 0;
    let mut bracket = false;
    while let Some(&b) = part.get(at) {
        match b {
            b'*' | b'?' => return true,
            b'\\' => at += 1,
            b'[' => bracket = true,
            b']' if bracket => return true,
            _ => {}
        }
        at += 1;
    }
    false
}

/// Removes the backslashes that protect characters.
pub(crate) fn unescape(part: &[u8]) -> BString {
    let mut plain = BString::default();
    let mut at = 0;
    while let Some(&b) = part.get(at) {
        if b == b'\\' && at + 1 < part.len() {
            at += 1;
        }
        plain.push(part[at]);
        at += 1;
    }
    plain
}

/// Tells whether `name` matches `pattern`. A leading full stop is only matched by a full stop.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.')
        && pattern.strip_prefix(b"\\").unwrap_or(pattern).first() != Some(&b'.')
    {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        if let Some((pattern_length, name_length)) = one(&pattern[p..], &name[n..]) {
            p += pattern_length;
            n += name_length;
            continue;
        }
        let Some((after_star, taken)) = star else {
            return false;
        };
        let taken = taken + character(&name[taken..]).len();
        star = Some((after_star, taken));
        (p, n) = (after_star, taken);
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// Matches one element of a pattern; returns how much of the pattern and of the name it takes.
fn one(pattern: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let first = *pattern.first()?;
    match first {
        b'?' => Some((1, character(name).len())),
        b'[' => match bracket(pattern, character(name)) {
            Some((length, true)) => Some((length, character(name).len())),
            Some((_, false)) => None,
            None => (name.first() == Some(&b'[')).then_some((1, 1)),
        },
        b'\\' if pattern.len() > 1 => (name.first() == Some(&pattern[1])).then_some((2, 1)),
        _ => (name.first() == Some(&first)).then_some((1, 1)),
    }
}

/// Returns the first character: a whole one in UTF-8, else a byte.
fn character(text: &[u8]) -> &[u8] {
    let (_, length) = bstr::decode_utf8(text);
    let whole = &text[..length];
    if whole.is_utf8() { whole } else { &text[..1] }
}

/// Matches a bracket expression; returns its length and whether `wanted` is in it, `None` when it is not closed.
fn bracket(pattern: &[u8], wanted: &[u8]) -> Option<(usize, bool)> {
    let mut at = 1;
    let negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    if negated {
        at += 1;
    }
    let first = at;
    let mut hit = false;
    loop {
        let rest = pattern.get(at..).filter(|rest| !rest.is_empty())?;
        if rest[0] == b']' && at > first {
            return Some((at + 1, hit != negated));
        }
        if let Some((class, length)) = rest.strip_prefix(b"[:").and_then(|inner| {
            let end = inner.find(":]")?;
            Some((&inner[..end], end + 4))
        }) {
            hit |= in_class(class, wanted);
            at += length;
            continue;
        }
        let low = element(rest)?;
        at += low.0;
        let range =
            pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|b| *b != b']');
        if range {
            let high = element(&pattern[at + 1..])?;
            at += 1 + high.0;
            hit |= (code(low.1)..=code(high.1)).contains(&code(wanted));
        } else {
            hit |= low.1 == wanted;
        }
    }
}

/// Reads one character of a bracket expression, protected or not.
fn element(pattern: &[u8]) -> Option<(usize, &[u8])> {
    let protected = usize::from(pattern.first() == Some(&b'\\') && pattern.len() > 1);
    let rest = pattern.get(protected..).filter(|rest| !rest.is_empty())?;
    let character = character(rest);
    Some((protected + character.len(), character))
}

fn code(character: &[u8]) -> u32 {
    character.chars().next().map_or(0, u32::from)
}

fn in_class(class: &[u8], character: &[u8]) -> bool {
    let Some(c) = character.chars().next() else {
        return false;
    };
    match class {
        b"alpha" => c.is_alphabetic(),
        b"digit" => c.is_ascii_digit(),
        b"alnum" => c.is_alphanumeric(),
        b"upper" => c.is_uppercase(),
        b"lower" => c.is_lowercase(),
        b"space" => c.is_whitespace(),
        b"blank" => c == ' ' || c == '\t',
        b"punct" => c.is_ascii_punctuation(),
        b"xdigit" => c.is_ascii_hexdigit(),
        b"cntrl" => c.is_control(),
        b"graph" => !c.is_control() && !c.is_whitespace(),
        b"print" => !c.is_control(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_against_patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*.conf", "www.conf", true),
            ("*.conf", ".conf", false),
            (".*", ".conf", true),
            ("\\.*", ".conf", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "é", true),
            ("??", "é", false),
            ("[abc]", "b", true),
            ("[!abc]", "b", false),
            ("[^abc]", "d", true),
            ("[a-c]x", "bx", true),
            ("[]]", "]", true),
            ("[]-a]", "_", true),
            ("[a-]", "-", true),
            ("[[:digit:]]*", "10-www.conf", true),
            ("[[:digit:]]*", "www.conf", false),
            ("[é]", "é", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("**", "x", true),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_bracket_counts_only_when_it_is_closed() {
        assert!(!is_pattern(b"a[b"));
        assert!(is_pattern(b"a[b]"));
        assert!(!is_pattern(b"a\\*"));
        assert_eq!(unescape(b"a\\*\\\\b"), "a*\\b");
    }
}
