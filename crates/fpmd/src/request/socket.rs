//! A connection that must be through with everything by a certain time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::options::Address;
use crate::unix_socket::connect_within;

/// A connection to an application. Reading and writing may go on in two threads at once.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Connects; `limit` is the time for this and all that follows.
    ///
    /// # Errors
    /// [`Failure::Connect`] or [`Failure::TooLate`].
    pub(super) fn connect(address: &Address, limit: Option<Duration>) -> Result<Self, Failure> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let stream = match address {
            Address::Unix(path) => connect_within(path, limit).map(Stream::Unix),
            Address::Tcp(host, port) => connect_tcp(host, *port, deadline).map(Stream::Tcp),
        };
        match stream {
            Ok(stream) => Ok(Self { stream, deadline }),
            Err(error) if is_late(&error) => Err(Failure::TooLate),
            Err(error) => Err(Failure::Connect {
                address: address.clone(),
                error,
            }),
        }
    }

    /// Reads what is there, at least one byte; 0 is the end.
    ///
    /// # Errors
    /// [`Failure::Connection`] or [`Failure::TooLate`].
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = || {
            let left = time_left(self.deadline)?;
            match &self.stream {
                Stream::Unix(stream) => stream
                    .set_read_timeout(left)
                    .and_then(|()| (&*stream).read(buffer)),
                Stream::Tcp(stream) => stream
                    .set_read_timeout(left)
                    .and_then(|()| (&*stream).read(buffer)),
            }
        };
        again(read).map_err(failure)
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// [`Failure::Connection`] or [`Failure::TooLate`].
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let write = || {
                let left = time_left(self.deadline)?;
                match &self.stream {
                    Stream::Unix(stream) => stream
                        .set_write_timeout(left)
                        .and_then(|()| (&*stream).write(bytes)),
                    Stream::Tcp(stream) => stream
                        .set_write_timeout(left)
                        .and_then(|()| (&*stream).write(bytes)),
                }
            };
            let n = again(write).map_err(failure)?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Ends both directions, which also ends a read or write in another thread.
    pub(super) fn close(&self) {
        // It fails when the other side was faster.
        let _ = match &self.stream {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self {
            stream: Stream::Unix(stream),
            deadline: None,
        }
    }
}

/// Connects to the first address of a host that answers.
fn connect_tcp(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        let connected = match time_left(deadline)? {
            Some(left) => TcpStream::connect_timeout(&address, left),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns the time that is left, never zero; `None` for no limit.
fn time_left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(Some(left)),
        _ => Err(ErrorKind::TimedOut.into()),
    }
}

/// Repeats a call that a signal interrupts.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn failure(error: io::Error) -> Failure {
    if is_late(&error) {
        Failure::TooLate
    } else {
        Failure::Connection(error)
    }
}
