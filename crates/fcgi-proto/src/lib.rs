//! FastCGI 1.0 as a state machine over bytes: both sides of the protocol, no sockets, no clock, no PHP.
//!
//! Bytes go in by `space`/`filled` and come out as values; whoever owns the socket also owns its time-outs. Input may be cut anywhere.
//! Three things are decided here and nowhere else: what a record means at which moment ([`server`]), what a peer may send ([`Limits`]),
//! and what it gets for breaking the rules ([`ProtocolError::reply`]).
//!
//! What this crate does not do: the CGI meaning of parameters, the header block inside STDOUT, multiplexing on the server side.
//!
//! ```
//! use fcgi_proto::client::{Decoder, Encoder, Event};
//! use fcgi_proto::record::{AfterRequest, ProtocolStatus, RequestId, Role};
//! use fcgi_proto::response::{Response, Stream};
//! use fcgi_proto::server::{Connection, Progress, StdinRead};
//! use fcgi_proto::{Limits, ProtocolError};
//!
//! # fn main() -> Result<(), ProtocolError> {
//! // A web server asks.
//! let mut encoder = Encoder::new(RequestId(1));
//! encoder.begin(Role::Responder, AfterRequest::Keep);
//! encoder.param(b"SCRIPT_FILENAME", b"/srv/hello.php").param(b"REQUEST_METHOD", b"POST").end_params();
//! encoder.stdin(b"name=world").end_stdin();
//! let mut wire = encoder.as_bytes();
//!
//! // The application reads; `filled` stands for read(2) into `space`.
//! let mut connection = Connection::new(Limits::default());
//! let mut fill = |connection: &mut Connection| {
//!     let space = connection.space();
//!     let n = wire.len().min(space.len());
//!     space[..n].copy_from_slice(&wire[..n]);
//!     wire = &wire[n..];
//!     connection.filled(n);
//! };
//! let mut response = Response::default();
//! loop {
//!     match connection.poll()? {
//!         Progress::NeedInput => fill(&mut connection),
//!         Progress::Reply(_reply) => unreachable!("send _reply.as_bytes()"),
//!         Progress::Request => break,
//!     }
//! }
//! let request = connection.request();
//! assert_eq!(request.params().get(b"REQUEST_METHOD"), Some(&b"POST"[..]));
//! assert_eq!(request.after(), AfterRequest::Keep);
//! response.start(request.id());
//!
//! let mut buffer = [0; 64];
//! let mut body = Vec::new();
//! loop {
//!     match connection.read_stdin(&mut buffer)? {
//!         StdinRead::Bytes(n) => body.extend_from_slice(&buffer[..n]),
//!         StdinRead::NeedInput => fill(&mut connection),
//!         StdinRead::Reply(_reply) => unreachable!("send _reply.as_bytes()"),
//!         StdinRead::End | StdinRead::Aborted => break,
//!     }
//! }
//! assert_eq!(body, b"name=world");
//!
//! // It answers: `write` says how much fits, `buffered` is what write(2) gets, `consume` what it took.
//! assert_eq!(response.write(Stream::Stdout, b"Content-type: text/plain\r\n\r\nHello, world"), 40);
//! response.end(0, ProtocolStatus::RequestComplete);
//! let answer = response.buffered().to_vec();
//! response.consume(answer.len());
//! connection.finish_request();
//! assert!(connection.is_between_requests());
//!
//! // The web server reads.
//! let mut decoder = Decoder::new(Limits::default());
//! decoder.space()[..answer.len()].copy_from_slice(&answer);
//! decoder.filled(answer.len());
//! let Event::Stdout { bytes, .. } = decoder.poll()? else { panic!("output first") };
//! assert!(bytes.ends_with(b"Hello, world"));
//! let Event::End { end, .. } = decoder.poll()? else { panic!("then the end") };
//! assert_eq!(end.protocol_status, ProtocolStatus::RequestComplete);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod input;
mod limits;
pub mod params;
pub mod record;
pub mod response;
pub mod server;

pub use crate::error::{Limited, ProtocolError, Reply};
pub use crate::limits::Limits;
