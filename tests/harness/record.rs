//! FastCGI records as bytes, good and bad ones: the tests' own reading of the FastCGI 1.0 specification.
//!
//! Written apart from the daemon's codec on purpose: a mistake that both sides of one codec share would go unseen.

/// The type octet of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A web server opens a request.
    BeginRequest,
    /// A web server gives a request up.
    AbortRequest,
    /// The daemon's last word on a request.
    EndRequest,
    /// Name-value pairs of a request.
    Params,
    /// The request's body.
    Stdin,
    /// The answer.
    Stdout,
    /// What went wrong.
    Stderr,
    /// The filter role's file.
    Data,
    /// A question about the daemon itself.
    GetValues,
    /// The reply to it.
    GetValuesResult,
    /// The reply to a management record that the daemon does not know.
    UnknownType,
    /// Anything else.
    Other(u8),
}

/// One record on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The type octet.
    pub kind: Kind,
    /// The request the record belongs to; 0 for management records.
    pub id: u16,
    /// The content without padding.
    pub content: Vec<u8>,
    /// How many octets of padding follow the content.
    pub padding: u8,
}

impl Kind {
    /// The octet on the wire.
    #[must_use]
    pub fn octet(self) -> u8 {
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
            Self::Other(octet) => octet,
        }
    }

    /// What the octet on the wire stands for.
    #[must_use]
    pub fn of(octet: u8) -> Self {
        match octet {
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

impl Record {
    /// A record of request 1 without padding.
    #[must_use]
    pub fn new(kind: Kind, content: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            id: 1,
            content: content.into(),
            padding: 0,
        }
    }

    /// A record that opens request 1 in the responder role; bit 0 of `flags` keeps the connection.
    #[must_use]
    pub fn begin(flags: u8) -> Self {
        Self::begin_role(1, flags)
    }

    /// A record that opens request 1 in the given role.
    #[must_use]
    pub fn begin_role(role: u16, flags: u8) -> Self {
        let [high, low] = role.to_be_bytes();
        Self::new(Kind::BeginRequest, [high, low, flags, 0, 0, 0, 0, 0])
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
        let [id_high, id_low] = self.id.to_be_bytes();
        let [length_high, length_low] = length.to_be_bytes();
        vec![
            1,
            self.kind.octet(),
            id_high,
            id_low,
            length_high,
            length_low,
            self.padding,
            0,
        ]
    }
}

/// One name-value pair as section 3.4 of the specification lays it out.
#[must_use]
pub fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + name.len() + value.len());
    for length in [name.len(), value.len()] {
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => bytes.push(short),
            _ => bytes
                .extend((u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000).to_be_bytes()),
        }
    }
    bytes.extend(name);
    bytes.extend(value);
    bytes
}

/// Splits a list of name-value pairs.
#[must_use]
pub fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let (Some(name), Some(value)) = (take_length(&mut bytes), take_length(&mut bytes)) {
        let mut take = |length: usize| {
            let (text, rest) = bytes.split_at(length.min(bytes.len()));
            bytes = rest;
            String::from_utf8_lossy(text).into_owned()
        };
        found.push((take(name), take(value)));
    }
    found
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    if let [long, b, c, d, rest @ ..] = bytes
        && *long >= 0x80
    {
        let length = u32::from_be_bytes([*long & 0x7f, *b, *c, *d]);
        *bytes = rest;
        return usize::try_from(length).ok();
    }
    let (short, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(usize::from(*short))
}
