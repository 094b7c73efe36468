//! The record layer: headers, record types and the fixed bodies of BEGIN_REQUEST and END_REQUEST.
//!
//! Everything here is a value or a parser over one complete piece; what a record means at a given moment is decided in
//! [`crate::server`] and [`crate::client`]. Parsers are nom *streaming* parsers: too little input is `Incomplete`, never an error.
//!
//! Original: main/fastcgi.h

mod begin;
mod end;

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u16};
use nom::{IResult, Parser};

pub use self::begin::{AfterRequest, BeginRequest, Role};
pub use self::end::{EndRequest, ProtocolStatus};

/// The version that this crate writes. As php-fpm does, it reads later ones as well.
pub const VERSION: u8 = 1;

/// Size of a record header in bytes.
pub const HEADER_LEN: usize = 8;

/// Largest content of one record in bytes.
pub const MAX_CONTENT_LEN: usize = 0xffff;

/// Largest content of one record, in bytes, that needs no padding to keep the next header on a multiple of 8.
pub const MAX_ALIGNED_CONTENT_LEN: usize = 0xfff8;

/// Size of the body of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE in bytes.
pub const BODY_LEN: usize = 8;

/// The zero bytes that padding is taken from.
pub(crate) const ZEROS: [u8; 8] = [0; 8];

/// Returns how many padding bytes bring `content_len` to a multiple of 8.
pub(crate) fn padding_for(content_len: usize) -> u8 {
    // The remainder is below 8, so the result is too.
    ((8 - content_len % 8) % 8) as u8
}

/// Number of a request on its connection; 0 stands for the connection itself (management records).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestId(pub u16);

impl RequestId {
    /// The id of management records.
    pub const NULL: Self = Self(0);
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// Opens a request (to the application).
    BeginRequest,
    /// Gives a request up (to the application).
    AbortRequest,
    /// Closes a request (to the web server).
    EndRequest,
    /// Stream of name-value pairs (to the application).
    Params,
    /// Stream of the request body (to the application).
    Stdin,
    /// Stream of the answer (to the web server).
    Stdout,
    /// Stream of error messages (to the web server).
    Stderr,
    /// Second body stream of the Filter role (to the application).
    Data,
    /// Asks for properties of the application (management, to the application).
    GetValues,
    /// Answers [`RecordType::GetValues`] (management, to the web server).
    GetValuesResult,
    /// Answers a record of a type that the application does not know (management, to the web server).
    UnknownType,
    /// A type that FastCGI 1.0 does not define.
    Other(u8),
}

impl RecordType {
    /// Returns the number that stands for the type on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::BeginRequest => 1,
            Self::AbortRequest => 2,
            Self::EndRequest => 3,
            Self::Params => 4,
            Self::Stdin => 5,
            Self::Stdout => 6,
            Self::Stderr => 7,
            Self::Data => 8,
            Self::GetValues => 9,
            Self::GetValuesResult => 10,
            Self::UnknownType => 11,
            Self::Other(code) => code,
        }
    }

    /// Returns whether a web server sends records of this type.
    #[must_use]
    pub const fn is_for_application(self) -> bool {
        matches!(
            self,
            Self::BeginRequest
                | Self::AbortRequest
                | Self::Params
                | Self::Stdin
                | Self::Data
                | Self::GetValues
        )
    }

    /// Returns the type that `code` stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::EndRequest,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            8 => Self::Data,
            9 => Self::GetValues,
            10 => Self::GetValuesResult,
            11 => Self::UnknownType,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for RecordType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::BeginRequest => "BEGIN_REQUEST",
            Self::AbortRequest => "ABORT_REQUEST",
            Self::EndRequest => "END_REQUEST",
            Self::Params => "PARAMS",
            Self::Stdin => "STDIN",
            Self::Stdout => "STDOUT",
            Self::Stderr => "STDERR",
            Self::Data => "DATA",
            Self::GetValues => "GET_VALUES",
            Self::GetValuesResult => "GET_VALUES_RESULT",
            Self::UnknownType => "UNKNOWN_TYPE",
            Self::Other(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}

/// The 8 bytes in front of every record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the protocol, [`VERSION`] for what this crate writes.
    pub version: u8,
    /// What the record is.
    pub record_type: RecordType,
    /// The request that the record belongs to.
    pub request_id: RequestId,
    /// Number of content bytes after the header.
    pub content_len: u16,
    /// Number of bytes to ignore after the content.
    pub padding_len: u8,
}

impl Header {
    /// Returns the header of a record of `content_len` bytes, padded to a multiple of 8.
    #[must_use]
    pub fn new(record_type: RecordType, request_id: RequestId, content_len: u16) -> Self {
        Self {
            version: VERSION,
            record_type,
            request_id,
            content_len,
            padding_len: padding_for(usize::from(content_len)),
        }
    }

    /// Parses a header.
    ///
    /// # Errors
    /// `Incomplete` while fewer than [`HEADER_LEN`] bytes are there. Any 8 bytes are a header; the version is the caller's to check.
    pub fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, (version, code, request_id, content_len, padding_len, _reserved)) =
            (be_u8, be_u8, be_u16, be_u16, be_u8, be_u8).parse(input)?;
        let header = Self {
            version,
            record_type: RecordType::from_code(code),
            request_id: RequestId(request_id),
            content_len,
            padding_len,
        };
        Ok((rest, header))
    }

    /// Returns the header as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [id1, id0] = self.request_id.0.to_be_bytes();
        let [len1, len0] = self.content_len.to_be_bytes();
        [
            self.version,
            self.record_type.code(),
            id1,
            id0,
            len1,
            len0,
            self.padding_len,
            0,
        ]
    }
}

/// One complete record in a byte slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record's header.
    pub header: Header,
    /// The record's content without the padding.
    pub content: &'a [u8],
}

impl<'a> Record<'a> {
    /// Parses one record with its padding.
    ///
    /// # Errors
    /// `Incomplete` while the record or its padding is not whole.
    pub fn parse(input: &'a [u8]) -> IResult<&'a [u8], Self> {
        let (rest, header) = Header::parse(input)?;
        let (rest, (content, _padding)) =
            (take(header.content_len), take(header.padding_len)).parse(rest)?;
        Ok((rest, Self { header, content }))
    }
}
