//! Accepted connections: close-on-exec, written to without SIGPIPE, and waited for only by the call that says so.
//!
//! Rules: one call here is one system call; a worker's time per request is counted in them. The sockets are blocking ones,
//! because the kernel waits for room cheaper than two calls around poll(2) could; whatever must not wait says that to the kernel.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    MsgFlags, Shutdown, SockType, SockaddrLike, SockaddrStorage, getpeername, getsockopt, recv,
    recvmsg, sendmsg, setsockopt, shutdown, sockopt,
};

use crate::tcp_info::tcp_info;

/// One connection of a client.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    peer: Option<SocketAddr>,
}

impl Connection {
    /// Takes the next connection from a listening socket's queue.
    ///
    /// # Errors
    /// What accept(2) answers: EAGAIN when another process was quicker; ECONNABORTED, EMFILE, …; EINVAL when the
    /// socket no longer listens.
    pub fn accept(listener: impl AsFd) -> io::Result<Connection> {
        let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut len = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>())
            .expect("the structure is 128 bytes");
        // SAFETY: `address` is a place of `len` bytes, and both live during the call.
        let socket = unsafe {
            libc::accept4(
                listener.as_fd().as_raw_fd(),
                address.as_mut_ptr().cast(),
                &raw mut len,
                libc::SOCK_CLOEXEC,
            )
        };
        if socket == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: `address` was zeroed, and the kernel has written an address of `len` bytes.
        let address = unsafe { SockaddrStorage::from_raw(address.as_ptr().cast(), Some(len)) };
        Ok(Connection {
            socket,
            peer: address.as_ref().and_then(internet_address),
        })
    }

    /// Takes over a connected, blocking stream socket that is no accepted one, as one of a pair.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> Connection {
        Connection { socket, peer: None }
    }

    /// Takes over a connection that another process has accepted.
    ///
    /// # Errors
    /// What getpeername(2) answers: ENOTCONN when the client is gone.
    pub fn taken_over(socket: OwnedFd) -> io::Result<Connection> {
        let address: SockaddrStorage = getpeername(socket.as_raw_fd())?;
        Ok(Connection {
            socket,
            peer: internet_address(&address),
        })
    }

    /// Returns the client's address; `None` for a unix socket.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Reads what is there; 0 means that the client sends no more.
    ///
    /// # Errors
    /// EAGAIN when nothing is there; ECONNRESET, EINTR.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.socket.as_raw_fd();
        Ok(recv(socket, buffer, MsgFlags::MSG_DONTWAIT)?)
    }

    /// Reads what is there into several buffers, in order; 0 means that the client sends no more.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub fn read_parts(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let socket = self.socket.as_raw_fd();
        Ok(recvmsg::<()>(socket, buffers, None, MsgFlags::MSG_DONTWAIT)?.bytes)
    }

    /// Writes as much of the parts, in order, as there is room for, and returns how many bytes that was.
    ///
    /// # Errors
    /// EAGAIN when there is no room; EPIPE or ECONNRESET when the client is gone; EINTR. A signal never comes of
    /// it, whatever a script has done to SIGPIPE.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, MsgFlags::MSG_DONTWAIT)
    }

    /// Writes the parts, in order, and waits for room as long as it takes; returns how many bytes that was, which are all
    /// unless a signal came in between.
    ///
    /// # Errors
    /// As [`Connection::write`], but never EAGAIN.
    pub fn write_patiently(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, MsgFlags::empty())
    }

    fn send(&self, parts: &[IoSlice<'_>], flags: MsgFlags) -> io::Result<usize> {
        let (socket, flags) = (self.socket.as_raw_fd(), flags | MsgFlags::MSG_NOSIGNAL);
        Ok(sendmsg::<()>(socket, parts, &[], flags, None)?)
    }

    /// Lets small writes leave at once (TCP_NODELAY). Without it the end of an answer waits until the client has
    /// acknowledged what came before, up to 40 ms on a kept connection.
    ///
    /// # Errors
    /// EOPNOTSUPP when it is not TCP.
    pub fn send_at_once(&self) -> io::Result<()> {
        Ok(setsockopt(&self.socket, sockopt::TcpNoDelay, &true)?)
    }

    /// Tells the client that nothing more will come.
    ///
    /// # Errors
    /// ENOTCONN when the client is gone.
    pub fn finish_writing(&self) -> io::Result<()> {
        Ok(shutdown(self.socket.as_raw_fd(), Shutdown::Write)?)
    }

    /// Returns how long ago the client's last bytes arrived, read or not; since the connection was made when none has. The
    /// kernel counts in ticks of a few milliseconds.
    ///
    /// # Errors
    /// EOPNOTSUPP when it is not TCP.
    pub fn since_last_bytes(&self) -> io::Result<Duration> {
        let info = tcp_info(self)?;
        Ok(Duration::from_millis(info.tcpi_last_data_recv.into()))
    }

    /// Tells whether nobody waits for the answer: the connection was reset, or a client on a unix socket has closed
    /// it. A client that only will not send any more (lighttpd, after its request) still waits; one on TCP that has
    /// closed looks the same until it is written to.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        let mut interest = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        // These two are told whether asked for or not (poll(2)). A call that fails tells nothing.
        matches!(poll(&mut interest, PollTimeout::ZERO), Ok(1))
            && interest[0]
                .revents()
                .is_some_and(|told| told.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }
}

