//! What a record means: the table of the protocol, type of the record by phase of the request.
//!
//! Only headers are looked at here; the content follows in the connection's steps. A new rule belongs into [`Connection::receive`],
//! together with a line in the tables of `server/tests.rs`.

use super::record_reader::Content;
use super::{Connection, Phase};
use crate::error::{ProtocolError, Reply};
use crate::params::Decoder;
use crate::record::{
    AfterRequest, BODY_LEN, Header, ProtocolStatus, RecordType, RequestId, Role, VERSION,
};

/// What to do with the record whose header was read.
pub(super) enum Received {
    Content(Content),
    /// Skip the content and answer what the violation deserves.
    Violation(ProtocolError),
    /// Skip the content and answer this.
    Reply(Reply),
}

impl Connection {
    /// Decides what the record after `header` means.
    pub(super) fn receive(&mut self, header: Header) -> Result<Received, ProtocolError> {
        let (record_type, request_id) = (header.record_type, header.request_id);
        if record_type == RecordType::GetValues {
            // Its id ought to be 0; there is nothing else that it could mean.
            return Ok(self.get_values(header));
        }
        if request_id == RequestId::NULL {
            return Ok(Received::Violation(ProtocolError::UnknownType {
                record_type,
            }));
        }
        if record_type == RecordType::BeginRequest {
            return self.begin_request(header);
        }
        self.note_end(header);
        if self.phase == Phase::Idle || request_id != self.request.id {
            return Ok(Received::Content(Content::Skip));
        }
        match record_type {
            RecordType::Other(_) => Ok(Received::Violation(ProtocolError::UnknownType {
                record_type,
            })),
            RecordType::AbortRequest => self.abort(request_id),
            _ => self.receive_stream(header),
        }
    }

    /// Decides what a stream record of the running request means.
    fn receive_stream(&mut self, header: Header) -> Result<Received, ProtocolError> {
        let Header {
            record_type,
            request_id,
            content_len,
            ..
        } = header;
        let content = match (record_type, self.phase) {
            (RecordType::Params, Phase::Params) if content_len > 0 => Content::Params,
            (RecordType::Params, Phase::Params) => {
                if !self.decoder.is_between_pairs() {
                    return Err(ProtocolError::TruncatedPair {
                        request_id,
                        record_type,
                    });
                }
                self.phase = Phase::Stdin;
                Content::Skip
            }
            (RecordType::Stdin, Phase::Stdin) | (RecordType::Data, Phase::Data)
                if content_len > 0 =>
            {
                Content::Body
            }
            (RecordType::Stdin, Phase::Stdin) if self.request.role == Role::Filter => {
                self.phase = Phase::Data;
                Content::Skip
            }
            (RecordType::Stdin, Phase::Stdin) | (RecordType::Data, Phase::Data) => {
                self.phase = Phase::Complete;
                Content::Skip
            }
            // Ended once more, or a stream that the role does not have: harmless.
            (
                RecordType::Stdin | RecordType::Data,
                Phase::Stdin | Phase::Data | Phase::Complete,
            ) if content_len == 0 => Content::Skip,
            _ => {
                return Err(ProtocolError::OutOfPlace {
                    request_id,
                    record_type,
                });
            }
        };
        Ok(Received::Content(content))
    }

    fn get_values(&mut self, header: Header) -> Received {
        self.values.clear();
        self.values_decoder = Decoder::default();
        if header.content_len == 0 {
            Received::Reply(Reply::values(&self.values))
        } else {
            Received::Content(Content::Values)
        }
    }

    fn begin_request(&mut self, header: Header) -> Result<Received, ProtocolError> {
        let Header {
            record_type,
            request_id,
            content_len,
            ..
        } = header;
        if self.phase != Phase::Idle {
            return if request_id == self.request.id {
                Err(ProtocolError::OutOfPlace {
                    request_id,
                    record_type,
                })
            } else {
                Ok(Received::Violation(ProtocolError::CantMultiplex {
                    request_id,
                }))
            };
        }
        if usize::from(content_len) != BODY_LEN {
            return Err(ProtocolError::BodyLength {
                record_type,
                len: content_len,
            });
        }
        Ok(Received::Content(Content::Begin))
    }

    /// The client gives the running request up.
    fn abort(&mut self, request_id: RequestId) -> Result<Received, ProtocolError> {
        if self.phase != Phase::Params {
            self.phase = Phase::Aborted;
            return Ok(Received::Content(Content::Skip));
        }
        let aborted = ProtocolError::Aborted { request_id };
        match self.request.after {
            AfterRequest::Close => Err(aborted),
            AfterRequest::Keep => {
                self.phase = Phase::Idle;
                Ok(Received::Reply(Reply::end(
                    request_id,
                    ProtocolStatus::RequestComplete,
                    Some(aborted),
                )))
            }
        }
    }

    /// Notes the end of the last stream of the last request, whether it is still running or not.
    fn note_end(&mut self, header: Header) {
        if header.content_len == 0 && self.unread == Some((header.request_id, header.record_type)) {
            self.unread = None;
        }
    }
}

/// Refuses what is not FastCGI: version 0, and a later version (php-fpm takes those) with a record that no web server sends. The latter
/// is what an HTTP request or a TLS handshake looks like; taken for a record to be ignored, it would be waited for.
pub(super) fn check_version(header: Header) -> Result<(), ProtocolError> {
    if header.version == VERSION
        || header.version > VERSION && header.record_type.is_for_application()
    {
        Ok(())
    } else {
        Err(ProtocolError::Version {
            version: header.version,
        })
    }
}

/// Returns whether the record does something while no request is running.
pub(super) fn starts_something(header: Header) -> bool {
    check_version(header).is_err()
        || header.request_id == RequestId::NULL
        || matches!(
            header.record_type,
            RecordType::BeginRequest | RecordType::GetValues
        )
}
