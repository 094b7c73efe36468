//! TCP sockets, over IPv4 and IPv6.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c (`fpm_socket_af_inet_socket_by_addr`)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockaddrStorage};

use crate::error::OsError;
use crate::listener;

/// To the C library no name at all, which for a server that does not say that it is one (AI_PASSIVE) means itself.
const ANY_NAME: &[u8] = b"*";

/// The machine itself, as the C library sorts it.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
];

/// How long a client may say nothing and not be accepted; the kernel rounds up to what its retransmissions take.
const SILENCE_SECONDS: libc::c_int = 1;

/// Asks the resolver for all addresses of a host, in its order of preference.
///
/// # Errors
/// [`OsError::Port`] when the port is not in 1..=65535, [`OsError::Resolve`] when there is no address.
pub fn resolve(host: &[u8], port: &[u8]) -> Result<Vec<SocketAddr>, OsError> {
    let port = parse_port(port)?;
    if host == ANY_NAME {
        return Ok(LOOPBACK.map(|host| (host, port).into()).to_vec());
    }
    let host = str::from_utf8(host).map_err(|_| OsError::Resolve {
        reason: "Name or service not known".to_owned(),
    })?;
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason
                .strip_prefix("failed to lookup address information: ")
                .unwrap_or(&reason)
                .to_owned();
            Err(OsError::Resolve { reason })
        }
    }
}

/// Listens at one address; `configured` is how the administrator calls it.
///
/// A socket for `::` takes IPv4 too unless net.ipv6.bindv6only says otherwise.
///
/// # Errors
/// [`OsError::Socket`], [`OsError::Bind`], [`OsError::Listen`].
pub fn listen(address: SocketAddr, configured: &str, backlog: i32) -> Result<OwnedFd, OsError> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = listener::open(family)?;
    listener::bind_to(&socket, &SockaddrStorage::from(address), configured)?;
    wait_for_requests(&socket);
    listener::listen(&socket, backlog, configured)?;
    Ok(socket)
}

/// Has clients accepted only with the first bytes of their request, so that whoever is woken for one has something to do
/// (TCP_DEFER_ACCEPT, tcp(7)). A client that says nothing is there after [`SILENCE_SECONDS`] all the same.
fn wait_for_requests(socket: &OwnedFd) {
    let seconds: libc::c_int = SILENCE_SECONDS;
    let len = libc::socklen_t::try_from(size_of_val(&seconds)).expect("an integer is small");
    // SAFETY: the pointer and the length are those of `seconds`. Where it fails, clients are accepted as ever.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            len,
        );
    }
}

/// Reads a port as the original does: atoi's number must be in range, and the resolver then wants nothing after it.
fn parse_port(text: &[u8]) -> Result<u16, OsError> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let digits = text.trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let len = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = digits.split_at(len);
    let number = str::from_utf8(number).expect("digits are ASCII");
    match number.parse() {
        Ok(0) | Err(_) => Err(OsError::Port { port: shown() }),
        Ok(port) if rest.is_empty() => Ok(port),
        Ok(_) => Err(OsError::Resolve {
            reason: "Servname not supported for ai_socktype".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::socket::getsockname;

    use super::*;
    use crate::connection::Connection;
    use crate::poll::{self, Interest, Waited};

    fn local_address(socket: &OwnedFd) -> SocketAddr {
        let address: SockaddrStorage = getsockname(socket.as_raw_fd()).unwrap();
        match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => SocketAddr::V4((*v4).into()),
            (_, Some(v6)) => SocketAddr::V6((*v6).into()),
            _ => panic!("{address}"),
        }
    }

    fn anywhere() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }

    #[test]
    fn addresses_are_resolved() {
        for (host, port, expected) in [
            ("127.0.0.1", "9000", "127.0.0.1:9000"),
            ("::1", "1", "[::1]:1"),
            ("::", "65535", "[::]:65535"),
            ("127.1", "+80", "127.0.0.1:80"),
        ] {
            let resolved = resolve(host.as_bytes(), port.as_bytes()).unwrap();
            assert_eq!(resolved, [expected.parse().unwrap()], "{host} {port}");
        }
        let itself = resolve(b"*", b"9000").unwrap();
        assert_eq!(itself[0], "[::1]:9000".parse().unwrap());
        let localhost = resolve(b"localhost", b"9000").unwrap();
        assert!(!localhost.is_empty());
        assert!(localhost.iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn ports_are_read_as_in_the_original() {
        for (port, expected) in [
            ("0", "invalid port value '0'"),
            ("65536", "invalid port value '65536'"),
            (
                "99999999999999999999",
                "invalid port value '99999999999999999999'",
            ),
            ("-1", "invalid port value '-1'"),
            ("", "invalid port value ''"),
            ("http", "invalid port value 'http'"),
            ("80x", "getaddrinfo: Servname not supported for ai_socktype"),
        ] {
            let refused = resolve(b"127.0.0.1", port.as_bytes()).unwrap_err();
            assert_eq!(refused.to_string(), expected);
        }
    }

    #[test]
    fn a_host_that_is_none_is_told() {
        let refused = resolve(b"", b"9000").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "getaddrinfo: Name or service not known"
        );
        let refused = resolve(b"\xff", b"9000").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "getaddrinfo: Name or service not known"
        );
    }

    #[test]
    fn a_busy_address_is_told_as_configured() {
        let first = listen(anywhere(), "first", 5).unwrap();
        let refused = listen(local_address(&first), "localhost:9000", 5).unwrap_err();
        let address = "localhost:9000".to_owned();
        assert_eq!(
            refused,
            OsError::Bind {
                address,
                errno: Errno::EADDRINUSE
            }
        );
    }

    #[test]
    fn who_says_nothing_is_accepted_later_than_who_says_something() {
        let socket = listen(anywhere(), "test", 5).unwrap();
        let silent = TcpStream::connect(local_address(&socket)).unwrap();
        let mut talking = TcpStream::connect(local_address(&socket)).unwrap();
        talking.write_all(b"a").unwrap();
        for client in [talking, silent] {
            // The kernel sends its SYN-ACK once more before it gives up waiting for a word.
            let patience = Duration::from_secs(10);
            let waited = poll::wait(&socket, Interest::Readable, Some(patience)).unwrap();
            assert_eq!(waited, Waited::Ready);
            let accepted = Connection::accept(&socket).unwrap();
            assert_eq!(accepted.peer(), Some(client.local_addr().unwrap()));
        }
    }

    #[test]
    fn ipv6_is_listened_to_where_there_is_any() {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        match listen(address, "[::1]:9000", 5) {
            Ok(socket) => {
                let mut client = TcpStream::connect(local_address(&socket)).unwrap();
                client.write_all(b"a").unwrap();
                let accepted = Connection::accept(&socket).unwrap();
                assert_eq!(accepted.peer(), Some(client.local_addr().unwrap()));
            }
            // The machine has none; then this is what the administrator is told.
            Err(OsError::Socket { errno }) => assert_eq!(errno, Errno::EAFNOSUPPORT),
            Err(OsError::Bind { errno, .. }) => assert_eq!(errno, Errno::EADDRNOTAVAIL),
            Err(error) => panic!("{error}"),
        }
    }
}
