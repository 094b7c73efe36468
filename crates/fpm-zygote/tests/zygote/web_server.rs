//! The web server's part: a connection to a pool's socket, requests and their answers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bstr::ByteSlice;
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

    /// What is no HTTP request.
    pub(crate) fn without_method(site: &Site, name: &str) -> Request {
        let mut request = Request::get(site, name);
        request.params.retain(|(name, _)| name != "REQUEST_METHOD");
        request
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
    stdout: Vec<u8>,
    stderr: String,
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
            stdout: Vec::new(),
            stderr: String::new(),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the worker reads");
    }

    /// Reads until the answer has this in it.
    pub(crate) fn until(&mut self, text: &str) {
        while !self.stdout.contains_str(text) {
            let more = self.more();
            assert!(
                more,
                "the answer ends before '{text}': {:?}",
                self.stdout.as_bstr()
            );
        }
    }

    /// Reads an answer up to END_REQUEST.
    pub(crate) fn answer(&mut self) -> Answer {
        while self.more() {}
        let stdout = std::mem::take(&mut self.stdout);
        let split = stdout.find("\r\n\r\n").expect("an answer has a head");
        Answer {
            head: String::from_utf8_lossy(&stdout[..split]).into_owned(),
            body: stdout[split + 4..].to_vec(),
            stderr: std::mem::take(&mut self.stderr),
        }
    }

    /// Takes the next piece of an answer; false at its end.
    fn more(&mut self) -> bool {
        loop {
            match self.decoder.poll().expect("a well-formed answer") {
                Event::Stdout { bytes, .. } => {
                    self.stdout.extend_from_slice(bytes);
                    return true;
                }
                Event::Stderr { bytes, .. } => {
                    self.stderr.push_str(&bytes.to_str_lossy());
                    return true;
                }
                Event::End { .. } => return false,
                Event::NeedInput => {
                    let count = self
                        .stream
                        .read(self.decoder.space())
                        .expect("an answer in time");
                    assert!(
                        count > 0,
                        "the answer ends early: {:?}",
                        self.stdout.as_bstr()
                    );
                    self.decoder.filled(count);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        self.send(&request.encoded());
        self.answer()
    }

    /// Asks and waits until the answer has begun with this.
    pub(crate) fn begin(&mut self, request: &Request, text: &str) {
        self.send(&request.encoded());
        self.until(text);
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
