//! The PHP constants that configurations use, for a master that has no PHP to ask.
//!
//! A changer must know: only constants whose value is the same in every build belong here (paths and versions do not).
//! The oracle is `get_defined_constants()`.

use bstr::{BString, ByteSlice};

use crate::PhpVersion;

/// Returns the value of a constant of PHP's core as text.
pub(crate) fn lookup(name: &[u8], php: PhpVersion) -> Option<BString> {
    for (word, value) in [("true", "1"), ("false", ""), ("null", "")] {
        if name.eq_ignore_ascii_case(word.as_bytes()) {
            return Some(value.into());
        }
    }
    if name == b"E_ALL" {
        // E_STRICT (2048) stopped being part of it in 8.4.
        return Some(
            if php == PhpVersion::Php82 {
                "32767"
            } else {
                "30719"
            }
            .into(),
        );
    }
    if name == b"PHP_OUTPUT_HANDLER_PROCESSED" && php == PhpVersion::Php82 {
        return None;
    }
    let number = NUMBERS
        .iter()
        .find(|(known, _)| name == known.as_bytes())
        .map(|(_, number)| number.to_string().into());
    number.or_else(|| {
        TEXTS
            .iter()
            .find(|(known, _)| name == known.as_bytes())
            .map(|(_, text)| text.as_bytes().as_bstr().to_owned())
    })
}

const NUMBERS: &[(&str, i64)] = &[
    ("E_ERROR", 1),
    ("E_WARNING", 2),
    ("E_PARSE", 4),
    ("E_NOTICE", 8),
    ("E_CORE_ERROR", 16),
    ("E_CORE_WARNING", 32),
    ("E_COMPILE_ERROR", 64),
    ("E_COMPILE_WARNING", 128),
    ("E_USER_ERROR", 256),
    ("E_USER_WARNING", 512),
    ("E_USER_NOTICE", 1024),
    ("E_STRICT", 2048),
    ("E_RECOVERABLE_ERROR", 4096),
    ("E_DEPRECATED", 8192),
    ("E_USER_DEPRECATED", 16384),
    ("DEBUG_BACKTRACE_PROVIDE_OBJECT", 1),
    ("DEBUG_BACKTRACE_IGNORE_ARGS", 2),
    ("PHP_MAJOR_VERSION", 8),
    ("PHP_MAXPATHLEN", 4096),
    ("PHP_INT_MAX", i64::MAX),
    ("PHP_INT_MIN", i64::MIN),
    ("PHP_INT_SIZE", 8),
    ("PHP_FD_SETSIZE", 1024),
    ("PHP_FLOAT_DIG", 15),
    ("PHP_OUTPUT_HANDLER_START", 1),
    ("PHP_OUTPUT_HANDLER_WRITE", 0),
    ("PHP_OUTPUT_HANDLER_CONT", 0),
    ("PHP_OUTPUT_HANDLER_CLEAN", 2),
    ("PHP_OUTPUT_HANDLER_FLUSH", 4),
    ("PHP_OUTPUT_HANDLER_FINAL", 8),
    ("PHP_OUTPUT_HANDLER_END", 8),
    ("PHP_OUTPUT_HANDLER_CLEANABLE", 16),
    ("PHP_OUTPUT_HANDLER_FLUSHABLE", 32),
    ("PHP_OUTPUT_HANDLER_REMOVABLE", 64),
    ("PHP_OUTPUT_HANDLER_STDFLAGS", 112),
    ("PHP_OUTPUT_HANDLER_STARTED", 4096),
    ("PHP_OUTPUT_HANDLER_DISABLED", 8192),
    ("PHP_OUTPUT_HANDLER_PROCESSED", 16384),
    ("UPLOAD_ERR_OK", 0),
    ("UPLOAD_ERR_INI_SIZE", 1),
    ("UPLOAD_ERR_FORM_SIZE", 2),
    ("UPLOAD_ERR_PARTIAL", 3),
    ("UPLOAD_ERR_NO_FILE", 4),
    ("UPLOAD_ERR_NO_TMP_DIR", 6),
    ("UPLOAD_ERR_CANT_WRITE", 7),
    ("UPLOAD_ERR_EXTENSION", 8),
    ("INI_USER", 1),
    ("INI_PERDIR", 2),
    ("INI_SYSTEM", 4),
    ("INI_ALL", 7),
    ("LOG_EMERG", 0),
    ("LOG_ALERT", 1),
    ("LOG_CRIT", 2),
    ("LOG_ERR", 3),
    ("LOG_WARNING", 4),
    ("LOG_NOTICE", 5),
    ("LOG_INFO", 6),
    ("LOG_DEBUG", 7),
    ("LOG_KERN", 0),
    ("LOG_USER", 8),
    ("LOG_MAIL", 16),
    ("LOG_DAEMON", 24),
    ("LOG_AUTH", 32),
    ("LOG_SYSLOG", 40),
    ("LOG_LPR", 48),
    ("LOG_NEWS", 56),
    ("LOG_UUCP", 64),
    ("LOG_CRON", 72),
    ("LOG_AUTHPRIV", 80),
    ("LOG_LOCAL0", 128),
    ("LOG_LOCAL1", 136),
    ("LOG_LOCAL2", 144),
    ("LOG_LOCAL3", 152),
    ("LOG_LOCAL4", 160),
    ("LOG_LOCAL5", 168),
    ("LOG_LOCAL6", 176),
    ("LOG_LOCAL7", 184),
    ("LOG_PID", 1),
    ("LOG_CONS", 2),
    ("LOG_ODELAY", 4),
    ("LOG_NDELAY", 8),
    ("LOG_NOWAIT", 16),
    ("LOG_PERROR", 32),
];

const TEXTS: &[(&str, &str)] = &[
    ("PHP_OS", "Linux"),
    ("PHP_OS_FAMILY", "Linux"),
    ("PHP_SAPI", "fpm-fcgi"),
    ("PHP_EOL", "\n"),
    ("PHP_SHLIB_SUFFIX", "so"),
    ("DIRECTORY_SEPARATOR", "/"),
    ("PATH_SEPARATOR", ":"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_all_differs_between_versions() {
        assert_eq!(lookup(b"E_ALL", PhpVersion::Php82), Some("32767".into()));
        assert_eq!(lookup(b"E_ALL", PhpVersion::Php84), Some("30719".into()));
    }

    #[test]
    fn only_true_false_and_null_ignore_case() {
        assert_eq!(lookup(b"tRUE", PhpVersion::Php82), Some("1".into()));
        assert_eq!(lookup(b"NULL", PhpVersion::Php82), Some("".into()));
        assert_eq!(lookup(b"e_all", PhpVersion::Php82), None);
    }
}
