//! The file descriptor store of the service manager: it keeps our sockets, with the connections that wait in them, while
//! no daemon runs, and gives them to the next one.
//!
//! Rule: every socket has a name of its own there, made from where it listens, so that it can be taken out alone. A socket
//! that is kept keeps its file.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use bstr::BStr;
use fpm_os::listener::inherited::BoundTo;
use fpm_os::notification::{send, send_with};
use serde::{Deserialize, Serialize};

/// The variable by which systemd (254 and newer, or the unit itself) says how many descriptors it keeps.
pub const CAPACITY: &str = "FDSTORE";

/// What all our names begin with; no pool is called so.
const PREFIX: &str = "listen=";

/// The longest name that systemd takes.
const LONGEST_NAME: usize = 255;

/// A service manager that keeps descriptors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    notify_socket: OsString,
}

impl Store {
    /// Finds out whether the service manager at `notify_socket` keeps descriptors: `capacity` is the value of
    /// [`CAPACITY`].
    pub fn new(notify_socket: Option<OsString>, capacity: Option<OsString>) -> Option<Store> {
        let capacity: u32 = capacity?.to_str()?.parse().ok()?;
        notify_socket
            .filter(|_| capacity > 0)
            .map(|notify_socket| Store { notify_socket })
    }

    /// Hands a socket over to be kept. A socket that is there already stays there once.
    pub(crate) fn put(&self, bound_to: &BoundTo, socket: BorrowedFd<'_>) -> io::Result<()> {
        // Without FDPOLL=0 systemd would drop a descriptor on which poll(2) sees an error.
        let text = format!("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name(bound_to));
        send_with(&self.notify_socket, &text, &[socket.as_fd()])
    }

    /// Has a socket dropped.
    pub(crate) fn remove(&self, bound_to: &BoundTo) {
        let text = format!("FDSTOREREMOVE=1\nFDNAME={}", name(bound_to));
        if let Err(error) = send(&self.notify_socket, &text) {
            tracing::warn!("systemd goes on keeping the socket \"{bound_to}\": {error}");
        }
    }
}

/// Tells whether a socket with this name comes from the store.
pub(crate) fn is_stored(name: &BStr) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// Makes the name of a socket. A colon cannot be in it, nor anything but printable ASCII.
fn name(bound_to: &BoundTo) -> String {
    let plain = |c: char| match c {
        ':' => '_',
        ' '..='~' => c,
        _ => '?',
    };
    let text = bound_to.to_string();
    PREFIX
        .chars()
        .chain(text.chars().map(plain))
        .take(LONGEST_NAME)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_by_systemd_and_known_again() {
        for (bound_to, expected) in [
            (
                BoundTo::File("/run/php/www.sock".into()),
                "listen=/run/php/www.sock",
            ),
            (BoundTo::File("/srv/\u{fc}\n".into()), "listen=/srv/??"),
            (
                BoundTo::Inet("127.0.0.1:9000".parse().unwrap()),
                "listen=127.0.0.1_9000",
            ),
            (
                BoundTo::Inet("[::1]:9000".parse().unwrap()),
                "listen=__1_9000",
            ),
        ] {
            assert_eq!(name(&bound_to), expected);
            assert!(is_stored(expected.into()));
        }
        assert_eq!(name(&BoundTo::Other("x".repeat(300))).len(), 255);
        assert!(!is_stored("fpmd.socket".into()));
    }

    #[test]
    fn a_store_needs_room_and_an_address() {
        let store = |socket: Option<&str>, capacity: Option<&str>| {
            Store::new(socket.map(Into::into), capacity.map(Into::into)).is_some()
        };
        assert!(store(Some("@x"), Some("16")));
        for (socket, capacity) in [
            (None, Some("16")),
            (Some("@x"), None),
            (Some("@x"), Some("0")),
            (Some("@x"), Some("many")),
        ] {
            assert!(!store(socket, capacity));
        }
    }
}
