//! Listening sockets, close-on-exec and non-blocking.
//!
//! Rule: what is tried in which order is the caller's; each function here makes one socket or none.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockProtocol, SockType, SockaddrLike, bind, setsockopt,
    shutdown, socket, sockopt,
};

use crate::error::{OsError, errno_of};

pub mod inet;
pub mod inherited;
pub mod queue;
pub mod unix;

/// Opens a stream socket for listening.
fn open(family: AddressFamily) -> Result<OwnedFd, OsError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None::<SockProtocol>)
        .map_err(|errno| OsError::Socket { errno })?;
    // On a new stream socket this cannot fail; the original only warns.
    setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(|errno| OsError::Call {
        call: "setsockopt(SO_REUSEADDR)",
        errno,
    })?;
    Ok(socket)
}

/// Binds a socket; `configured` is how the administrator calls the address.
fn bind_to(socket: &OwnedFd, address: &dyn SockaddrLike, configured: &str) -> Result<(), OsError> {
    bind(socket.as_raw_fd(), address).map_err(|errno| bind_failed(configured, errno))
}

/// Makes the error of an address that cannot be bound.
fn bind_failed(configured: &str, errno: Errno) -> OsError {
    OsError::Bind {
        address: configured.to_owned(),
        errno,
    }
}

/// Lets a bound socket listen. The kernel cuts `backlog` to net.core.somaxconn; a negative one means that maximum.
fn listen(socket: &OwnedFd, backlog: i32, configured: &str) -> Result<(), OsError> {
    // Not through nix, which refuses numbers above the default maximum.
    // SAFETY: listen takes no pointer.
    if unsafe { libc::listen(socket.as_raw_fd(), backlog) } == -1 {
        let errno = errno_of(&io::Error::last_os_error());
        return Err(OsError::Listen {
            address: configured.to_owned(),
            errno,
        });
    }
    Ok(())
}

/// Ends a listening socket in all processes that have it: connecting to its address is refused at once and the address
/// is free. Accepted connections stay. Those that wait are reset on TCP; on a unix socket they can still be accepted.
///
/// # Errors
/// ENOTCONN when it did not listen, or no longer does.
pub fn shut_down(socket: impl AsFd) -> io::Result<()> {
    Ok(shutdown(socket.as_fd().as_raw_fd(), Shutdown::Both)?)
}
