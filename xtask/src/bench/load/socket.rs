//! The clients' sockets: made to block, used without blocking, so that connecting needs no second step.

use std::fmt;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, UnixAddr, connect, recv,
    send, setsockopt, socket, sockopt,
};

/// Where a daemon or web server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddrV4),
}

/// A connected socket.
pub(super) struct Socket(OwnedFd);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => path.display().fmt(f),
            Address::Tcp(address) => address.fmt(f),
        }
    }
}

impl Socket {
    /// Connects, which on one machine never takes long.
    pub(super) fn connect(address: &Address) -> io::Result<Socket> {
        match address {
            Address::Unix(path) => Ok(Self::unix(path)?),
            Address::Tcp(address) => Ok(Self::tcp(*address)?),
        }
    }

    /// Sends what fits; `None` when nothing does now.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        now_or_later(send(self.0.as_raw_fd(), bytes, flags))
    }

    /// Reads what has come; `None` when nothing has.
    pub(super) fn receive(&self, space: &mut [u8]) -> io::Result<Option<usize>> {
        now_or_later(recv(self.0.as_raw_fd(), space, MsgFlags::MSG_DONTWAIT))
    }

    fn unix(path: &Path) -> nix::Result<Socket> {
        let new = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        connect(new.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Socket(new))
    }

    fn tcp(address: SocketAddrV4) -> nix::Result<Socket> {
        let new = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Tcp,
        )?;
        setsockopt(&new, sockopt::TcpNoDelay, &true)?;
        connect(new.as_raw_fd(), &SockaddrIn::from(address))?;
        Ok(Socket(new))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn now_or_later(result: nix::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
