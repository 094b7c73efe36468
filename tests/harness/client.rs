//! A FastCGI connection as a web server holds it, every wait bounded by [`PATIENCE`].

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use fcgi_proto::record::{HEADER_LEN, Header, RecordType, VERSION};

use crate::record::Record;
use crate::request::Request;
use crate::{Answer, PATIENCE, Result};

/// Where a pool listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port on the loopback interface.
    Tcp(SocketAddr),
}

/// One open connection to a pool.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "{}", path.display()),
            Self::Tcp(address) => write!(out, "{address}"),
        }
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Fails when nobody listens.
    pub fn open(address: &Address) -> Result<Self> {
        let stream = match address {
            Address::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
            Address::Tcp(address) => TcpStream::connect(address).map(Stream::Tcp),
        };
        let connection = Self {
            stream: stream.with_context(|| format!("cannot connect to {address}"))?,
        };
        connection.set_patience(PATIENCE)?;
        Ok(connection)
    }

    /// Sends a whole request.
    ///
    /// # Errors
    /// Fails when the daemon has closed the connection.
    pub fn send(&mut self, request: &Request) -> Result {
        self.send_bytes(&request.bytes())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Fails when the daemon has closed the connection.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result {
        self.stream.write_all(bytes).context("cannot send")
    }

    /// Sends what the daemon will take; a daemon that hangs up on nonsense need not read all of it.
    pub fn send_if_wanted(&mut self, bytes: &[u8]) {
        // The daemon's verdict is read from the connection, not from this write.
        let _ = self.stream.write_all(bytes);
    }

    /// Says that nothing more will be sent, and goes on listening.
    ///
    /// # Errors
    /// Fails when the connection is gone.
    pub fn shut_down_sending(&self) -> Result {
        match &self.stream {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write)?,
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write)?,
        }
        Ok(())
    }

    /// Reads records up to END_REQUEST.
    ///
    /// # Errors
    /// Fails when the daemon closes before END_REQUEST or is silent for [`PATIENCE`].
    pub fn answer(&mut self) -> Result<Answer> {
        let mut records = Vec::new();
        loop {
            let Some(record) = self.record()? else {
                bail!(
                    "the daemon closed without END_REQUEST after {:?}",
                    Answer::of(records)
                )
            };
            let is_last = record.kind == RecordType::EndRequest;
            records.push(record);
            if is_last {
                return Ok(Answer::of(records));
            }
        }
    }

    /// Reads STDOUT records until the answer contains `text`.
    ///
    /// # Errors
    /// Fails when the answer ends without it.
    pub fn output_until(&mut self, text: &str) -> Result<String> {
        let mut output = Vec::new();
        loop {
            match self.record()? {
                Some(record) if record.kind == RecordType::Stdout => output.extend(record.content),
                Some(record) if record.kind == RecordType::Stderr => {}
                other => bail!(
                    "{text:?} did not come before {other:?}: {}",
                    String::from_utf8_lossy(&output)
                ),
            }
            let so_far = String::from_utf8_lossy(&output);
            if so_far.contains(text) {
                return Ok(so_far.into_owned());
            }
        }
    }

    /// Reads one record; `None` is the end of the connection between two records.
    ///
    /// # Errors
    /// Fails on a torn record and when the daemon is silent for [`PATIENCE`].
    pub fn record(&mut self) -> Result<Option<Record>> {
        let mut header = [0; HEADER_LEN];
        let mut filled = 0;
        while filled < header.len() {
            match self.stream.read(&mut header[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Err(error) if filled == 0 && error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(None);
                }
                Ok(0) => bail!(
                    "the daemon closed in the middle of a header: {:?}",
                    &header[..filled]
                ),
                Ok(count) => filled += count,
                Err(error) => return Err(error).context("no answer"),
            }
        }
        let (_, parsed) = Header::parse(&header)
            .ok()
            .with_context(|| format!("not a FastCGI header: {header:?}"))?;
        if parsed.version != VERSION {
            bail!("not a FastCGI header: {header:?}");
        }
        let mut content = vec![0; usize::from(parsed.content_len)];
        self.stream
            .read_exact(&mut content)
            .context("a record's content is cut off")?;
        let mut filler = vec![0; usize::from(parsed.padding_len)];
        self.stream
            .read_exact(&mut filler)
            .context("a record's padding is cut off")?;
        Ok(Some(Record {
            kind: parsed.record_type,
            id: parsed.request_id.0,
            content,
            padding: parsed.padding_len,
        }))
    }

    /// Waits until the daemon closes, and returns what it sent before.
    ///
    /// # Errors
    /// Fails when the daemon keeps the connection for [`PATIENCE`].
    pub fn wait_for_close(&mut self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        while let Some(record) = self
            .record()
            .context("the daemon does not close the connection")?
        {
            records.push(record);
        }
        Ok(records)
    }

    /// Waits until an answer begins; `false` if the connection ends instead. Nothing is taken from it.
    pub(crate) fn has_answer(&self) -> Result<bool> {
        match recv(
            self.stream.fd().as_raw_fd(),
            &mut [0; 1],
            MsgFlags::MSG_PEEK,
        ) {
            Ok(count) => Ok(count > 0),
            Err(Errno::ECONNRESET) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the daemon says nothing and keeps the connection for that long.
    ///
    /// # Errors
    /// Fails when the connection is broken.
    pub fn is_silent_for(&mut self, time: Duration) -> Result<bool> {
        self.set_patience(time)?;
        let outcome = self.stream.read(&mut [0; 1]);
        self.set_patience(PATIENCE)?;
        match outcome {
            Ok(_) => Ok(false),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn set_patience(&self, time: Duration) -> Result {
        match &self.stream {
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))?;
            }
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))?;
                stream.set_nodelay(true)?;
            }
        }
        Ok(())
    }
}

impl Stream {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
