//! Questions to the kernel about one unix socket (sock_diag(7)): a message there, a message back.
//!
//! The socket is named by its inode. The kernel looks for it in the network namespace of whoever asks.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use nix::sys::stat::{SFlag, fstat};

use super::{Queue, TCP_LISTEN};

/// SOCK_DIAG_BY_FAMILY (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// UDIAG_SHOW_RQLEN (linux/unix_diag.h): tell the lengths of the queues.
const SHOW_QUEUE: u32 = 0x10;
/// UNIX_DIAG_RQLEN (linux/unix_diag.h): the attribute that has them. In a socket that listens they are what waits and what
/// may wait.
const QUEUE: u16 = 4;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct unix_diag_msg`.
const ANSWER: usize = 16;

/// Asks how full the queue of a listening unix socket is.
///
/// # Errors
/// EINVAL when it does not listen, ENOTSOCK when it is no socket, and what keeps this process from asking.
pub(super) fn queue(listener: impl AsFd) -> io::Result<Queue> {
    let told = fstat(&listener)?;
    if told.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFSOCK.bits() {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    // An inode's number is longer than the question has room for; the kernel gives sockets numbers that fit.
    let inode =
        u32::try_from(told.st_ino).map_err(|_| io::Error::from_raw_os_error(libc::ENOENT))?;
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    send(kernel.as_raw_fd(), &question(inode), MsgFlags::MSG_NOSIGNAL)?;
    let mut buffer = [0; 512];
    // The kernel has answered before the question was sent: nothing is waited for.
    let len = recv(kernel.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?;
    answer(buffer.get(..len).unwrap_or(&buffer))
}

/// Writes `struct nlmsghdr` and `struct unix_diag_req`.
fn question(inode: u32) -> Vec<u8> {
    let request = u16::try_from(libc::NLM_F_REQUEST).expect("a flag of 16 bits");
    let family = u8::try_from(libc::AF_UNIX).expect("it is 1");
    let length = u32::try_from(HEADER + 24).expect("40");
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(request.to_ne_bytes());
    // Neither a sequence number nor a port: there is one question and one who asks.
    message.extend([0; 8]);
    // The family, no protocol, two bytes of padding.
    message.extend([family, 0, 0, 0]);
    // A cookie of ones is none.
    for word in [u32::MAX, inode, SHOW_QUEUE, u32::MAX, u32::MAX] {
        message.extend(word.to_ne_bytes());
    }
    message
}

/// Takes what the kernel has answered apart.
fn answer(message: &[u8]) -> io::Result<Queue> {
    let unknown = || io::Error::from(io::ErrorKind::InvalidData);
    let body = message.get(HEADER..).ok_or_else(unknown)?;
    let kind = half(message, 4).ok_or_else(unknown)?;
    if i32::from(kind) == libc::NLMSG_ERROR {
        let errno = word(body, 0).ok_or_else(unknown)?.cast_signed();
        return Err(io::Error::from_raw_os_error(errno.wrapping_neg()));
    }
    if kind != BY_FAMILY || body.len() < ANSWER {
        return Err(unknown());
    }
    if body[2] != TCP_LISTEN {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut attributes = &body[ANSWER..];
    while let (Some(len), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let len = usize::from(len);
        if kind == QUEUE {
            let read = |at| word(attributes, at).ok_or_else(unknown);
            return Ok(Queue {
                waiting: read(4)?,
                capacity: read(8)?,
            });
        }
        // Each begins at a multiple of four; one of no length would never end.
        let next = len.max(4).next_multiple_of(4);
        attributes = attributes.get(next..).unwrap_or_default();
    }
    Err(unknown())
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of the kernel: its kind, and what follows its header.
    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 4];
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    /// What the kernel says of a socket in a state, with attributes.
    fn told(state: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![1, 1, state, 0];
        body.extend([0; 12]);
        for (kind, value) in attributes {
            let len = u16::try_from(4 + value.len()).unwrap();
            body.extend(len.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        message(BY_FAMILY, &body)
    }

    fn lengths(waiting: u32, capacity: u32) -> Vec<u8> {
        [waiting.to_ne_bytes(), capacity.to_ne_bytes()].concat()
    }

    #[test]
    fn the_queue_is_found_among_other_attributes() {
        let queue = Queue {
            waiting: 8,
            capacity: 511,
        };
        let lengths = lengths(8, 511);
        for attributes in [
            &[(QUEUE, &lengths[..])][..],
            &[(0, b"/run/x"), (6, b"\0"), (QUEUE, &lengths)],
        ] {
            assert_eq!(answer(&told(TCP_LISTEN, attributes)).unwrap(), queue);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let lengths = lengths(8, 511);
        let error = |errno: i32| message(2, &errno.to_ne_bytes());
        for (message, errno) in [
            (error(-libc::ENOENT), Some(libc::ENOENT)),
            (error(i32::MIN), Some(i32::MIN)),
            (told(1, &[(QUEUE, &lengths)]), Some(libc::EINVAL)),
            (told(TCP_LISTEN, &[]), None),
            (told(TCP_LISTEN, &[(QUEUE, b"")]), None),
            (message(3, b""), None),
            (Vec::new(), None),
        ] {
            assert_eq!(answer(&message).unwrap_err().raw_os_error(), errno);
        }
    }

    #[test]
    fn no_end_of_a_message_is_believed() {
        let whole = told(TCP_LISTEN, &[(0, b"/run/x"), (QUEUE, &lengths(8, 511))]);
        for len in 0..whole.len() {
            assert!(answer(&whole[..len]).is_err(), "{len}");
        }
        // An attribute that says it has no length.
        let mut odd = told(TCP_LISTEN, &[(0, b"abcd")]);
        odd[HEADER + ANSWER] = 0;
        assert!(answer(&odd).is_err());
    }
}
