//! `security.limit_extensions`: which files may be run as PHP.
//!
//! Original: fpm_php_limit_extensions in sapi/fpm/fpm/fpm_php.c.

use bstr::BString;

/// Tells whether a script may be run; an empty list allows everything.
///
/// An extension alone is not a script: the path must be longer. Case matters.
pub(crate) fn allows(extensions: &[BString], script: &[u8]) -> bool {
    extensions.is_empty()
        || extensions
            .iter()
            .any(|extension| script.len() > extension.len() && script.ends_with(extension))
}

/// The text of the log line about a script that may not be run.
pub(crate) fn denied(script: &[u8]) -> BString {
    let parts: [&[u8]; 3] = [
        b"Access to the script '",
        script,
        b"' has been denied (see security.limit_extensions)",
    ];
    parts.concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        let default: Vec<BString> = vec![".php".into(), ".phar".into()];
        for (script, allowed) in [
            ("/w/x.php", true),
            ("/w/x.phar", true),
            ("x.php", true),
            (".php", false),
            ("/w/x.PHP", false),
            ("/w/x.php.png", false),
            ("/w/xphp", false),
            ("/w", false),
            ("", false),
        ] {
            assert_eq!(allows(&default, script.as_bytes()), allowed, "{script}");
        }
        assert!(allows(&[], b"/w/x.png"));
        assert!(allows(&[], b""));
    }

    #[test]
    fn the_text_keeps_every_byte() {
        assert_eq!(
            denied(b"/w/\xff.txt"),
            b"Access to the script '/w/\xff.txt' has been denied (see security.limit_extensions)"
                .as_slice()
        );
    }
}
