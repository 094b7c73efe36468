//! Answers as they come, compared with what they should be, byte by byte.

use fcgi_proto::client::{Decoder, Event};
use fcgi_proto::record::ProtocolStatus;
use fcgi_proto::{Limits, ProtocolError};

use super::Protocol;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::bench) enum Wrong {
    #[error("the answer is not FastCGI: {0}")]
    Protocol(#[from] ProtocolError),
    #[error("another body than expected: byte {position} differs; it comes with {piece:?}")]
    Body { position: usize, piece: String },
    #[error("the answer ends after {0} bytes of the body")]
    Short(usize),
    #[error("the daemon refused the request: {0:?}")]
    Refused(ProtocolStatus),
    #[error("the daemon reports an error: {0:?}")]
    Stderr(String),
    #[error("a record that answers nothing")]
    Stray,
}

/// Reads answers, one after the other, on one connection at a time.
pub(super) struct Reader<'a> {
    wire: Wire,
    body: Body<'a>,
}

/// What the bytes are framed in.
enum Wire {
    FastCgi(Box<Decoder>),
    Http(Box<[u8]>),
}

/// Compares head and body as they come.
struct Body<'a> {
    expected: &'a [u8],
    /// How much of the empty line that ends the head has come; 4 is all of it.
    blank: usize,
    /// How much of the body has come.
    position: usize,
}

/// The end of the head.
const BLANK: &[u8; 4] = b"\r\n\r\n";

/// Bounds of the space to read into, in bytes.
const SMALLEST: usize = 16 << 10;
const LARGEST: usize = 256 << 10;

impl<'a> Reader<'a> {
    pub(super) fn new(protocol: Protocol, expected: &'a [u8]) -> Reader<'a> {
        let space = expected.len().clamp(SMALLEST, LARGEST);
        let wire = match protocol {
            Protocol::FastCgi => Wire::FastCgi(Box::new(Decoder::new(Limits {
                input_bytes: space,
                ..Limits::default()
            }))),
            Protocol::Http => Wire::Http(vec![0; space].into_boxed_slice()),
        };
        Reader {
            wire,
            body: Body {
                expected,
                blank: 0,
                position: 0,
            },
        }
    }

    /// Forgets what came over the connection before.
    pub(super) fn reset(&mut self) {
        if let Wire::FastCgi(decoder) = &mut self.wire {
            decoder.reset();
        }
        self.body.restart();
    }

    /// Where to read to.
    pub(super) fn space(&mut self) -> &mut [u8] {
        match &mut self.wire {
            Wire::FastCgi(decoder) => decoder.space(),
            Wire::Http(buffer) => buffer,
        }
    }

    /// Takes `count` bytes of the space and says whether the answer is complete. Then the next one may come.
    pub(super) fn filled(&mut self, count: usize) -> Result<bool, Wrong> {
        let is_complete = match &mut self.wire {
            Wire::Http(buffer) => {
                self.body.take(&buffer[..count])?;
                self.body.is_complete()
            }
            Wire::FastCgi(decoder) => {
                decoder.filled(count);
                has_ended(decoder, &mut self.body)?
            }
        };
        if is_complete {
            self.body.restart();
        }
        Ok(is_complete)
    }
}

/// Takes the records there are up to END_REQUEST.
fn has_ended(decoder: &mut Decoder, body: &mut Body<'_>) -> Result<bool, Wrong> {
    loop {
        match decoder.poll()? {
            Event::NeedInput => return Ok(false),
            Event::Stdout { bytes, .. } => body.take(bytes)?,
            Event::Stderr { bytes: b"", .. } => {}
            Event::Stderr { bytes, .. } => {
                return Err(Wrong::Stderr(String::from_utf8_lossy(bytes).into_owned()));
            }
            Event::End { end, .. } if end.protocol_status != ProtocolStatus::RequestComplete => {
                return Err(Wrong::Refused(end.protocol_status));
            }
            Event::End { .. } if body.is_complete() => return Ok(true),
            Event::End { .. } => return Err(Wrong::Short(body.position)),
            Event::Values(_) | Event::UnknownType(_) => return Err(Wrong::Stray),
        }
    }
}

impl Body<'_> {
    fn take(&mut self, piece: &[u8]) -> Result<(), Wrong> {
        let body = &piece[self.skip_head(piece)..];
        let expected = &self.expected[self.position..];
        if expected.starts_with(body) {
            self.position += body.len();
            return Ok(());
        }
        let same = body
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        let shown = &body[..body.len().min(200)];
        Err(Wrong::Body {
            position: self.position + same,
            piece: String::from_utf8_lossy(shown).into_owned(),
        })
    }

    /// Returns how much of the piece is head.
    fn skip_head(&mut self, piece: &[u8]) -> usize {
        for (index, byte) in piece.iter().enumerate() {
            if self.blank == BLANK.len() {
                return index;
            }
            // A byte that breaks the empty line may be the first of the next one.
            self.blank = match () {
                () if *byte == BLANK[self.blank] => self.blank + 1,
                () if *byte == BLANK[0] => 1,
                () => 0,
            };
        }
        piece.len()
    }

    fn is_complete(&self) -> bool {
        self.blank == BLANK.len() && self.position == self.expected.len()
    }

    fn restart(&mut self) {
        self.blank = 0;
        self.position = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_proto::record::RequestId;
    use fcgi_proto::response::{Response, Stream};

    /// Feeds bytes in pieces of `size`; says whether the last one completed an answer.
    fn feed(reader: &mut Reader<'_>, bytes: &[u8], size: usize) -> Result<bool, Wrong> {
        let mut complete = false;
        for piece in bytes.chunks(size) {
            reader.space()[..piece.len()].copy_from_slice(piece);
            complete = reader.filled(piece.len())?;
        }
        Ok(complete)
    }

    fn fastcgi(output: &[u8]) -> Vec<u8> {
        let mut response = Response::default();
        response.start(RequestId(1));
        assert_eq!(response.write(Stream::Stdout, output), output.len());
        response.end(0, ProtocolStatus::RequestComplete);
        response.buffered().to_vec()
    }

    #[test]
    fn answers_are_told_from_their_framing_however_they_are_cut() {
        let answers = [
            (Protocol::FastCgi, fastcgi(b"A: b\r\n\r\nbody\r\n\r\n")),
            (
                Protocol::Http,
                b"HTTP/1.1 200 OK\r\r\n\r\nbody\r\n\r\n".to_vec(),
            ),
        ];
        for (protocol, bytes) in answers {
            for size in [1, 3, 7, 1000] {
                let mut reader = Reader::new(protocol, b"body\r\n\r\n");
                for _ in 0..3 {
                    assert_eq!(
                        feed(&mut reader, &bytes, size),
                        Ok(true),
                        "{protocol:?} {size}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_wrong_byte_a_short_and_a_long_body_are_seen() {
        let verdict = |output: &[u8]| {
            feed(
                &mut Reader::new(Protocol::FastCgi, b"body"),
                &fastcgi(output),
                1000,
            )
        };
        assert_eq!(verdict(b"\r\n\r\nbody"), Ok(true));
        assert!(matches!(
            verdict(b"\r\n\r\nbOdy"),
            Err(Wrong::Body { position: 1, .. })
        ));
        assert_eq!(verdict(b"\r\n\r\nbod"), Err(Wrong::Short(3)));
        assert!(matches!(
            verdict(b"\r\n\r\nbodys"),
            Err(Wrong::Body { position: 4, .. })
        ));
        assert_eq!(verdict(b"no head"), Err(Wrong::Short(0)));
    }
}
