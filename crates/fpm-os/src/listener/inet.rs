//! TCP sockets, over IPv4 and IPv6.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c (`fpm_socket_af_inet_socket_by_addr`)

use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockaddrStorage};

use crate::error::OsError;
use crate::listener;

/// How full the queue of a listening TCP socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many there may be (the backlog as the kernel has cut it).
    pub capacity: u32,
}

/// Asks the resolver for all addresses of a host, in its order of preference.
///
/// # Errors
/// [`OsError::Port`] when the port is not in 1..=65535, [`OsError::Resolve`] when there is no address.
pub fn resolve(host: &[u8], port: &[u8]) -> Result<Vec<SocketAddr>, OsError> {
    let port = parse_port(port)?;
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
    listener::listen(&socket, backlog, configured)?;
    Ok(socket)
}

/// Asks the kernel how full the queue of a listening socket is.
///
/// # Errors
/// EOPNOTSUPP when it is not a TCP socket.
pub fn queue(socket: impl AsFd) -> io::Result<Queue> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>())
        .expect("the structure is some hundred bytes");
    // SAFETY: `info` is a place of `len` bytes, and both live during the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it consists of integers only and was zeroed, so every part of it that the kernel leaves out is 0.
    let info = unsafe { info.assume_init() };
    // In a listening socket these two fields mean something else than their names (tcp_get_info in the kernel).
    Ok(Queue {
        waiting: info.tcpi_unacked,
        capacity: info.tcpi_sacked,
    })
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
