//! Answers of an application: bytes in, events out.
//!
//! Output is handed on as it comes, whatever the records' sizes; only the small fixed bodies wait to be whole.

use crate::Limits;
use crate::error::ProtocolError;
use crate::input::Input;
use crate::params::{self, Params};
use crate::record::{BODY_LEN, EndRequest, HEADER_LEN, Header, RecordType, RequestId, VERSION};

/// What came from the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Event<'a> {
    /// Read more into [`Decoder::space`].
    NeedInput,
    /// A piece of the answer. Empty only for an empty record: the end of the stream, which many applications do not send.
    Stdout {
        /// The request.
        request_id: RequestId,
        /// The piece.
        bytes: &'a [u8],
    },
    /// A piece of the error messages. Empty only for an empty record, as with STDOUT.
    Stderr {
        /// The request.
        request_id: RequestId,
        /// The piece.
        bytes: &'a [u8],
    },
    /// The request is over.
    End {
        /// The request.
        request_id: RequestId,
        /// How it ended.
        end: EndRequest,
    },
    /// The answer to GET_VALUES.
    Values(&'a Params),
    /// The application did not understand a record of this type.
    UnknownType(RecordType),
}

/// Decodes what an application sends on one transport connection.
#[derive(Debug)]
pub struct Decoder {
    input: Input,
    limits: Limits,
    at: At,
    values: Params,
    values_decoder: params::Decoder,
}

/// Where in a record the stream stands.
#[derive(Clone, Copy, Debug)]
enum At {
    /// A header is due.
    Header,
    /// In the content; `left` bytes of it have not been reported, or none, if that has not been reported yet.
    Content { header: Header, left: usize },
    /// In the padding.
    Padding { left: usize },
}

impl Decoder {
    /// Returns a decoder for a new transport connection. Of the limits those for parameters bound GET_VALUES_RESULT.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            input: Input::new(limits.input_bytes),
            limits,
            at: At::Header,
            values: Params::new(),
            values_decoder: params::Decoder::default(),
        }
    }

    /// Makes the decoder ready for the next transport connection.
    pub fn reset(&mut self) {
        self.input.clear();
        self.at = At::Header;
    }

    /// Returns where to read bytes of the application to. Never empty after [`Event::NeedInput`].
    #[must_use]
    pub fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// Says that `n` bytes were read into [`Decoder::space`].
    ///
    /// # Panics
    /// If `n` is larger than the space was.
    pub fn filled(&mut self, n: usize) {
        self.input.filled(n);
    }

    /// Returns whether no record is incomplete, so that the application may close the connection here.
    #[must_use]
    pub fn is_between_records(&self) -> bool {
        matches!(self.at, At::Header) && self.input.is_empty()
    }

    /// Returns the next event.
    ///
    /// # Errors
    /// A violation; the connection is good for nothing afterwards.
    pub fn poll(&mut self) -> Result<Event<'_>, ProtocolError> {
        loop {
            match self.at {
                At::Header => {
                    let Ok((_, header)) = Header::parse(self.input.unread()) else {
                        return Ok(Event::NeedInput);
                    };
                    check(header)?;
                    self.input.consume(HEADER_LEN);
                    self.values.clear();
                    self.values_decoder = params::Decoder::default();
                    self.at = At::Content {
                        header,
                        left: usize::from(header.content_len),
                    };
                }
                At::Padding { left } => {
                    let skipped = left.min(self.input.len());
                    self.input.consume(skipped);
                    self.at = if skipped == left {
                        At::Header
                    } else {
                        At::Padding {
                            left: left - skipped,
                        }
                    };
                    if skipped < left {
                        return Ok(Event::NeedInput);
                    }
                }
                At::Content { left, .. } if left > 0 && self.input.is_empty() => {
                    return Ok(Event::NeedInput);
                }
                At::Content { header, left } => {
                    let Header {
                        record_type,
                        request_id,
                        ..
                    } = header;
                    match record_type {
                        RecordType::Stdout => {
                            let bytes = self.piece(header, left);
                            return Ok(Event::Stdout { request_id, bytes });
                        }
                        RecordType::Stderr => {
                            let bytes = self.piece(header, left);
                            return Ok(Event::Stderr { request_id, bytes });
                        }
                        RecordType::GetValuesResult => {
                            if self.values(header, left)? {
                                return Ok(Event::Values(&self.values));
                            }
                        }
                        _ => return Ok(self.fixed_body(header).unwrap_or(Event::NeedInput)),
                    }
                }
            }
        }
    }

    /// Takes what has arrived of the content.
    fn piece(&mut self, header: Header, left: usize) -> &[u8] {
        let n = left.min(self.input.len());
        self.at = after(header, left - n);
        self.input.take(n)
    }

    /// Decodes what has arrived of GET_VALUES_RESULT. Returns whether that was all.
    fn values(&mut self, header: Header, left: usize) -> Result<bool, ProtocolError> {
        let Header {
            record_type,
            request_id,
            ..
        } = header;
        let n = left.min(self.input.len());
        let piece = &self.input.unread()[..n];
        self.values_decoder
            .feed(piece, &mut self.values, &self.limits)
            .map_err(|(what, limit)| ProtocolError::Limit {
                request_id,
                what,
                limit,
            })?;
        self.input.consume(n);
        if n < left {
            self.at = At::Content {
                header,
                left: left - n,
            };
            return Ok(false);
        }
        if !self.values_decoder.is_between_pairs() {
            return Err(ProtocolError::TruncatedPair {
                request_id,
                record_type,
            });
        }
        self.at = after(header, 0);
        Ok(true)
    }

    /// Returns the event of END_REQUEST or UNKNOWN_TYPE once all of it has arrived.
    fn fixed_body(&mut self, header: Header) -> Option<Event<'static>> {
        let (_, end) = EndRequest::parse(self.input.unread()).ok()?;
        let first = self.input.take(BODY_LEN)[0];
        self.at = after(header, 0);
        Some(if header.record_type == RecordType::EndRequest {
            Event::End {
                request_id: header.request_id,
                end,
            }
        } else {
            Event::UnknownType(RecordType::from_code(first))
        })
    }
}

/// Refuses a record that does not come from an application.
fn check(header: Header) -> Result<(), ProtocolError> {
    if header.version < VERSION {
        return Err(ProtocolError::Version {
            version: header.version,
        });
    }
    let Header {
        record_type,
        request_id,
        content_len,
        ..
    } = header;
    match record_type {
        RecordType::Stdout | RecordType::Stderr | RecordType::GetValuesResult => Ok(()),
        RecordType::EndRequest | RecordType::UnknownType
            if usize::from(content_len) == BODY_LEN =>
        {
            Ok(())
        }
        RecordType::EndRequest | RecordType::UnknownType => Err(ProtocolError::BodyLength {
            record_type,
            len: content_len,
        }),
        _ => Err(ProtocolError::OutOfPlace {
            request_id,
            record_type,
        }),
    }
}

/// Returns where the stream stands when `left` bytes of content are left.
fn after(header: Header, left: usize) -> At {
    match left {
        0 => At::Padding {
            left: usize::from(header.padding_len),
        },
        left => At::Content { header, left },
    }
}
