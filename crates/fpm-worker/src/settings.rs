//! The PHP settings that shape how a worker serves, kept between requests because only a request's PHP_VALUE can change them.

use bstr::BString;
use sapi::Engine;

use crate::host::Mirror;
use crate::script::{PathInfo, PathTranslated, ProxiedPathInfo, Rules};

/// ini `cgi.*`, `fastcgi.*` and `doc_root` as far as the worker itself goes by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mirror: Mirror,
    path_info: PathInfo,
    path_translated: PathTranslated,
    doc_root: Option<BString>,
    proxied_path_info: ProxiedPathInfo,
}

impl Settings {
    /// Asks PHP.
    pub(crate) fn of(engine: &Engine) -> Settings {
        Settings {
            mirror: if engine.ini_bool(c"fastcgi.logging") {
                Mirror::On
            } else {
                Mirror::Off
            },
            path_info: if engine.ini_bool(c"cgi.fix_pathinfo") {
                PathInfo::Fix
            } else {
                PathInfo::Leave
            },
            path_translated: if engine.ini_bool(c"cgi.discard_path") {
                PathTranslated::Discard
            } else {
                PathTranslated::Use
            },
            doc_root: engine
                .ini_str(c"doc_root")
                .filter(|root| !root.is_empty())
                .map(BString::from),
            proxied_path_info: if decodes_path_info(engine.version()) {
                ProxiedPathInfo::Decoded
            } else {
                ProxiedPathInfo::AsSent
            },
        }
    }

    /// Returns what decides where a request goes.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules {
            path_info: self.path_info,
            path_translated: self.path_translated,
            doc_root: self.doc_root.as_deref().map(AsRef::as_ref),
            proxied_path_info: self.proxied_path_info,
        }
    }
}

/// Tells whether this PHP decodes a PATH_INFO that Apache's `ProxyPass` has encoded (php-src GH-17643; 8.2 does not).
fn decodes_path_info(version: &str) -> bool {
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (8, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_by_version() {
        for (version, decodes) in [
            ("8.2.32", false),
            ("8.3.0", true),
            ("8.4.24", true),
            ("9.0.0-dev", true),
        ] {
            assert_eq!(decodes_path_info(version), decodes, "{version}");
        }
    }
}
