//! Who is at the other end of a unix socket.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Pid, Uid};

/// The process that connected, as it was then. The kernel vouches for it (SO_PEERCRED, unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process; it may have ended since.
    pub pid: Pid,
    /// Its effective user.
    pub uid: Uid,
}

/// Finds out who connected to a unix socket, or who is listening at one that was connected to.
///
/// # Errors
/// What getsockopt(2) answers.
pub fn of(socket: impl AsFd) -> io::Result<Peer> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Peer {
        pid: Pid::from_raw(credentials.pid()),
        uid: Uid::from_raw(credentials.uid()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let expected = Peer {
            pid: Pid::this(),
            uid: Uid::effective(),
        };
        assert_eq!(of(&one).unwrap(), expected);
    }
}
