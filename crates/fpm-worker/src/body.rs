//! The body of a request, read straight into PHP's buffer.
//!
//! It comes from the connection, or from the file that REQUEST_BODY_FILE names (a web server that has stored the upload).
//!
//! Original: sapi_cgi_read_post in sapi/fpm/fpm/fpm_main.c, fcgi_read in main/fastcgi.c.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use fcgi_proto::params::Params;
use fcgi_proto::server::{Connection as Protocol, StdinRead};
use sapi::BodyRead;

use crate::client::Client;
use crate::output::Output;
use crate::script::value;

/// How long a client may be silent in the middle of a body. The original waits for ever; web servers give up after a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// The same when the script is over and only what it left unread is waited for.
const SILENCE_AFTERWARDS: Duration = Duration::from_secs(10);

/// Where a body comes from.
#[derive(Debug)]
pub(crate) struct Body {
    file: Option<File>,
    patience: Duration,
}

/// Whether the stream of a body ended as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Bytes, or the end as the protocol has it.
    Intact,
    /// The client was silent for too long, is gone, or broke the protocol: the connection cannot be used again.
    Broken,
}

impl Default for Body {
    fn default() -> Body {
        Body {
            file: None,
            patience: SILENCE,
        }
    }
}

impl Body {
    /// Says that the script is over.
    pub(crate) fn lose_patience(&mut self) {
        self.patience = SILENCE_AFTERWARDS;
    }

    /// Reads from the file of REQUEST_BODY_FILE, or answers `None` when there is no such variable.
    pub(crate) fn read_file(&mut self, params: &Params, buffer: &mut [u8]) -> Option<BodyRead> {
        let path = value(params, b"REQUEST_BODY_FILE").filter(|path| !path.is_empty())?;
        let mut file = match self.file.take().map_or_else(|| open(path), Ok) {
            Ok(file) => file,
            Err(error) => {
                return Some(BodyRead::CannotOpen {
                    path: path.to_owned(),
                    errno: error.raw_os_error().unwrap_or_default(),
                });
            }
        };
        let read = loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break BodyRead::End,
                Ok(count) => break BodyRead::Bytes(count),
            }
        };
        self.file = Some(file);
        Some(read)
    }

    /// Reads from the connection. What the protocol itself has to say meanwhile goes out through `output`.
    pub(crate) fn read_stream(
        &self,
        client: &Client,
        protocol: &mut Protocol,
        output: &mut Output,
        buffer: &mut [u8],
    ) -> (BodyRead, Stream) {
        loop {
            let read = match protocol.read_stdin(buffer) {
                Ok(StdinRead::Bytes(count)) => return (BodyRead::Bytes(count), Stream::Intact),
                Ok(StdinRead::End) => return (BodyRead::End, Stream::Intact),
                Ok(StdinRead::Aborted) | Err(_) => return (BodyRead::End, Stream::Broken),
                Ok(StdinRead::Reply(reply)) => output.reply(&mut &*client, &reply).map(|()| 0),
                Ok(StdinRead::NeedInput) => self.receive(client, protocol, buffer),
            };
            match read {
                Ok(0) => {}
                Ok(direct) => return (BodyRead::Bytes(direct), Stream::Intact),
                Err(_) => return (BodyRead::End, Stream::Broken),
            }
        }
    }

    /// Waits for bytes and returns how many of them went straight into `buffer`; the others are in the connection's own.
    fn receive(
        &self,
        client: &Client,
        protocol: &mut Protocol,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let direct = protocol.stdin_direct().min(buffer.len());
        let mut parts = [
            IoSliceMut::new(&mut buffer[..direct]),
            IoSliceMut::new(protocol.space()),
        ];
        let count = client.read_patiently(&mut parts, self.patience)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let direct = direct.min(count);
        if direct > 0 {
            protocol.stdin_directly_read(direct);
        }
        protocol.filled(count - direct);
        Ok(direct)
    }
}

