//! What the fuzz targets do with their input, and the plain test that feeds it the committed corpus and mutations of it.
//!
//! Each body drives one side with bytes of a peer and checks what must hold for any of them: no panic, the same outcome however the
//! input is cut (its first byte says how), and an end (a machine that neither consumes nor reports would loop for ever).

use crate::client::{Decoder, Event};
use crate::params::{self, Params};
use crate::record::{ProtocolStatus, Record, RecordType, RequestId};
use crate::response::{Response, Stream};
use crate::server::{Connection, Progress, StdinRead};
use crate::{Limits, ProtocolError};

/// Small bounds, so that the fuzzer gets to the other side of them.
const LIMITS: Limits = Limits {
    params: 16,
    params_bytes: 512,
    name_bytes: 64,
    value_bytes: 256,
    input_bytes: 64,
};

/// Feeds the application's side.
pub fn server(input: &[u8]) {
    let Some((cut, bytes)) = cut(input) else {
        return;
    };
    assert_eq!(
        Served::all(Wire {
            bytes,
            cut: usize::MAX
        }),
        Served::all(Wire { bytes, cut })
    );
}

/// Feeds the web server's side.
pub fn client(input: &[u8]) {
    let Some((cut, bytes)) = cut(input) else {
        return;
    };
    assert_eq!(
        decode(Wire {
            bytes,
            cut: usize::MAX
        }),
        decode(Wire { bytes, cut })
    );
}

/// Writes an answer in pieces of the input, and checks that nothing of it is lost or reordered on the wire.
pub fn response(input: &[u8]) {
    let Some((cut, bytes)) = cut(input) else {
        return;
    };
    let mut response = Response::with_capacity(256);
    response.start(RequestId(3));
    let (mut written, mut wire) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(cut) {
        let stream = if piece[0] % 3 == 0 {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        written.extend(piece.iter().map(|&byte| (stream.record_type(), byte)));
        let mut rest = piece;
        loop {
            let room = response.room(stream);
            let taken = response.write(stream, rest);
            assert!(taken >= room.min(rest.len()), "room() promised more");
            rest = &rest[taken..];
            if rest.is_empty() {
                break;
            }
            let sent = response.buffered().len().min(cut);
            wire.extend_from_slice(&response.buffered()[..sent]);
            response.consume(sent);
        }
    }
    response.end(0, ProtocolStatus::RequestComplete);
    wire.extend_from_slice(response.buffered());

    let mut read = Vec::new();
    let mut rest = &wire[..];
    while let Ok((after, record)) = Record::parse(rest) {
        rest = after;
        if record.header.record_type != RecordType::EndRequest {
            assert!(!record.content.is_empty(), "empty record");
            read.extend(
                record
                    .content
                    .iter()
                    .map(|&byte| (record.header.record_type, byte)),
            );
        }
    }
    assert_eq!((read, rest), (written, &b""[..]));
}

/// Compares the decoder of pairs in a stream with the parser of whole pairs.
pub fn pairs(input: &[u8]) {
    let Some((cut, bytes)) = cut(input) else {
        return;
    };
    let mut expected = Params::new();
    let mut rest = bytes;
    while let Ok((after, (name, value))) = params::pair(rest) {
        expected.set(name, value);
        rest = after;
    }
    let mut decoder = params::Decoder::default();
    let mut decoded = Params::new();
    let wide = Limits {
        params: usize::MAX,
        params_bytes: usize::MAX,
        name_bytes: usize::MAX,
        value_bytes: usize::MAX,
        ..LIMITS
    };
    for piece in bytes.chunks(cut) {
        assert_eq!(decoder.feed(piece, &mut decoded, &wide), Ok(()));
    }
    assert_eq!(decoded, expected);
    assert_eq!(decoder.is_between_pairs(), rest.is_empty());
}

/// Splits the input into the size of the pieces and the bytes.
fn cut(input: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, bytes) = input.split_first()?;
    Some((usize::from(first % 32) + 1, bytes))
}

/// A transport connection from which at most `cut` bytes come at once.
struct Wire<'w> {
    bytes: &'w [u8],
    cut: usize,
}

