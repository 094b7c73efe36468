//! What a peer can do wrong, and the bytes that it gets for it.
//!
//! A violation is a value ([`ProtocolError`]); whether the connection survives it is decided where it is found: a violation inside a
//! [`Reply`] is answered and the connection goes on, one that comes as `Err` is answered with [`ProtocolError::reply`], if that has
//! something to say, and the connection is closed.

use crate::params;
use crate::record::{
    BODY_LEN, EndRequest, HEADER_LEN, Header, ProtocolStatus, RecordType, RequestId,
};

/// A violation of FastCGI 1.0, or of the [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A record header of a version that cannot be read: most likely not FastCGI at all.
    #[error("record of FastCGI version {version}")]
    Version {
        /// The version in the header.
        version: u8,
    },
    /// A record of a fixed size has another size.
    #[error("{record_type} record of {len} bytes instead of 8")]
    BodyLength {
        /// What the record is.
        record_type: RecordType,
        /// Length of its content in bytes.
        len: u16,
    },
    /// BEGIN_REQUEST asks for a role that does not exist.
    #[error("request {request_id}: unknown role {role}")]
    UnknownRole {
        /// The refused request.
        request_id: RequestId,
        /// Number of the role.
        role: u16,
    },
    /// BEGIN_REQUEST of a second request before the first one has ended.
    #[error("request {request_id}: another request is running on this connection")]
    CantMultiplex {
        /// The refused request.
        request_id: RequestId,
    },
    /// A record of a type that does not exist, or that cannot be a management record.
    #[error("{record_type} record is unknown here")]
    UnknownType {
        /// The record's type.
        record_type: RecordType,
    },
    /// A record of the running request that cannot come at this point.
    #[error("request {request_id}: {record_type} record out of place")]
    OutOfPlace {
        /// The request.
        request_id: RequestId,
        /// The record's type.
        record_type: RecordType,
    },
    /// PARAMS or the content of GET_VALUES ended inside a name-value pair.
    #[error("request {request_id}: {record_type} ends inside a name-value pair")]
    TruncatedPair {
        /// The request; [`RequestId::NULL`] for management records.
        request_id: RequestId,
        /// The type of the record or stream that ended.
        record_type: RecordType,
    },
    /// More than the limits allow.
    #[error("request {request_id}: {what} over the limit of {limit}")]
    Limit {
        /// The request; [`RequestId::NULL`] for management records.
        request_id: RequestId,
        /// What there was too much of.
        what: Limited,
        /// The bound, see [`Limits`](crate::Limits).
        limit: usize,
    },
    /// The peer gave the request up before its parameters were complete. No violation, but there is nothing to run.
    #[error("request {request_id}: aborted before its parameters were complete")]
    Aborted {
        /// The request.
        request_id: RequestId,
    },
}

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Number of pairs.
    Params,
    /// Bytes of all names and values.
    ParamsBytes,
    /// Bytes of one name.
    NameBytes,
    /// Bytes of one value.
    ValueBytes,
}

impl std::fmt::Display for Limited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Params => "number of parameters",
            Self::ParamsBytes => "size of all parameters",
            Self::NameBytes => "size of a parameter's name",
            Self::ValueBytes => "size of a parameter's value",
        })
    }
}

impl ProtocolError {
    /// Returns what the specification lets the peer have for this: END_REQUEST with a status, UNKNOWN_TYPE, or nothing.
    ///
    /// A malformed stream gets nothing, there is no status for it (FastCGI 1.0, 5.5).
    #[must_use]
    pub fn reply(&self) -> Option<Reply> {
        let end = |request_id, protocol_status| {
            Some(Reply::end(request_id, protocol_status, Some(*self)))
        };
        match *self {
            Self::UnknownRole { request_id, .. } => end(request_id, ProtocolStatus::UnknownRole),
            Self::CantMultiplex { request_id } => end(request_id, ProtocolStatus::CantMultiplex),
            Self::Aborted { request_id } => end(request_id, ProtocolStatus::RequestComplete),
            Self::Limit { request_id, .. } if request_id != RequestId::NULL => {
                end(request_id, ProtocolStatus::Overloaded)
            }
            Self::UnknownType { record_type } => Some(Reply::unknown_type(record_type, *self)),
            Self::Version { .. }
            | Self::BodyLength { .. }
            | Self::OutOfPlace { .. }
            | Self::TruncatedPair { .. }
            | Self::Limit { .. } => None,
        }
    }
}

/// Size of the largest reply: a GET_VALUES_RESULT record with `FCGI_MPXS_CONNS`.
const REPLY_LEN: usize = 32;

/// Bytes that the protocol itself wants sent to the peer, at once and between two records of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    bytes: [u8; REPLY_LEN],
    len: usize,
    violation: Option<ProtocolError>,
}

impl Reply {
    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The violation that is answered; `None` for GET_VALUES_RESULT.
    #[must_use]
    pub fn violation(&self) -> Option<ProtocolError> {
        self.violation
    }

    pub(crate) fn end(
        request_id: RequestId,
        protocol_status: ProtocolStatus,
        violation: Option<ProtocolError>,
    ) -> Self {
        let record = EndRequest {
            app_status: 0,
            protocol_status,
        }
        .record(request_id);
        Self::from_parts(&[&record], violation)
    }

    fn unknown_type(record_type: RecordType, violation: ProtocolError) -> Self {
        let header = Header::new(RecordType::UnknownType, RequestId::NULL, BODY_LEN as u16);
        Self::from_parts(
            &[&header.encode(), &[record_type.code(), 0, 0, 0, 0, 0, 0, 0]],
            Some(violation),
        )
    }

    /// Answers GET_VALUES: only `FCGI_MPXS_CONNS` has a value, and only if it was asked for (php-fpm omits the two others as well).
    pub(crate) fn values(asked: &params::Params) -> Self {
        const NAME: &[u8] = b"FCGI_MPXS_CONNS";
        let mut reply = Self {
            bytes: [0; REPLY_LEN],
            len: 0,
            violation: None,
        };
        let content: &[&[u8]] = if asked.get(NAME).is_some() {
            &[&[NAME.len() as u8, 1], NAME, b"0"]
        } else {
            &[]
        };
        let len: usize = content.iter().map(|part| part.len()).sum();
        let header = Header::new(RecordType::GetValuesResult, RequestId::NULL, len as u16);
        reply.push(&header.encode());
        content.iter().for_each(|part| reply.push(part));
        reply.len += usize::from(header.padding_len);
        reply
    }

    fn from_parts(parts: &[&[u8]], violation: Option<ProtocolError>) -> Self {
        let mut reply = Self {
            bytes: [0; REPLY_LEN],
            len: 0,
            violation,
        };
        parts.iter().for_each(|part| reply.push(part));
        reply
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("bytes", &self.as_bytes())
            .field("violation", &self.violation)
            .finish()
    }
}

const _: () = assert!(HEADER_LEN + BODY_LEN <= REPLY_LEN && HEADER_LEN + 24 <= REPLY_LEN);
