//! Telling the service manager that started us how we are: datagrams to the socket named by `NOTIFY_SOCKET`.
//!
//! Rule: what is said and when is the caller's; here it is only sent, and never waited for.
//!
//! Original: libsystemd's `sd_notify` (sd_notify(3)), which may wait for a full queue.

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// Sends `state`, lines of `NAME=value`, to the socket at `address`: an absolute path, or `@` and an abstract name.
///
/// # Errors
/// ENOENT, ECONNREFUSED or EACCES when nobody is there; EAGAIN when its queue is full; an error without a number when
/// `address` is of another kind.
pub fn send(address: &OsStr, state: &str) -> io::Result<()> {
    send_with(address, state, &[])
}

/// Sends `state` with descriptors that the service manager is to keep (`FDSTORE=1`).
///
/// # Errors
/// As [`send`].
pub fn send_with(address: &OsStr, state: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        [b'/', ..] => UnixAddr::new(address)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let sent = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(state.as_bytes())],
        if raw.is_empty() { &[] } else { &rights },
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
        Some(&address),
    )?;
    debug_assert_eq!(sent, state.len(), "a datagram is sent whole or not at all");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::IoSliceMut;
    use std::os::fd::AsFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use nix::cmsg_space;
    use nix::sys::socket::recvmsg;

    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 100];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1\nSTATUS=fine").unwrap();
        assert_eq!(receive(&socket), "READY=1\nSTATUS=fine");
    }

    #[test]
    fn an_abstract_name() {
        let name = format!("fpm-os-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), "STOPPING=1").unwrap();
        assert_eq!(receive(&socket), "STOPPING=1");
    }

    #[test]
    fn descriptors_go_with_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        send_with(path.as_os_str(), "FDSTORE=1", &[null.as_fd(), null.as_fd()]).unwrap();
        let (mut text, mut control) = ([0; 100], cmsg_space!([RawFd; 3]));
        let mut buffers = [IoSliceMut::new(&mut text)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message =
            recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags)
                .unwrap();
        let mut rights = message.cmsgs().unwrap();
        let count = match rights.next() {
            Some(nix::sys::socket::ControlMessageOwned::ScmRights(numbers)) => numbers.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((count, message.bytes), (2, 9));
    }

    #[test]
    fn nobody_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let error = send(path.as_os_str(), "READY=1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = send(OsStr::new("relative"), "READY=1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn a_full_queue_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _nobody_reads = UnixDatagram::bind(&path).unwrap();
        let full = std::iter::repeat_with(|| send(path.as_os_str(), "WATCHDOG=1"))
            .find_map(Result::err)
            .unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
