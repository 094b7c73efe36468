//! The operator process: `operator.listen` and what goes with it.
//!
//! A changer must know: whoever reaches the address sees how the daemon is, and nobody is asked who he is. So only addresses
//! that other machines cannot reach are taken; who wants to show it to others puts a proxy in front.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bstr::{BStr, BString, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::Percent;
use crate::own::digits;

/// `operator.user` when it is not set.
pub(crate) const OPERATOR_USER: &str = "nobody";

/// `operator.ready_queue` when it is not set.
pub(crate) const READY_QUEUE: Percent = Percent(50);

/// `operator.ready_busy` when it is not set.
pub(crate) const READY_BUSY: Percent = Percent(100);

/// The kernel's field for the path of a socket less the NUL (unix(7)).
pub(crate) const LONGEST_SOCKET_PATH: usize = 107;

/// The directives of the operator process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// `operator.listen`: where it answers.
    pub listen: OperatorAddress,
    /// `operator.user`: whom it becomes when the master is root. Default `nobody`.
    pub user: BString,
    /// `operator.group`: the group that it becomes with it. Default that user's.
    pub group: Option<BString>,
    /// `operator.ready_queue`: a pool is not ready when more than this part of its socket's queue is taken. Default 50%.
    pub ready_queue: Percent,
    /// `operator.ready_busy`: a pool is not ready when more than this part of `pm.max_children` is busy. Default 100%: never
    /// because of that.
    pub ready_busy: Percent,
}

/// Where the operator process listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorAddress {
    /// A loopback address.
    Loopback(SocketAddr),
    /// A unix socket at this path (absolute, prefix already applied).
    Unix(BString),
}

/// What is wrong with `operator.listen`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Other machines could reach it.
    #[error("'{0}' is no loopback address: put a proxy in front of one to let others see it")]
    NotLoopback(BString),
    /// It is none of the three.
    #[error("'{0}' is no port, no address with a port and no path")]
    Unclear(BString),
    /// The kernel has no room for it.
    #[error("a socket's path has at most {LONGEST_SOCKET_PATH} bytes, '{0}' has more")]
    TooLong(BString),
}

impl OperatorAddress {
    /// Reads a port, `address:port`, or a path, which `absolute` completes.
    pub(crate) fn parse(
        text: &BStr,
        absolute: impl FnOnce(&BStr) -> BString,
    ) -> Result<Self, AddressError> {
        let unclear = || AddressError::Unclear(text.to_owned());
        if text.contains(&b'/') {
            let path = absolute(text);
            return match path.len() {
                0..=LONGEST_SOCKET_PATH => Ok(Self::Unix(path)),
                _ => Err(AddressError::TooLong(path)),
            };
        }
        if text.iter().all(u8::is_ascii_digit) {
            let port = digits(text).filter(|port| *port != 0).ok_or_else(unclear)?;
            return Ok(Self::Loopback((Ipv4Addr::LOCALHOST, port).into()));
        }
        let (host, port) = text.rsplit_once_str(":").ok_or_else(unclear)?;
        let port = digits(port).filter(|port| *port != 0).ok_or_else(unclear)?;
        let literal = host
            .strip_prefix(b"[")
            .map_or(Some(host), |rest| rest.strip_suffix(b"]"));
        let address = match literal.ok_or_else(unclear)? {
            b"localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
            // All addresses, as far as php-fpm's `listen` is concerned.
            b"" | b"*" => return Err(AddressError::NotLoopback(text.to_owned())),
            literal => {
                let literal = literal.to_str().ok().and_then(|text| text.parse().ok());
                literal.ok_or_else(unclear)?
            }
        };
        match address.to_canonical().is_loopback() {
            true => Ok(Self::Loopback((address, port).into())),
            false => Err(AddressError::NotLoopback(text.to_owned())),
        }
    }
}

impl fmt::Display for OperatorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => address.fmt(f),
            Self::Unix(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let absolute = |path: &BStr| {
            if path.starts_with(b"/") {
                path.to_owned()
            } else {
                format!("/var/{path}").into()
            }
        };
        OperatorAddress::parse(text.into(), absolute)
            .map(|address| address.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_port_an_address_or_a_path() {
        for (text, expected) in [
            ("9253", "127.0.0.1:9253"),
            ("localhost:9253", "127.0.0.1:9253"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.8.8.8:80", "127.8.8.8:80"),
            ("[::1]:9253", "[::1]:9253"),
            ("/run/operator", "/run/operator"),
            ("run/operator", "/var/run/operator"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_others_could_reach_is_refused() {
        for text in [
            "0.0.0.0:9253",
            "10.0.0.1:9253",
            "[::]:9253",
            "[2001:db8::1]:80",
            "*:80",
            ":80",
        ] {
            let expected = format!(
                "'{text}' is no loopback address: put a proxy in front of one to let others see it"
            );
            assert_eq!(parsed(text), Err(expected));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "operator",
            "0",
            "65536",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:0",
            "example.org:80",
            "[::1:80",
            "\u{fffd}:80",
        ] {
            let expected = format!("'{text}' is no port, no address with a port and no path");
            assert_eq!(parsed(text), Err(expected));
        }
        let long = format!("/{}", "x".repeat(LONGEST_SOCKET_PATH));
        let expected = format!("a socket's path has at most 107 bytes, '{long}' has more");
        assert_eq!(parsed(&long), Err(expected));
    }
}
