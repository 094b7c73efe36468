//! The web server's side: requests out, answers in.
//!
//! [`Encoder`] appends records to a byte vector; nothing keeps a caller from an order that the specification forbids, since tests need
//! that too. [`Decoder`] turns what comes back into [`Event`]s, of any number of requests at once: every event
//! carries its request's id.

mod decoder;

pub use self::decoder::{Decoder, Event};
use crate::params;
use crate::record::{
    AfterRequest, BeginRequest, Header, MAX_ALIGNED_CONTENT_LEN, MAX_CONTENT_LEN, RecordType,
    RequestId, Role, ZEROS,
};

/// Encodes the records of one request.
///
/// Usual order: [`begin`](Encoder::begin), [`param`](Encoder::param) for each, [`end_params`](Encoder::end_params),
/// [`stdin`](Encoder::stdin), [`end_stdin`](Encoder::end_stdin). The bytes may be taken at any time between two calls.
#[derive(Clone, Debug)]
pub struct Encoder {
    request_id: RequestId,
    out: Vec<u8>,
    /// Content of the PARAMS record that is being filled.
    pairs: Vec<u8>,
}

impl Encoder {
    /// Returns an encoder for the request `request_id`, from 1 on.
    #[must_use]
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            out: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Appends BEGIN_REQUEST.
    pub fn begin(&mut self, role: Role, after: AfterRequest) -> &mut Self {
        let body = BeginRequest {
            role: role.code(),
            after,
        }
        .encode();
        self.record(RecordType::BeginRequest, &body)
    }

    /// Appends a parameter. Pairs are collected into records; one is only cut in two when it is too large for any record, because
    /// php-fpm takes no others.
    ///
    /// # Panics
    /// If the name or value is 2 GiB or longer.
    pub fn param(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        let len = params::encoded_len(name.len(), value.len());
        if self.pairs.len() + len > MAX_CONTENT_LEN {
            self.flush_params();
        }
        params::encode(name, value, &mut self.pairs);
        self
    }

    /// Appends many parameters.
    ///
    /// # Panics
    /// If a name or value is 2 GiB or longer.
    pub fn params<'p>(
        &mut self,
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
    ) -> &mut Self {
        for (name, value) in pairs {
            self.param(name, value);
        }
        self
    }

    /// Writes the collected parameters as PARAMS records, so that the next parameter starts another.
    pub fn flush_params(&mut self) -> &mut Self {
        let pairs = std::mem::take(&mut self.pairs);
        self.stream(RecordType::Params, &pairs);
        self.pairs = pairs;
        self.pairs.clear();
        self
    }

    /// Ends the parameters with an empty PARAMS record.
    pub fn end_params(&mut self) -> &mut Self {
        self.flush_params().record(RecordType::Params, b"")
    }

    /// Appends a piece of the body as STDIN records, as few as will do.
    pub fn stdin(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream(RecordType::Stdin, bytes)
    }

    /// Ends the body with an empty STDIN record.
    pub fn end_stdin(&mut self) -> &mut Self {
        self.record(RecordType::Stdin, b"")
    }

    /// Appends a piece of the Filter role's second stream as DATA records, as few as will do.
    pub fn data(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream(RecordType::Data, bytes)
    }

    /// Ends the Filter role's second stream with an empty DATA record.
    pub fn end_data(&mut self) -> &mut Self {
        self.record(RecordType::Data, b"")
    }

    /// Appends ABORT_REQUEST.
    pub fn abort(&mut self) -> &mut Self {
        self.record(RecordType::AbortRequest, b"")
    }

    /// Appends a record of any type, padded to a multiple of 8.
    ///
    /// # Panics
    /// If `content` is longer than [`MAX_CONTENT_LEN`].
    pub fn record(&mut self, record_type: RecordType, content: &[u8]) -> &mut Self {
        push_record(record_type, self.request_id, content, &mut self.out);
        self
    }

    /// What has been encoded.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// Returns what has been encoded.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Forgets what has been encoded and keeps the memory, for the next piece or the next request.
    pub fn clear(&mut self) {
        self.out.clear();
        self.pairs.clear();
    }

    fn stream(&mut self, record_type: RecordType, bytes: &[u8]) -> &mut Self {
        let longest = if bytes.len() <= MAX_CONTENT_LEN {
            MAX_CONTENT_LEN
        } else {
            MAX_ALIGNED_CONTENT_LEN
        };
        for piece in bytes.chunks(longest) {
            self.record(record_type, piece);
        }
        self
    }
}

/// Returns a GET_VALUES record that asks for `names`.
///
/// # Panics
/// If the names take more than one record.
#[must_use]
pub fn get_values(names: &[&[u8]]) -> Vec<u8> {
    let mut content = Vec::new();
    for name in names {
        params::encode(name, b"", &mut content);
    }
    let mut out = Vec::new();
    push_record(RecordType::GetValues, RequestId::NULL, &content, &mut out);
    out
}

fn push_record(record_type: RecordType, request_id: RequestId, content: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(content.len()).expect("a record's content is at most 65,535 bytes");
    let header = Header::new(record_type, request_id, len);
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(content);
    out.extend_from_slice(&ZEROS[..usize::from(header.padding_len)]);
}

#[cfg(test)]
mod tests;
