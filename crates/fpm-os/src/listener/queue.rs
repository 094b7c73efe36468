//! How many connections wait at a listening socket, and how many can.
//!
//! Rule: whoever has the socket may ask, as any user and without capabilities; what is told is the very moment. A unix socket
//! costs five system calls, one of TCP a single one, so nobody asks at every request.
//!
//! Original: `fpm_socket_get_listening_queue` in sapi/fpm/fpm/fpm_sockets.c (which knows TCP only)

mod unix_diag;

use std::io;
use std::os::fd::AsFd;

use crate::tcp_info::tcp_info;

/// How full the queue of a listening socket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// The backlog as the kernel has cut it to net.core.somaxconn. One more connection than that may wait.
    pub capacity: u32,
}

/// Asks the kernel how full the queue of a listening socket is.
///
/// # Errors
/// EINVAL when it is not a unix or TCP socket that listens. For a unix socket also what keeps this process from asking:
/// EAFNOSUPPORT (systemd's `RestrictAddressFamilies=` without `AF_NETLINK`), ENOENT (a kernel without unix_diag, or the socket
/// is of another network namespace).
pub fn of(socket: impl AsFd) -> io::Result<Queue> {
    match tcp(&socket) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => unix_diag::queue(socket),
        other => other,
    }
}

/// Asks for a socket of TCP.
fn tcp(socket: impl AsFd) -> io::Result<Queue> {
    let info = tcp_info(socket)?;
    if info.tcpi_state != TCP_LISTEN {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // In a listening socket these two fields mean something else than their names (tcp_get_info in the kernel).
    Ok(Queue {
        waiting: info.tcpi_unacked,
        capacity: info.tcpi_sacked,
    })
}

/// The state of a socket that listens (linux/tcp_states.h); sock_diag has the same for unix sockets.
const TCP_LISTEN: u8 = 10;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use super::*;
    use crate::connection::Connection;
    use crate::listener::{inet, unix};

    fn seen(socket: &OwnedFd) -> (u32, u32) {
        let queue = of(socket).unwrap();
        (queue.waiting, queue.capacity)
    }

    /// Lets two clients come and one of them be taken.
    fn comes_and_goes<C>(socket: &OwnedFd, connect: impl Fn() -> C) {
        assert_eq!(seen(socket), (0, 3));
        let _clients = [connect(), connect()];
        assert_eq!(seen(socket), (2, 3));
        Connection::accept(socket).unwrap();
        assert_eq!(seen(socket), (1, 3));
    }

    /// Checks that the kernel's limit is told for backlogs above it.
    fn is_cut(listen: impl Fn(i32) -> OwnedFd) {
        let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let most = most.trim_end().parse().unwrap();
        for backlog in [-1, i32::MAX] {
            assert_eq!(of(listen(backlog)).unwrap().capacity, most);
        }
    }

    #[test]
    fn the_queue_of_tcp_is_counted_and_has_the_backlog() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = inet::listen(anywhere, "test", 3).unwrap();
        let address = TcpListener::from(socket.try_clone().unwrap())
            .local_addr()
            .unwrap();
        comes_and_goes(&socket, || {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"a").unwrap();
            client
        });
        is_cut(|backlog| inet::listen(anywhere, "test", backlog).unwrap());
    }

    #[test]
    fn the_queue_of_a_unix_socket_is_counted_and_has_the_backlog() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listen = |path: &Path, backlog| unix::listen(path, 0o600, backlog).unwrap();
        let socket = listen(&path, 3);
        comes_and_goes(&socket, || UnixStream::connect(&path).unwrap());
        is_cut(|backlog| listen(&folder.path().join("other"), backlog));
    }

    #[test]
    fn a_unix_socket_without_a_name_any_more_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = unix::listen(&path, 0o600, 3).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(seen(&socket), (1, 3));
    }

    #[test]
    fn what_does_not_listen_has_no_queue() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (unix, _other) = UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        for (socket, errno) in [
            (OwnedFd::from(client), libc::EINVAL),
            (unix.into(), libc::EINVAL),
            (file.into(), libc::ENOTSOCK),
        ] {
            assert_eq!(of(&socket).unwrap_err().raw_os_error(), Some(errno));
        }
    }
}
