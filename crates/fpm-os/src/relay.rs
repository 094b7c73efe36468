//! A queue of open sockets: one process puts them in, several others wait for them and take them out, each socket once.
//!
//! It is a pair of stream sockets, and a socket in the queue is one byte that carries its descriptor (SCM_RIGHTS, unix(7)). So the
//! kernel keeps what is in it while nobody looks, wakes as many as there is to take, and can say how much that is.
//! Rule: nothing here waits.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use crate::seqpacket::{self, Patience};

/// Both ends of a queue.
#[derive(Debug)]
pub struct Relay {
    entrance: OwnedFd,
    exit: OwnedFd,
}

/// Whether a socket was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It was.
    Yes,
    /// The queue is full, or too many descriptors are in flight: it is possible again a moment later.
    NotNow,
}

/// What was taken out.
#[derive(Debug)]
pub enum Taken {
    /// A socket.
    Socket(OwnedFd),
    /// Nothing is there, at least no more.
    Nothing,
    /// Nothing will ever be there: nobody has the entrance any more.
    Closed,
}

impl Relay {
    /// Creates an empty queue.
    ///
    /// # Errors
    /// What socketpair(2) answers.
    pub fn create() -> io::Result<Relay> {
        let (entrance, exit) = UnixStream::pair()?;
        Ok(Relay::adopt(entrance.into(), exit.into()))
    }

    /// Takes over the ends of a queue that another program has created.
    #[must_use]
    pub fn adopt(entrance: OwnedFd, exit: OwnedFd) -> Relay {
        Relay { entrance, exit }
    }

    /// Returns the end that sockets are put in at.
    #[must_use]
    pub fn entrance(&self) -> BorrowedFd<'_> {
        self.entrance.as_fd()
    }

    /// Returns the end for those who take them out.
    #[must_use]
    pub fn exit(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    /// Puts a socket in; the caller's descriptor may be closed then.
    ///
    /// # Errors
    /// What sendmsg(2) answers when it will never be possible.
    pub fn pass(&self, socket: impl AsFd) -> io::Result<Passed> {
        let parts = [IoSlice::new(b"c")];
        let sent = seqpacket::send(&self.entrance, &parts, &[socket.as_fd()], Patience::AtOnce);
        match sent {
            Ok(()) => Ok(Passed::Yes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Passed::NotNow),
            Err(error) if error.raw_os_error() == Some(Errno::ETOOMANYREFS as i32) => {
                Ok(Passed::NotNow)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns how many sockets are in a queue, asked at its exit.
///
/// # Errors
/// None that the system documents for this use.
pub fn waiting(exit: impl AsFd) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    let exit = exit.as_fd().as_raw_fd();
    // SAFETY: FIONREAD stores an int (unix(7), SIOCINQ), and `bytes` is one that lives during the call.
    let result = unsafe { libc::ioctl(exit, libc::FIONREAD, &raw mut bytes) };
    Errno::result(result)?;
    Ok(u32::try_from(bytes).unwrap_or(0))
}

/// Takes a socket out at the exit of a queue.
///
/// # Errors
/// What recvmsg(2) answers; a socket for which this process has no descriptor left is lost, which is EMFILE.
pub fn take(exit: impl AsFd) -> io::Result<Taken> {
    let mut packet = match seqpacket::receive(exit, &mut [0], Patience::AtOnce) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Taken::Nothing),
        received => received?,
    };
    match packet.descriptors.pop() {
        Some(socket) => Ok(Taken::Socket(socket)),
        None if packet.truncated => Err(Errno::EMFILE.into()),
        None if packet.len == 0 => Ok(Taken::Closed),
        None => Ok(Taken::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn taken(relay: &Relay) -> Option<UnixStream> {
        match take(relay.exit()).unwrap() {
            Taken::Socket(socket) => Some(socket.into()),
            Taken::Nothing => None,
            Taken::Closed => panic!("the entrance is there"),
        }
    }

    #[test]
    fn sockets_come_out_in_turn_with_what_was_sent_through_them() {
        let relay = Relay::create().unwrap();
        assert!(taken(&relay).is_none());
        let mut clients = Vec::new();
        for text in [b"1", b"2", b"3"] {
            let (mut client, server) = UnixStream::pair().unwrap();
            client.write_all(text).unwrap();
            assert_eq!(relay.pass(&server).unwrap(), Passed::Yes);
            clients.push(client);
        }
        for (left, text) in [(3, b"1"), (2, b"2"), (1, b"3")] {
            assert_eq!(waiting(relay.exit()).unwrap(), left);
            let mut read = [0];
            let mut server = taken(&relay).unwrap();
            server.read_exact(&mut read).unwrap();
            assert_eq!(&read, text);
        }
        assert_eq!(waiting(relay.exit()).unwrap(), 0);
        assert!(taken(&relay).is_none());
    }

    #[test]
    fn a_full_queue_says_so_and_takes_more_when_somebody_has_taken_one() {
        let relay = Relay::create().unwrap();
        let (socket, _client) = UnixStream::pair().unwrap();
        let mut passed = 0;
        while relay.pass(&socket).unwrap() == Passed::Yes {
            passed += 1;
        }
        assert_eq!(waiting(relay.exit()).unwrap(), passed);
        while taken(&relay).is_some() {}
        assert_eq!(relay.pass(&socket).unwrap(), Passed::Yes);
    }

    #[test]
    fn the_end_is_told_behind_what_is_left() {
        let Relay { entrance, exit } = Relay::create().unwrap();
        let (socket, _client) = UnixStream::pair().unwrap();
        let relay = Relay::adopt(entrance, exit.try_clone().unwrap());
        relay.pass(&socket).unwrap();
        drop(relay);
        assert!(matches!(take(&exit).unwrap(), Taken::Socket(_)));
        assert!(matches!(take(&exit).unwrap(), Taken::Closed));
    }

    #[test]
    fn a_byte_without_a_socket_is_nothing() {
        let relay = Relay::create().unwrap();
        let parts = [IoSlice::new(b"c")];
        seqpacket::send(relay.entrance(), &parts, &[], Patience::AtOnce).unwrap();
        assert!(taken(&relay).is_none());
    }
}