impl Wire<'_> {
    /// Does what read(2) would, 0 for the end.
    fn read(&mut self, space: &mut [u8]) -> usize {
        assert!(!space.is_empty(), "no room for more input");
        let n = self.bytes.len().min(self.cut).min(space.len());
        let (piece, rest) = self.bytes.split_at(n);
        space[..n].copy_from_slice(piece);
        self.bytes = rest;
        n
    }
}

/// What a connection made of its input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Served {
    requests: Vec<(RequestId, Params, Vec<u8>)>,
    replies: Vec<u8>,
    error: Option<ProtocolError>,
}

impl Served {
    fn all(mut wire: Wire<'_>) -> Self {
        let mut served = Self::default();
        let mut connection = Connection::new(LIMITS);
        if let Err(error) = served.requests(&mut connection, &mut wire) {
            served
                .replies
                .extend(error.reply().iter().flat_map(|reply| reply.as_bytes()));
            served.error = Some(error);
            assert_eq!(connection.poll(), Err(error), "an error is repeated");
        }
        served
    }

    fn requests(
        &mut self,
        connection: &mut Connection,
        wire: &mut Wire<'_>,
    ) -> Result<(), ProtocolError> {
        loop {
            match connection.poll()? {
                Progress::NeedInput => match wire.read(connection.space()) {
                    0 => return Ok(()),
                    n => connection.filled(n),
                },
                Progress::Reply(reply) => self.replies.extend_from_slice(reply.as_bytes()),
                Progress::Request => {
                    let request = connection.request();
                    self.requests
                        .push((request.id(), request.params().clone(), Vec::new()));
                    if !self.body(connection, wire)? {
                        return Ok(());
                    }
                    connection.finish_request();
                }
            }
        }
    }

    /// Reads the body of the last request. Returns whether the input goes on behind it.
    fn body(
        &mut self,
        connection: &mut Connection,
        wire: &mut Wire<'_>,
    ) -> Result<bool, ProtocolError> {
        let mut piece = [0; 24];
        loop {
            match connection.read_stdin(&mut piece)? {
                StdinRead::Bytes(n) => self.keep_body(&piece[..n]),
                StdinRead::NeedInput if connection.stdin_direct() > 0 => {
                    let direct = connection.stdin_direct().min(piece.len());
                    match wire.read(&mut piece[..direct]) {
                        0 => return Ok(false),
                        n => {
                            connection.stdin_directly_read(n);
                            self.keep_body(&piece[..n]);
                        }
                    }
                }
                StdinRead::NeedInput => match wire.read(connection.space()) {
                    0 => return Ok(false),
                    n => connection.filled(n),
                },
                StdinRead::Reply(reply) => self.replies.extend_from_slice(reply.as_bytes()),
                StdinRead::End | StdinRead::Aborted => return Ok(true),
            }
        }
    }

    fn keep_body(&mut self, piece: &[u8]) {
        if let Some((_, _, body)) = self.requests.last_mut() {
            body.extend_from_slice(piece);
        }
    }
}

/// Decodes all answers into one line per event; pieces of one stream are put together.
fn decode(mut wire: Wire<'_>) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    let mut last = None;
    let mut decoder = Decoder::new(LIMITS);
    loop {
        let event = match decoder.poll() {
            Ok(Event::NeedInput) => match wire.read(decoder.space()) {
                0 => return events,
                n => {
                    decoder.filled(n);
                    continue;
                }
            },
            Ok(Event::Stdout { request_id, bytes }) => Ok((RecordType::Stdout, request_id, bytes)),
            Ok(Event::Stderr { request_id, bytes }) => Ok((RecordType::Stderr, request_id, bytes)),
            other => Err(format!("{other:?}")),
        };
        match event {
            Ok((stream, request_id, bytes)) => {
                if last.replace((stream, request_id)) != Some((stream, request_id))
                    || bytes.is_empty()
                {
                    events.push(format!("{stream} of {request_id}: "));
                }
                if let Some(line) = events.last_mut() {
                    line.push_str(&bytes.escape_ascii().to_string());
                }
            }
            Err(line) => {
                let is_error = line.starts_with("Err");
                events.push(line);
                last = None;
                if is_error {
                    return events;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
