//! Listening sockets that this process was started with, known by their numbers.
//!
//! Rule: a number is believed only when what it names listens; what is not taken is not touched.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt, sockopt};
use serde::{Deserialize, Serialize};

use crate::descriptor::set_nonblocking;
use crate::error::OsError;

/// The numbers below are the standard streams, which everybody uses without owning them.
const FIRST: RawFd = 3;

/// A listening socket that was taken over.
#[derive(Debug)]
pub struct InheritedListener {
    /// The socket, from now on close-on-exec and non-blocking.
    pub socket: OwnedFd,
    /// Where it listens.
    pub bound_to: BoundTo,
}

/// Where a socket listens. As text it is what php-fpm writes: a path, or an address and a port without brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BoundTo {
    /// At a file.
    File(PathBuf),
    /// At an address of the internet family.
    Inet(SocketAddr),
    /// At something that no configuration can name, such as an abstract unix address.
    Other(String),
}

impl fmt::Display for BoundTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Inet(address) => write!(f, "{}:{}", address.ip(), address.port()),
            Self::Other(text) => text.fmt(f),
        }
    }
}

/// Takes over the listening stream socket with this number.
///
/// A second call fails: what this process opens itself is close-on-exec, what it was started with is not, and this
/// marks it.
///
/// # Errors
/// [`OsError::Call`] with EBADF when there is no such descriptor or it is this process's own; [`OsError::NotListening`]
/// when it is something else.
pub fn take(number: RawFd) -> Result<InheritedListener, OsError> {
    let closed = OsError::Call {
        call: "fcntl()",
        errno: Errno::EBADF,
    };
    if number < FIRST {
        return Err(closed);
    }
    // SAFETY: F_GETFD takes no pointer, and a number that is no open descriptor is merely refused.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 {
        return Err(OsError::call("fcntl()")(io::Error::last_os_error()));
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(closed);
    }
    // SAFETY: it is open, and nothing in this process closes it: without FD_CLOEXEC it has survived an exec, so
    // nothing here has opened it or knows of it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let bound_to = bound_to(borrowed).ok_or(OsError::NotListening)?;
    set_nonblocking(borrowed).map_err(OsError::call("fcntl()"))?;
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|errno| OsError::Call {
        call: "fcntl()",
        errno,
    })?;
    // SAFETY: as above it has no owner yet, and from now on FD_CLOEXEC keeps this function from taking it again.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(InheritedListener { socket, bound_to })
}

/// Finds out where a socket listens; `None` when it does not.
fn bound_to(socket: BorrowedFd<'_>) -> Option<BoundTo> {
    let listens = getsockopt(&socket, sockopt::SockType) == Ok(SockType::Stream)
        && getsockopt(&socket, sockopt::AcceptConn) == Ok(true);
    if !listens {
        return None;
    }
    let address: SockaddrStorage = getsockname(socket.as_raw_fd()).ok()?;
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(BoundTo::Inet(SocketAddr::V4((*v4).into())));
    }
    if let Some(v6) = address.as_sockaddr_in6() {
        return Some(BoundTo::Inet(SocketAddr::V6((*v6).into())));
    }
    Some(match address.as_unix_addr() {
        Some(unix) => match unix.path() {
            Some(path) => BoundTo::File(path.to_owned()),
            None => BoundTo::Other(format!("@{}", abstract_name(unix.as_abstract()))),
        },
        None => BoundTo::Other(format!("address family {:?}", address.family())),
    })
}

fn abstract_name(name: Option<&[u8]>) -> String {
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::IntoRawFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{self, UnixListener};

    use nix::fcntl::OFlag;

    use super::*;

    /// Makes a descriptor look as if this process had been started with it.
    fn given(descriptor: impl Into<OwnedFd>) -> RawFd {
        let descriptor = descriptor.into();
        fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        descriptor.into_raw_fd()
    }

    #[test]
    fn listening_sockets_are_taken_once_and_know_their_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let name = format!("fpm-os-inherited-{}", std::process::id());
        let hidden = net::SocketAddr::from_abstract_name(&name).unwrap();
        for (number, bound, text) in [
            (
                given(UnixListener::bind(&path).unwrap()),
                BoundTo::File(path.clone()),
                path.display().to_string(),
            ),
            (given(tcp), BoundTo::Inet(address), address.to_string()),
            (
                given(UnixListener::bind_addr(&hidden).unwrap()),
                BoundTo::Other(format!("@{name}")),
                format!("@{name}"),
            ),
        ] {
            let taken = take(number).unwrap();
            assert_eq!(
                (&taken.bound_to, taken.bound_to.to_string()),
                (&bound, text)
            );
            let flags = fcntl(&taken.socket, FcntlArg::F_GETFL).unwrap();
            assert!(OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
            assert!(take(number).is_err());
        }
    }

    #[test]
    fn ipv6_is_written_without_brackets() {
        let address = BoundTo::Inet("[::1]:9000".parse().unwrap());
        assert_eq!(address.to_string(), "::1:9000");
    }

    #[test]
    fn what_does_not_listen_is_left_alone() {
        let (connected, _other) = net::UnixStream::pair().unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        for number in [given(connected), given(datagrams), given(file)] {
            assert_eq!(take(number).unwrap_err(), OsError::NotListening);
            // SAFETY: `given` has let go of it, and `take` has not taken it.
            let kept = unsafe { OwnedFd::from_raw_fd(number) };
            assert_eq!(fcntl(&kept, FcntlArg::F_GETFD).unwrap(), 0);
        }
    }

    #[test]
    fn our_own_and_closed_ones_are_refused() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        for number in [own.as_raw_fd(), -1, 0, 2, 1_000_000] {
            let refused = take(number).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "fcntl() failed: Bad file descriptor (9)"
            );
        }
    }
}
