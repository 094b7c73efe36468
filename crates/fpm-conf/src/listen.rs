//! What `listen` and `pm.status_listen` name: a path, a host with a port, or a port alone.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c (`fpm_sockets_domain_from_address`)

use bstr::{BStr, BString, ByteSlice};
use serde::{Deserialize, Serialize};

/// Says where a pool listens. The port is text: it is checked when the socket is made, with that stage's error.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ListenAddress {
    /// A unix stream socket at this path (absolute, prefix already applied).
    Unix(BString),
    /// `host:port`, split at the last colon; brackets around an IPv6 literal are removed.
    Tcp {
        /// Name or literal for the resolver; may be empty or `*`, which have no special meaning.
        host: BString,
        /// Port number as text.
        port: BString,
    },
    /// A port alone: `::` is tried first, then `0.0.0.0`.
    Port(BString),
}

impl ListenAddress {
    /// Classifies the text of `listen`: a colon anywhere means TCP, digits only mean a port, all else is a path.
    #[must_use]
    pub fn parse(text: &BStr) -> Self {
        let Some(colon) = text.rfind_byte(b':') else {
            return if text.iter().all(u8::is_ascii_digit) {
                Self::Port(text.to_owned())
            } else {
                Self::Unix(text.to_owned())
            };
        };
        let host = &text[..colon];
        let host = host
            .strip_prefix(b"[")
            .and_then(|inner| inner.strip_suffix(b"]"))
            .unwrap_or(host);
        Self::Tcp {
            host: host.into(),
            port: text[colon + 1..].into(),
        }
    }
}
