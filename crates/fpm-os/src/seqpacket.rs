//! Sockets that keep message boundaries and carry descriptors (SOCK_SEQPACKET, SCM_RIGHTS).
//!
//! Rule: no message is empty, so that a length of 0 always means the other end is gone.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, getsockopt,
    recvmsg, sendmsg, socketpair, sockopt,
};

/// The kernel takes at most this many descriptors in one message (SCM_MAX_FD, unix(7)).
pub const MAX_DESCRIPTORS: usize = 253;

/// The number under which a process finds the socket that its parent passed on: the first after stderr.
pub const INHERITED: RawFd = 3;

/// Whether a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Waits until it can be done.
    Wait,
    /// Answers EAGAIN when it cannot be done at once.
    AtOnce,
}

/// One message as it was received.
#[derive(Debug)]
pub struct Packet {
    /// How many bytes of the buffer it fills; 0 means that the other end is gone.
    pub len: usize,
    /// Whether the message was larger than the buffer, or carried more descriptors than this process may have:
    /// the rest is lost.
    pub truncated: bool,
    /// The descriptors that came with it, all close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Creates a connected pair, both ends close-on-exec.
///
/// # Errors
/// What socketpair(2) answers.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok(ends)
}

/// Takes over the socket that the parent process left at descriptor 3.
///
/// A second call fails: what this process opens itself is close-on-exec, what is inherited is not, and this
/// marks it.
///
/// # Errors
/// EBADF when there is no such descriptor or it is this process's own, ENOTSOCK or EPROTOTYPE when it is
/// something else than a SOCK_SEQPACKET socket.
pub fn inherited() -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD takes no pointer, and a number that is no open descriptor is merely refused.
    let flags = unsafe { libc::fcntl(INHERITED, libc::F_GETFD) };
    if flags == -1 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open, and nothing in this process closes it: without FD_CLOEXEC it has survived an exec, so
    // nothing here has opened it or knows of it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(INHERITED) };
    if getsockopt(&borrowed, sockopt::SockType)? != SockType::SeqPacket {
        return Err(io::Error::from_raw_os_error(libc::EPROTOTYPE));
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: as above it has no owner yet, and from now on FD_CLOEXEC keeps this function from taking it again.
    Ok(unsafe { OwnedFd::from_raw_fd(INHERITED) })
}

/// Tells whether a descriptor is a socket of this kind.
#[must_use]
pub fn is_one(descriptor: impl AsFd) -> bool {
    getsockopt(&descriptor, sockopt::SockType) == Ok(SockType::SeqPacket)
}

/// Sends one message with descriptors. A peer that is gone is EPIPE, never SIGPIPE.
///
/// # Errors
/// What sendmsg(2) answers: EAGAIN, EPIPE, ECONNRESET, EMSGSIZE, ETOOMANYREFS; EINVAL for an empty message.
pub fn send(
    socket: impl AsFd,
    message: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    patience: Patience,
) -> io::Result<()> {
    if message.iter().all(|part| part.is_empty()) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | patience.flag();
    let socket = socket.as_fd().as_raw_fd();
    loop {
        match sendmsg::<()>(socket, message, control, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Receives one message into `buffer`.
///
/// # Errors
/// What recvmsg(2) answers: EAGAIN, ECONNRESET.
pub fn receive(socket: impl AsFd, buffer: &mut [u8], patience: Patience) -> io::Result<Packet> {
    let mut control = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | patience.flag();
    let socket = socket.as_fd().as_raw_fd();
    let message = loop {
        match recvmsg::<()>(socket, &mut parts, Some(&mut control), flags) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let lost = MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC;
    let mut packet = Packet {
        len: message.bytes,
        truncated: message.flags.intersects(lost),
        descriptors: Vec::new(),
    };
    // nix shows nothing of a control area that was cut. There is room for the most there can be, so that happens
    // only when this process may open no more descriptors; the caller then gives the connection up.
    if let Ok(parts) = message.cmsgs() {
        for part in parts {
            if let ControlMessageOwned::ScmRights(raw) = part {
                packet.descriptors.extend(raw.into_iter().map(own));
            }
        }
    }
    Ok(packet)
}

impl Patience {
    /// Returns the flag for sendmsg(2) and recvmsg(2).
    fn flag(self) -> MsgFlags {
        match self {
            Patience::Wait => MsgFlags::empty(),
            Patience::AtOnce => MsgFlags::MSG_DONTWAIT,
        }
    }
}

/// Takes ownership of a descriptor that SCM_RIGHTS has brought.
fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for this process; nobody else knows its number.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::iter;

    use super::*;

    fn text(socket: &OwnedFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(
            socket,
            &[IoSlice::new(message)],
            descriptors,
            Patience::AtOnce,
        )
    }

    #[test]
    fn boundaries_are_kept_and_the_end_is_a_length_of_zero() {
        let (one, other) = pair().unwrap();
        text(&one, b"abc", &[]).unwrap();
        send(
            &one,
            &[IoSlice::new(b"d"), IoSlice::new(b"ef")],
            &[],
            Patience::Wait,
        )
        .unwrap();
        drop(one);
        let mut buffer = [0; 16];
        for expected in [&b"abc"[..], b"def", b""] {
            let packet = receive(&other, &mut buffer, Patience::AtOnce).unwrap();
            assert_eq!(&buffer[..packet.len], expected);
            assert!(!packet.truncated);
        }
    }

    #[test]
    fn nothing_there_and_no_room_are_would_block() {
        let (one, other) = pair().unwrap();
        let nothing = receive(&other, &mut [0; 8], Patience::AtOnce).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        let full = iter::repeat_with(|| text(&one, &[7; 4096], &[])).find_map(Result::err);
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_not_a_signal() {
        let (one, other) = pair().unwrap();
        drop(other);
        assert_eq!(
            text(&one, b"x", &[]).unwrap_err().raw_os_error(),
            Some(libc::EPIPE)
        );
    }

    #[test]
    fn an_empty_message_is_refused() {
        let (one, _other) = pair().unwrap();
        assert_eq!(
            text(&one, b"", &[]).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    #[test]
    fn a_message_larger_than_the_buffer_says_so() {
        let (one, other) = pair().unwrap();
        text(&one, b"abcdef", &[]).unwrap();
        let packet = receive(&other, &mut [0; 3], Patience::AtOnce).unwrap();
        assert_eq!((packet.len, packet.truncated), (3, true));
    }

    #[test]
    fn descriptors_arrive_open_and_close_on_exec() {
        let (one, other) = pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let many = [writer.as_fd(); MAX_DESCRIPTORS];
        text(&one, b"x", &many).unwrap();
        drop(writer);
        let packet = receive(&other, &mut [0; 1], Patience::AtOnce).unwrap();
        assert_eq!(packet.descriptors.len(), MAX_DESCRIPTORS);
        for descriptor in packet.descriptors {
            let flags = fcntl(&descriptor, FcntlArg::F_GETFD).unwrap();
            assert_eq!(flags, libc::FD_CLOEXEC);
            File::from(descriptor).write_all(b".").unwrap();
        }
        let mut written = Vec::new();
        reader.read_to_end(&mut written).unwrap();
        assert_eq!(written.len(), MAX_DESCRIPTORS);
    }

    #[test]
    fn more_descriptors_than_the_kernel_takes_are_refused() {
        let (one, other) = pair().unwrap();
        let many = [other.as_fd(); MAX_DESCRIPTORS + 1];
        assert_eq!(
            text(&one, b"x", &many).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
}
