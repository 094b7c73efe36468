//! END_REQUEST: how a request ended.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u32};
use nom::{IResult, Parser};

use super::{BODY_LEN, HEADER_LEN, Header, RecordType, RequestId};

/// How a request ended on the level of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProtocolStatus {
    /// The answer is complete.
    #[default]
    RequestComplete,
    /// Refused: the application serves one request at a time on a connection.
    CantMultiplex,
    /// Refused: the application ran out of something.
    Overloaded,
    /// Refused: the application does not know the role.
    UnknownRole,
    /// A status that FastCGI 1.0 does not define.
    Other(u8),
}

impl ProtocolStatus {
    /// Returns the number that stands for the status on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::RequestComplete => 0,
            Self::CantMultiplex => 1,
            Self::Overloaded => 2,
            Self::UnknownRole => 3,
            Self::Other(code) => code,
        }
    }

    /// Returns the status that `code` stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::RequestComplete,
            1 => Self::CantMultiplex,
            2 => Self::Overloaded,
            3 => Self::UnknownRole,
            other => Self::Other(other),
        }
    }
}

/// The body of END_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRequest {
    /// Exit status of the application, 0 for success.
    pub app_status: u32,
    /// How the request ended on the level of the protocol.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// Parses the body.
    ///
    /// # Errors
    /// `Incomplete` while fewer than [`BODY_LEN`] bytes are there.
    pub fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, (app_status, code, _reserved)) = (be_u32, be_u8, take(3usize)).parse(input)?;
        Ok((
            rest,
            Self {
                app_status,
                protocol_status: ProtocolStatus::from_code(code),
            },
        ))
    }

    /// Returns the body as it goes over the wire, the reserved bytes zero.
    #[must_use]
    pub fn encode(&self) -> [u8; BODY_LEN] {
        let [a, b, c, d] = self.app_status.to_be_bytes();
        [a, b, c, d, self.protocol_status.code(), 0, 0, 0]
    }

    /// Returns the whole END_REQUEST record of `request_id`.
    #[must_use]
    pub fn record(&self, request_id: RequestId) -> [u8; HEADER_LEN + BODY_LEN] {
        let mut record = [0; HEADER_LEN + BODY_LEN];
        let header = Header::new(RecordType::EndRequest, request_id, BODY_LEN as u16);
        record[..HEADER_LEN].copy_from_slice(&header.encode());
        record[HEADER_LEN..].copy_from_slice(&self.encode());
        record
    }
}
