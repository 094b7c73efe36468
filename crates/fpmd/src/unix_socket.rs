//! A connection to a unix socket that is not waited for without limit.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket};
use nix::sys::time::TimeVal;

/// Connects to a unix socket. A full backlog makes connect(2) wait, for as long as writing may (unix(7) does not say so;
/// `unix_stream_connect` in net/unix/af_unix.c).
///
/// # Errors
/// What socket(2) and connect(2) answer; [`io::ErrorKind::WouldBlock`] when the time was over.
pub(crate) fn connect_within(path: &Path, limit: Option<Duration>) -> io::Result<UnixStream> {
    let address = UnixAddr::new(path)?;
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let limit = limit.unwrap_or_default();
    let micros = limit
        .subsec_micros()
        .max(u32::from(limit.subsec_nanos() > 0));
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    setsockopt(
        &socket,
        SendTimeout,
        &TimeVal::new(seconds, i64::from(micros)),
    )?;
    connect(socket.as_raw_fd(), &address)?;
    Ok(UnixStream::from(socket))
}