fn open(path: &CStr) -> io::Result<File> {
    File::open(OsStr::from_bytes(path.to_bytes()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use fcgi_proto::Limits;
    use fcgi_proto::client::Encoder;
    use fcgi_proto::record::{AfterRequest, RequestId, Role};
    use fcgi_proto::server::Progress;
    use fpm_os::connection::Connection;

    use super::*;
    use crate::client::Arrival;

    /// What a worker has when a request with this body arrives, and the thread that sends it, `piece` bytes at a time.
    fn arriving(
        body: &[u8],
        cut: usize,
        piece: usize,
    ) -> (Client, Protocol, thread::JoinHandle<()>) {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        let mut encoder = Encoder::new(RequestId(1));
        encoder
            .begin(Role::Responder, AfterRequest::Close)
            .param(b"A", b"b")
            .end_params()
            .stdin(body)
            .end_stdin();
        let mut bytes = encoder.as_bytes().to_vec();
        bytes.truncate(bytes.len() - cut);
        let sender = thread::spawn(move || {
            for piece in bytes.chunks(piece) {
                theirs.write_all(piece).expect("it is read");
            }
        });
        let client = Client::new(Connection::adopt(OwnedFd::from(ours)), Arrival::Met);
        let mut protocol = Protocol::new(Limits::default());
        while protocol.poll().expect("well formed") != Progress::Request {
            client.wait(SILENCE).expect("it comes");
            let count = client.read(protocol.space()).expect("it is there");
            protocol.filled(count);
        }
        (client, protocol, sender)
    }

    /// Reads a body as PHP does, in pieces of this size.
    fn read_all(
        body: &Body,
        client: &Client,
        protocol: &mut Protocol,
        at_once: usize,
    ) -> (Vec<u8>, Stream) {
        let (mut all, mut output) = (Vec::new(), Output::default());
        let mut buffer = vec![0; at_once];
        loop {
            match body.read_stream(client, protocol, &mut output, &mut buffer) {
                (BodyRead::Bytes(count), Stream::Intact) => all.extend_from_slice(&buffer[..count]),
                (BodyRead::End, stream) => return (all, stream),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn bodies_arrive_whole_however_they_are_cut() {
        let body: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        for (len, piece, at_once) in [
            (0, 10, 10),
            (1, 1, 1),
            (5_000, 7, 5_120),
            (300_000, 1_000, 16_384),
            (300_000, 100_000, 5_120),
            (300_000, 65_000, 1_000_000),
        ] {
            let (client, mut protocol, sender) = arriving(&body[..len], 0, piece);
            let (read, stream) = read_all(&Body::default(), &client, &mut protocol, at_once);
            assert!(read == body[..len], "{len} {piece} {at_once}");
            assert_eq!(stream, Stream::Intact);
            sender.join().expect("all is sent");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_as_long_as_it_came() {
        let (client, mut protocol, sender) = arriving(&[b'x'; 1000], 500, 100);
        let (read, stream) = read_all(&Body::default(), &client, &mut protocol, 64);
        assert_eq!((read.len(), stream), (508, Stream::Broken));
        sender.join().expect("all is sent");
    }

    #[test]
    fn a_silent_client_is_waited_for_only_so_long() {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        let mut encoder = Encoder::new(RequestId(1));
        encoder
            .begin(Role::Responder, AfterRequest::Close)
            .end_params();
        theirs.write_all(encoder.as_bytes()).expect("there is room");
        let client = Client::new(Connection::adopt(OwnedFd::from(ours)), Arrival::Met);
        let mut protocol = Protocol::new(Limits::default());
        let count = client.read(protocol.space()).expect("it is there");
        protocol.filled(count);
        assert_eq!(protocol.poll(), Ok(Progress::Request));
        let body = Body {
            file: None,
            patience: Duration::from_millis(1),
        };
        let (read, stream) = read_all(&body, &client, &mut protocol, 10);
        assert_eq!((read.len(), stream), (0, Stream::Broken));
    }

    #[test]
    fn request_body_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"from a file").expect("written");
        let path = file.path().to_str().expect("a plain path");
        let mut params = Params::new();
        let mut buffer = [0; 7];
        let mut body = Body::default();
        assert_eq!(body.read_file(&params, &mut buffer), None);
        params.set(b"REQUEST_BODY_FILE", b"");
        assert_eq!(body.read_file(&params, &mut buffer), None);
        params.set(b"REQUEST_BODY_FILE", path.as_bytes());
        for piece in [&b"from a "[..], b"file"] {
            assert_eq!(
                body.read_file(&params, &mut buffer),
                Some(BodyRead::Bytes(piece.len()))
            );
            assert_eq!(&buffer[..piece.len()], piece);
        }
        assert_eq!(body.read_file(&params, &mut buffer), Some(BodyRead::End));
        params.set(b"REQUEST_BODY_FILE", b"/no/such/file");
        assert_eq!(
            Body::default().read_file(&params, &mut buffer),
            Some(BodyRead::CannotOpen {
                path: c"/no/such/file".to_owned(),
                errno: 2
            })
        );
    }
}
