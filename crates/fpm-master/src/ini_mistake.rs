//! What PHP says when it does not understand php.ini or a file of the scan directory.
//!
//! Rule: PHP starts all the same, with what it had read up to there. That is good enough for a start, as with the original, and not
//! for taking the place of what serves.
//!
//! Original: Zend/zend_ini_parser.y (`ini_error`), which writes to standard error when extensions are not loaded yet.

use bstr::{BStr, ByteSlice};

/// What the parser's words begin with. Two blanks.
const BEGIN: &[u8] = b"PHP:  ";

/// What went wrong, the same for all mistakes: the parser is made by bison.
const MISTAKE: &[u8] = b"syntax error, ";

/// Finds the first mistake in what a starting PHP has written to its standard error.
pub(crate) fn ini_mistake(said: &[u8]) -> Option<&BStr> {
    let mistakes = said.lines().filter_map(|line| line.strip_prefix(BEGIN));
    mistakes
        .map(BStr::new)
        .find(|text| text.starts_with(MISTAKE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_from_all_else() {
        let said = b"Cannot open /x\nPHP:  syntax error, unexpected '(' in /etc/php.ini on line 7\nPHP:  syntax error, b\n";
        for (said, expected) in [
            (
                &said[..],
                Some("syntax error, unexpected '(' in /etc/php.ini on line 7"),
            ),
            (b"PHP Warning:  PHP Startup: syntax error, no", None),
            (b"a PHP:  syntax error, no", None),
            (b"PHP:  syntax error, ", Some("syntax error, ")),
            (b"PHP:  \n", None),
            (b"", None),
        ] {
            assert_eq!(ini_mistake(said), expected.map(BStr::new), "{said:?}");
        }
    }
}
