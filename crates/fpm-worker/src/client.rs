//! The client's end of a request: a non-blocking socket with the waits that a worker allows itself.
//!
//! Reading is bounded in time wherever the original would wait for ever. Writing is not: how long a client may take for its
//! answer is `request_terminate_timeout`'s to say.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use fcgi_proto::server::Connection as Protocol;
use fpm_os::clock;
use fpm_os::connection::Connection as Socket;
use fpm_os::poll::{self, Interest, Waited};

/// How long a client that has been answered but still sends is listened to.
const LINGER: Duration = Duration::from_secs(2);

/// How many bytes of what such a client sends are read.
const LINGER_BYTES: usize = 1 << 20;

/// How a worker came by a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was in the queue when the worker looked.
    Queued,
    /// The worker was waiting for it.
    Met,
}

/// One connected client.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    arrival: Arrival,
}

impl Client {
    pub(crate) fn new(socket: Socket, arrival: Arrival) -> Client {
        Client { socket, arrival }
    }

    /// Returns the client's address; `None` for a unix socket.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.socket.peer().map(|peer| peer.ip())
    }

    /// Tells, once, whether the client was in the queue for so long that it has given up.
    pub(crate) fn has_given_up(&mut self) -> bool {
        match std::mem::replace(&mut self.arrival, Arrival::Met) {
            Arrival::Queued => self.socket.is_abandoned(),
            Arrival::Met => false,
        }
    }

    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, and what read(2) answers.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Reads into several places, waiting for the first byte at most for `patience`; 0 is the end.
    ///
    /// # Errors
    /// `TimedOut`, and what readv(2) answers.
    pub(crate) fn read_patiently(
        &self,
        parts: &mut [IoSliceMut<'_>],
        patience: Duration,
    ) -> io::Result<usize> {
        loop {
            match self.socket.read_parts(parts) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(patience)?;
                }
                other => return other,
            }
        }
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// `TimedOut`, and what poll(2) answers.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<()> {
        match poll::wait(&self.socket, Interest::Readable, Some(patience))? {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Closes the connection so that the answer arrives.
    ///
    /// Closing while something is unread makes the kernel reset the connection, which may overtake the answer. Only then, and
    /// for a bounded time, the client is asked to finish first.
    pub(crate) fn hang_up(self, protocol: &mut Protocol) {
        self.read_rest(protocol);
        if protocol.is_fully_read() || self.socket.finish_writing().is_err() {
            return;
        }
        let deadline = clock::monotonic() + LINGER;
        let mut read = 0;
        let mut sink = [0; 16 << 10];
        while read < LINGER_BYTES {
            let patience = deadline.saturating_sub(clock::monotonic());
            match self.read_patiently(&mut [IoSliceMut::new(&mut sink)], patience) {
                Ok(0) | Err(_) => return,
                Ok(count) => read += count,
            }
        }
    }

    /// Takes in what has arrived already: usually just the end of the request's body.
    fn read_rest(&self, protocol: &mut Protocol) {
        protocol.finish_request();
        if !protocol.is_fully_read()
            && !protocol.space().is_empty()
            && let Ok(count) = self.read(protocol.space())
        {
            protocol.filled(count);
            protocol.finish_request();
        }
    }
}

impl Write for &Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.socket.write(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll::wait(&self.socket, Interest::Writable, None)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
