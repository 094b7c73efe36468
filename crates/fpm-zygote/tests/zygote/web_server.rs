//! The web server's part: a connection to a pool's socket, requests and their answers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use fcgi_proto::Limits;
use fcgi_proto::client::{Decoder, Encoder, Event};
use fcgi_proto::record::{AfterRequest, RequestId, Role};

use crate::master::DEADLINE;
use crate::site::Site;

/// A request that is being made up.
pub(crate) struct Request {
    after: AfterRequest,
    params: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Request {
    /// A GET request for a script of the site.
    pub(crate) fn get(site: &Site, name: &str) -> Request {
        let path = site.path(name);
        let pairs = [
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_FILENAME", path.to_str().expect("a plain path")),
            ("SCRIPT_NAME", &format!("/{name}")),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
        ];
        Request {
            after: AfterRequest::Close,
            params: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(site: &Site, name: &str, kind: &str, body: &[u8]) -> Request {
        let mut request = Request::get(site, name)
            .with("REQUEST_METHOD", "POST")
            .with("CONTENT_TYPE", kind)
            .with("CONTENT_LENGTH", &body.len().to_string());
        request.body = body.to_vec();
        request
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Request {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn keep(mut self) -> Request {
        self.after = AfterRequest::Keep;
        self
    }

    /// The bytes of the request.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(RequestId(1));
        encoder.begin(Role::Responder, self.after);
        for (name, value) in &self.params {
            encoder.param(name.as_bytes(), value.as_bytes());
        }
        encoder.end_params().stdin(&self.body).end_stdin();
        encoder.as_bytes().to_vec()
    }
}

/// A connection to a pool.
pub(crate) struct Connection {
    stream: UnixStream,
    decoder: Decoder,
}

impl Connection {
    pub(crate) fn open(socket: &Path) -> Connection {
        let stream = UnixStream::connect(socket).expect("the socket listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a time limit");
        stream
            .set_write_timeout(Some(DEADLINE))
            .expect("a time limit");
        Connection {
            stream,
            decoder: Decoder::new(Limits::default()),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the worker reads");
    }

    /// Reads an answer up to END_REQUEST.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut stdout = Vec::new();
        let mut answer = Answer::default();
        loop {
            match self.decoder.poll().expect("a well-formed answer") {
                Event::Stdout { bytes, .. } => stdout.extend_from_slice(bytes),
                Event::Stderr { bytes, .. } => {
                    answer.stderr.push_str(&String::from_utf8_lossy(bytes));
                }
                Event::End { .. } => break,
                Event::NeedInput => {
                    let count = self
                        .stream
                        .read(self.decoder.space())
                        .expect("an answer in time");
                    assert!(count > 0, "the answer ends early: {stdout:?}");
                    self.decoder.filled(count);
                }
                other => panic!("{other:?}"),
            }
        }
        let split = stdout.windows(4).position(|four| four == b"\r\n\r\n");
        let split = split.expect("an answer has a head");
        answer.head = String::from_utf8_lossy(&stdout[..split]).into_owned();
        answer.body = stdout[split + 4..].to_vec();
        answer
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.send(&request.encoded());
        self.answer()
    }

    /// Waits for the end of the connection and returns what came before it.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .expect("the end, in time");
        rest
    }
}

/// Makes one request on a connection of its own.
pub(crate) fn ask(site: &Site, request: &Request) -> Answer {
    let mut connection = Connection::open(&site.socket());
    let answer = connection.ask(request);
    assert_eq!(connection.rest(), b"", "nothing follows the end");
    answer
}
