//! One request and its answer over a connection.
//!
//! The request is written by a thread of its own: an application may answer before it has read the body, and both sides would wait for
//! each other for ever.

use std::io::Write;
use std::thread;

use bstr::BString;
use fcgi_proto::Limits;
use fcgi_proto::client::{Decoder, Encoder, Event};
use fcgi_proto::record::{AfterRequest, EndRequest, ProtocolStatus, RequestId, Role};

use super::answer::Answer;
use super::failure::Failure;
use super::socket::Socket;

const REQUEST: RequestId = RequestId(1);

/// Returns the bytes of a request.
pub(super) fn encode(variables: &[(BString, BString)], body: Option<&[u8]>) -> Vec<u8> {
    let mut encoder = Encoder::new(REQUEST);
    encoder
        .begin(Role::Responder, AfterRequest::Close)
        .params(
            variables
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice())),
        )
        .end_params()
        .stdin(body.unwrap_or_default())
        .end_stdin();
    encoder.into_bytes()
}

/// Sends the request and hands the answer on while it comes.
///
/// # Errors
/// Whatever keeps the answer from being complete.
pub(super) fn exchange<O: Write, E: Write>(
    socket: &Socket,
    request: &[u8],
    answer: &mut Answer<O, E>,
) -> Result<EndRequest, Failure> {
    thread::scope(|scope| {
        let writer = scope.spawn(|| socket.write_all(request));
        let received = receive(socket, answer);
        // A writer that is still at it writes what nobody is going to read.
        socket.close();
        let sent = writer.join().expect("the writer does not panic");
        match (received, sent) {
            // The application has gone because of what happened to the request, which says more.
            (Err(Failure::Closed), Err(failure @ Failure::TooLate)) => Err(failure),
            (received, _) => received,
        }
    })
}

/// Reads records up to END_REQUEST.
fn receive<O: Write, E: Write>(
    socket: &Socket,
    answer: &mut Answer<O, E>,
) -> Result<EndRequest, Failure> {
    let mut decoder = Decoder::new(Limits {
        input_bytes: 128 << 10,
        ..Limits::default()
    });
    loop {
        match decoder.poll()? {
            Event::NeedInput => match socket.read(decoder.space())? {
                0 => return Err(Failure::Closed),
                n => decoder.filled(n),
            },
            Event::Stdout { bytes, .. } => answer.output(bytes)?,
            Event::Stderr { bytes, .. } => answer.message(bytes),
            Event::End { end, .. } if end.protocol_status == ProtocolStatus::RequestComplete => {
                return Ok(end);
            }
            Event::End { end, .. } => return Err(Failure::Refused(end.protocol_status)),
            Event::UnknownType(record_type) => return Err(Failure::NotUnderstood(record_type)),
            // Nobody asked, but it does no harm.
            Event::Values(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use fcgi_proto::response::{Response, Stream};
    use fcgi_proto::server::{Connection, Progress};

    use super::super::answer::Show;
    use super::*;

    /// Lets `application` answer a request; returns what was printed and how it ended.
    fn asked(
        application: impl FnOnce(UnixStream) + Send,
        body: &[u8],
    ) -> (String, Result<u32, String>) {
        let (here, there) = UnixStream::pair().expect("two ends");
        let request = encode(&[("A".into(), "b".into())], Some(body));
        let mut stdout = Vec::new();
        let end = thread::scope(|scope| {
            scope.spawn(|| application(there));
            let mut answer = Answer::new(Show::All, &mut stdout, Vec::new());
            exchange(&Socket::from(here), &request, &mut answer)
        });
        let end = end
            .map(|end| end.app_status)
            .map_err(|failure| failure.to_string());
        (String::from_utf8(stdout).expect("text"), end)
    }

    fn response(parts: &[(Stream, &[u8])], end: Option<ProtocolStatus>) -> Vec<u8> {
        let mut response = Response::default();
        response.start(REQUEST);
        for (stream, bytes) in parts {
            assert_eq!(response.write(*stream, bytes), bytes.len());
        }
        if let Some(status) = end {
            response.end(7, status);
        }
        response.buffered().to_vec()
    }

    #[test]
    fn complete() {
        let application = |mut stream: UnixStream| {
            let mut connection = Connection::new(Limits::default());
            while connection.poll().expect("a request") != Progress::Request {
                let n = stream.read(connection.space()).expect("input");
                connection.filled(n);
            }
            assert_eq!(connection.request().params().get(b"A"), Some(&b"b"[..]));
            let parts = [
                (Stream::Stdout, &b"\r\n"[..]),
                (Stream::Stderr, b"message"),
                (Stream::Stdout, b"page"),
            ];
            stream
                .write_all(&response(&parts, Some(ProtocolStatus::RequestComplete)))
                .expect("output");
        };
        assert_eq!(asked(application, b"body"), ("\r\npage".to_owned(), Ok(7)));
    }

    #[test]
    fn answered_before_the_body_was_read() {
        let application = |mut stream: UnixStream| {
            let page = [&b"\n"[..], &[b'x'; 29_999]].concat();
            for _ in 0..100 {
                stream
                    .write_all(&response(&[(Stream::Stdout, &page)], None))
                    .expect("output");
            }
            stream
                .write_all(&response(&[], Some(ProtocolStatus::RequestComplete)))
                .expect("output");
        };
        let (page, end) = asked(application, &vec![b'y'; 3_000_000]);
        assert_eq!((page.len(), end), (3_000_000, Ok(7)));
    }

    #[test]
    fn incomplete() {
        type Answers<'a> = &'a [(&'a [u8], &'a str)];
        let refused = response(&[], Some(ProtocolStatus::Overloaded));
        let cut = response(&[(Stream::Stdout, b"half")], None);
        let cases: Answers<'_> = &[
            (
                b"",
                "the application closed the connection before the answer was complete",
            ),
            (
                &cut,
                "the application closed the connection before the answer was complete",
            ),
            (&refused, "the application refused the request: Overloaded"),
            (
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
                "the application breaks the protocol: request 21584: type 84 record out of place",
            ),
        ];
        for (bytes, expected) in cases {
            let application = |mut stream: UnixStream| {
                // Takes the request first: what is unread at the end would make the kernel drop the answer.
                let mut request = [0; 1024];
                let _n = stream.read(&mut request).expect("the request");
                stream.write_all(bytes).expect("output");
            };
            let (_, end) = asked(application, b"");
            assert_eq!(end, Err((*expected).to_owned()));
        }
    }
}