/// What a client has done that nobody has read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Nothing.
    Silent,
    /// It has sent something.
    Speaks,
    /// It has closed the connection, or there is none.
    Gone,
}

/// Tells what a client has done on a connection, of which nothing is read. A descriptor of something else is nobody's.
#[must_use]
pub fn speech(socket: impl AsFd) -> Speech {
    if getsockopt(&socket, sockopt::SockType) != Ok(SockType::Stream) {
        return Speech::Gone;
    }
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    loop {
        return match recv(socket.as_fd().as_raw_fd(), &mut [0], flags) {
            Ok(0) => Speech::Gone,
            Ok(_) => Speech::Speaks,
            Err(Errno::EAGAIN) => Speech::Silent,
            Err(Errno::EINTR) => continue,
            Err(_) => Speech::Gone,
        };
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Translates an address of TCP; `None` for those of other families.
fn internet_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::from(*v4)));
    }
    address
        .as_sockaddr_in6()
        .map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Instant;

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    fn unix() -> (Connection, UnixStream) {
        let (ours, client) = UnixStream::pair().unwrap();
        (Connection::adopt(ours.into()), client)
    }

    fn tcp() -> (Connection, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Connection::accept(&listener).unwrap(), client)
    }

    #[test]
    fn an_accepted_connection_has_a_peer_and_the_right_flags() {
        let (connection, client) = tcp();
        assert_eq!(connection.peer(), Some(client.local_addr().unwrap()));
        assert_eq!(
            fcntl(&connection, FcntlArg::F_GETFD).unwrap(),
            libc::FD_CLOEXEC
        );

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let nobody = Connection::accept(&listener).unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        let _client = UnixStream::connect(&path).unwrap();
        assert_eq!(Connection::accept(&listener).unwrap().peer(), None);
    }

    #[test]
    fn bytes_go_both_ways_in_parts() {
        let (connection, mut client) = unix();
        let nothing = connection.read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"abcdef").unwrap();
        let (mut one, mut other) = ([0; 2], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(connection.read_parts(&mut buffers).unwrap(), 6);
        assert_eq!((&one, &other[..4]), (b"ab", &b"cdef"[..]));

        assert_eq!(
            connection
                .write(&[IoSlice::new(b"xy"), IoSlice::new(b"z")])
                .unwrap(),
            3
        );
        connection.finish_writing().unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "xyz");
        drop(client);
        assert_eq!(connection.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn small_writes_leave_at_once_on_tcp() {
        let (connection, _client) = tcp();
        assert!(!getsockopt(&connection, sockopt::TcpNoDelay).unwrap());
        connection.send_at_once().unwrap();
        assert!(getsockopt(&connection, sockopt::TcpNoDelay).unwrap());
        let refused = unix().0.send_at_once().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn tcp_knows_when_bytes_came() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"request").unwrap();
        let sent = Instant::now();
        // Ticks are counted, not time: two clocks may be a tick apart at either end.
        const TICK: Duration = Duration::from_millis(10);
        let connection = Connection::accept(&listener).unwrap();
        while connection.since_last_bytes().unwrap() < 3 * TICK {}
        assert!(sent.elapsed() > TICK);
        client.write_all(b"more").unwrap();
        while connection.since_last_bytes().unwrap() > 2 * TICK {}
        let refused = unix().0.since_last_bytes().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn writing_stops_where_there_is_no_more_room() {
        let (connection, _client) = unix();
        let large = vec![0; 1 << 20];
        let written = connection.write(&[IoSlice::new(&large)]).unwrap();
        assert!(written < large.len());
        let full = connection.write(&[IoSlice::new(&large)]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn patient_writing_waits_for_room_and_notices_when_nobody_makes_any() {
        let (connection, mut client) = unix();
        let large = vec![7; 5 << 20];
        let all = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut all = vec![0; 5 << 20];
                client.read_exact(&mut all).map(|()| (client, all))
            });
            let written = connection.write_patiently(&[IoSlice::new(&large)]).unwrap();
            assert_eq!(written, large.len());
            reader.join().unwrap().unwrap()
        });
        assert!(all.1 == large);
        std::thread::scope(|scope| {
            let leaver = scope.spawn(move || {
                let mut client = all.0;
                client.read_exact(&mut [0; 4096])
            });
            let written = connection.write_patiently(&[IoSlice::new(&large)]);
            assert!(written.is_ok_and(|count| count < large.len()));
            let gone = connection
                .write_patiently(&[IoSlice::new(&large)])
                .unwrap_err();
            assert_eq!(gone.raw_os_error(), Some(libc::EPIPE));
            leaver.join().unwrap().unwrap();
        });
    }

    #[test]
    fn writing_to_nobody_is_an_error_and_not_a_signal() {
        let (connection, client) = unix();
        drop(client);
        let error = connection.write(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_client_that_waits_is_not_taken_for_gone() {
        for half_closed in [false, true] {
            let (over_unix, client) = unix();
            let (over_tcp, tcp_client) = tcp();
            if half_closed {
                client.shutdown(std::net::Shutdown::Write).unwrap();
                tcp_client.shutdown(std::net::Shutdown::Write).unwrap();
                assert_eq!(over_unix.read(&mut [0]).unwrap(), 0);
            }
            assert!(!over_unix.is_abandoned());
            assert!(!over_tcp.is_abandoned());
        }
    }

    #[test]
    fn a_client_that_is_gone_is_found_out_even_before_its_bytes_are_read() {
        let (connection, mut client) = unix();
        client.write_all(b"request").unwrap();
        assert!(!connection.is_abandoned());
        drop(client);
        assert!(connection.is_abandoned());

        let (connection, client) = tcp();
        // A close with nothing to linger for is a reset (socket(7), SO_LINGER).
        let reset = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(&client, sockopt::Linger, &reset).unwrap();
        drop(client);
        assert!(connection.is_abandoned());
    }

    #[test]
    fn what_a_client_does_is_told_and_left_for_whoever_takes_over() {
        let (on_unix, unix_client) = unix();
        let (on_tcp, tcp_client) = tcp();
        for (ours, client) in [
            (on_unix.socket, OwnedFd::from(unix_client)),
            (on_tcp.socket, OwnedFd::from(tcp_client)),
        ] {
            let mut client = File::from(client);
            assert_eq!(speech(&ours), Speech::Silent);
            client.write_all(b"x").unwrap();
            while speech(&ours) == Speech::Silent {}
            assert_eq!(speech(&ours), Speech::Speaks);
            let ours = Connection::taken_over(ours).unwrap();
            assert_eq!(ours.read(&mut [0; 2]).unwrap(), 1);
            drop(client);
            while speech(&ours) == Speech::Silent {}
            assert_eq!(speech(&ours), Speech::Gone);
        }
    }

    #[test]
    fn a_connection_that_is_taken_over_has_its_peer() {
        let (connection, client) = tcp();
        let taken = Connection::taken_over(connection.socket).unwrap();
        assert_eq!(taken.peer(), Some(client.local_addr().unwrap()));
        let (connection, _client) = unix();
        assert_eq!(
            Connection::taken_over(connection.socket).unwrap().peer(),
            None
        );
    }

    #[test]
    fn what_is_no_connection_is_nobodys() {
        let (reader, _writer) = io::pipe().unwrap();
        assert_eq!(speech(&reader), Speech::Gone);
    }
}
