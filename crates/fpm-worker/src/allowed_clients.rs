//! `listen.allowed_clients`: who may connect over TCP.
//!
//! A list that nobody can be on keeps everybody out: it never means "no list". The original compares only the first twelve
//! bytes of IPv6 addresses, so that one entry opens its whole /96; here an address is an address.
//!
//! Original: fcgi_set_allowed_clients and fcgi_is_allowed in main/fastcgi.c.

use std::net::{IpAddr, Ipv6Addr};

use bstr::{BStr, BString, ByteSlice};

/// Who may connect to a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowedClients {
    /// No list was given.
    Anybody,
    /// Only these addresses.
    Only(Vec<IpAddr>),
}

/// The text of the log line about an entry that is no address.
pub(crate) fn wrong_address(entry: &BStr) -> BString {
    let parts: [&[u8]; 3] = [b"Wrong IP address '", entry, b"' in listen.allowed_clients"];
    parts.concat().into()
}

/// The text of the log line about a list without any address.
pub(crate) const NO_ADDRESSES: &str = "There are no allowed addresses";

/// The text of the log line about a refused connection.
pub(crate) fn refused(peer: IpAddr) -> BString {
    let peer = peer.to_canonical();
    format!("Connection disallowed: IP address '{peer}' has been dropped.").into()
}

impl AllowedClients {
    /// Reads the directive; every entry that is no address is handed to `wrong`.
    ///
    /// Blanks are not trimmed: ` 127.0.0.1` is no address.
    pub(crate) fn parse(directive: Option<&BStr>, mut wrong: impl FnMut(&BStr)) -> AllowedClients {
        let Some(list) = directive else {
            return AllowedClients::Anybody;
        };
        let mut addresses = Vec::new();
        for entry in list.split_str(",") {
            match str::from_utf8(entry)
                .ok()
                .and_then(|text| text.parse().ok())
            {
                Some(address) => addresses.push(address),
                None => wrong(entry.as_bstr()),
            }
        }
        AllowedClients::Only(addresses)
    }

    /// Tells whether a client may connect; `peer` is `None` for a unix socket, whose file permissions decide.
    pub(crate) fn allows(&self, peer: Option<IpAddr>) -> bool {
        let (AllowedClients::Only(addresses), Some(peer)) = (self, peer) else {
            return true;
        };
        addresses.iter().any(|&allowed| match (allowed, peer) {
            // An IPv4 client of a socket that takes both families.
            (IpAddr::V4(allowed), IpAddr::V6(peer)) => {
                Ipv6Addr::to_ipv4_mapped(&peer) == Some(allowed)
            }
            (allowed, peer) => allowed == peer,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn parse(list: &str) -> (AllowedClients, Vec<String>) {
        let mut wrong = Vec::new();
        let clients = AllowedClients::parse(Some(list.into()), |entry| {
            wrong.push(entry.to_string());
        });
        (clients, wrong)
    }

    #[track_caller]
    fn check(list: &str, allowed: &[&str], refused: &[&str]) {
        let (clients, _) = parse(list);
        for peer in allowed {
            assert!(clients.allows(peer.parse().ok()), "{list}: {peer}");
        }
        for peer in refused {
            assert!(!clients.allows(peer.parse().ok()), "{list}: {peer}");
        }
    }

    #[test]
    fn no_list_and_unix_sockets() {
        let anybody = AllowedClients::parse(None, |_| unreachable!("there is no entry"));
        assert!(anybody.allows("192.0.2.1".parse().ok()));
        assert!(parse("127.0.0.1").0.allows(None));
        assert!(parse("").0.allows(None));
    }

    #[test]
    fn exact_addresses() {
        check(
            "127.0.0.1,::1",
            &["127.0.0.1", "::1", "::ffff:127.0.0.1"],
            &["127.0.0.2", "::2", "::ffff:127.0.0.2", "::127.0.0.1"],
        );
        // An IPv6 entry never lets in a client of an IPv4 socket.
        check(
            "::ffff:127.0.0.1",
            &["::ffff:127.0.0.1"],
            &["127.0.0.1", "::ffff:127.0.0.2"],
        );
        check("2001:db8::1", &["2001:db8::1"], &["2001:db8::2"]);
    }

    #[test]
    fn what_is_no_address_is_reported_and_ignored() {
        let (clients, wrong) = parse("127.0.0.1, ::1,localhost,,10.0.0.0/8,127.1,010.0.0.1");
        assert_eq!(
            wrong,
            [" ::1", "localhost", "", "10.0.0.0/8", "127.1", "010.0.0.1"]
        );
        assert!(clients.allows("127.0.0.1".parse().ok()));
        assert!(!clients.allows("::1".parse().ok()));
    }

    #[test]
    fn a_list_without_an_address_keeps_everybody_out() {
        for list in ["", "nonsense", ","] {
            check(list, &[], &["127.0.0.1", "::1", "::ffff:127.0.0.1"]);
        }
    }

    #[test]
    fn texts() {
        assert_eq!(
            wrong_address("x y".into()),
            "Wrong IP address 'x y' in listen.allowed_clients"
        );
        for (peer, shown) in [("::1", "::1"), ("::ffff:192.0.2.1", "192.0.2.1")] {
            assert_eq!(
                refused(peer.parse().expect("an address")),
                format!("Connection disallowed: IP address '{shown}' has been dropped.").as_str()
            );
        }
    }

    /// The original's rule: IPv6 addresses are compared in their first twelve bytes.
    fn original_allows(addresses: &[IpAddr], peer: IpAddr) -> bool {
        addresses.iter().any(|&allowed| match (allowed, peer) {
            (IpAddr::V4(allowed), IpAddr::V4(peer)) => allowed == peer,
            (IpAddr::V4(allowed), IpAddr::V6(peer)) => peer.to_ipv4_mapped() == Some(allowed),
            (IpAddr::V6(allowed), IpAddr::V6(peer)) => {
                allowed.octets()[..12] == peer.octets()[..12]
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        })
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        let known = [
            "127.0.0.1",
            "127.0.0.2",
            "::1",
            "::2",
            "::ffff:127.0.0.1",
            "::ffff:127.0.0.2",
        ];
        prop_oneof![
            select(known.map(|text| text.parse().expect("an address")).to_vec()),
            any::<IpAddr>(),
        ]
    }

    proptest! {
        #[test]
        fn nobody_is_let_in_whom_the_original_keeps_out(
            list in collection::vec(address(), 0..4),
            peer in address(),
        ) {
            let text: Vec<String> = list.iter().map(ToString::to_string).collect();
            let (clients, wrong) = parse(&text.join(","));
            prop_assert_eq!(wrong.len(), usize::from(list.is_empty()));
            if clients.allows(Some(peer)) {
                prop_assert!(original_allows(&list, peer));
            }
            for &allowed in &list {
                prop_assert!(clients.allows(Some(allowed)));
            }
        }
    }
}
