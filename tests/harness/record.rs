//! FastCGI records as bytes, good and bad ones.
//!
//! The codec is the daemon's own. That both sides might share a mistake of it is what the runs against the original are for: it
//! brings a codec of its own.

use fcgi_proto::params;
use fcgi_proto::record::{AfterRequest, BeginRequest, Header, RecordType, RequestId, Role};

/// One record on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the record is.
    pub kind: RecordType,
    /// The request the record belongs to; 0 for management records.
    pub id: u16,
    /// The content without padding.
    pub content: Vec<u8>,
    /// How many octets of padding follow the content.
    pub padding: u8,
}

impl Record {
    /// A record of request 1 without padding.
    #[must_use]
    pub fn new(kind: RecordType, content: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            id: 1,
            content: content.into(),
            padding: 0,
        }
    }

    /// A record that opens request 1 in the responder role.
    #[must_use]
    pub fn begin(after: AfterRequest) -> Self {
        Self::begin_role(Role::Responder.code(), after)
    }

    /// A record that opens request 1 in the role of that number.
    #[must_use]
    pub fn begin_role(role: u16, after: AfterRequest) -> Self {
        Self::new(
            RecordType::BeginRequest,
            BeginRequest { role, after }.encode(),
        )
    }

    /// The same record for another request.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// The same record with padding.
    #[must_use]
    pub fn padding(mut self, octets: u8) -> Self {
        self.padding = octets;
        self
    }

    /// The record on the wire.
    ///
    /// # Panics
    /// Panics when the content does not fit one record.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.content.len())
            .expect("a test that wants a longer content splits it");
        let mut bytes = self.header(length);
        bytes.extend(&self.content);
        bytes.resize(bytes.len() + usize::from(self.padding), 0xa5);
        bytes
    }

    /// A header that claims `length` octets of content, whatever the content is.
    #[must_use]
    pub fn header(&self, length: u16) -> Vec<u8> {
        Header {
            padding_len: self.padding,
            ..Header::new(self.kind, RequestId(self.id), length)
        }
        .encode()
        .to_vec()
    }
}

/// One name-value pair as section 3.4 of the specification lays it out.
#[must_use]
pub fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(params::encoded_len(name.len(), value.len()));
    params::encode(name, value, &mut bytes);
    bytes
}

/// Splits a list of name-value pairs.
#[must_use]
pub fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    let mut found = Vec::new();
    while let Ok((rest, (name, value))) = params::pair(bytes) {
        found.push((text(name), text(value)));
        bytes = rest;
    }
    found
}
