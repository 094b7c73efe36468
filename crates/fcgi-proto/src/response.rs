//! The application's answer: STDOUT, STDERR and END_REQUEST records.
//!
//! Small output is framed into one buffer that is reused: consecutive writes to one stream extend one record, a change of stream starts
//! the next, so the streams interleave in the order of the writes. Large output is not copied: [`frames`] cuts it into records for a
//! gathering write. No record without content is ever made: php-fpm sends no end-of-stream records, and END_REQUEST closes both streams.
//!
//! Original: `fcgi_write` in main/fastcgi.c

use crate::record::{
    BODY_LEN, EndRequest, HEADER_LEN, Header, MAX_ALIGNED_CONTENT_LEN, ProtocolStatus, RecordType,
    RequestId, ZEROS, padding_for,
};

/// Default size of the buffer in bytes: holds a usual page, so that its answer is one write.
pub const DEFAULT_CAPACITY: usize = 32 << 10;

/// What is kept free for closing the last record and for END_REQUEST.
const RESERVE: usize = ZEROS.len() + HEADER_LEN + BODY_LEN;

/// Smallest buffer in bytes.
const SMALLEST: usize = 256;

/// A stream of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Header and body of the answer.
    Stdout,
    /// Messages for the web server's error log.
    Stderr,
}

impl Stream {
    /// Returns the type of the stream's records.
    #[must_use]
    pub const fn record_type(self) -> RecordType {
        match self {
            Self::Stdout => RecordType::Stdout,
            Self::Stderr => RecordType::Stderr,
        }
    }
}

/// The record at the end of the buffer that more output may be appended to.
#[derive(Clone, Copy, Debug)]
struct OpenRecord {
    stream: Stream,
    /// Where its header starts.
    at: usize,
}

/// The answer to one request, framed into a buffer of fixed size.
#[derive(Debug)]
pub struct Response {
    request_id: RequestId,
    /// `0 <= sent <= buffer.len() <= capacity`
    buffer: Vec<u8>,
    sent: usize,
    capacity: usize,
    open: Option<OpenRecord>,
    ended: bool,
}

impl Default for Response {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl Response {
    /// Returns an answer that buffers up to `capacity` bytes, headers included; at least 256.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.max(SMALLEST);
        Self {
            request_id: RequestId::NULL,
            buffer: Vec::with_capacity(capacity),
            sent: 0,
            capacity,
            open: None,
            ended: false,
        }
    }

    /// Starts the answer to another request; whatever is buffered is dropped.
    pub fn start(&mut self, request_id: RequestId) {
        self.request_id = request_id;
        self.discard();
        self.ended = false;
    }

    /// Drops what is buffered, for a client that is gone.
    pub fn discard(&mut self) {
        self.buffer.clear();
        self.sent = 0;
        self.open = None;
    }

    /// Id of the answered request.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Returns how many bytes [`Response::write`] is sure to take for `stream`.
    #[must_use]
    pub fn room(&self, stream: Stream) -> usize {
        match self.open {
            Some(open) if open.stream == stream => self
                .free()
                .min(MAX_ALIGNED_CONTENT_LEN - self.content_len(open)),
            // A new record takes a header, and padding behind the one before.
            _ => self
                .free()
                .saturating_sub(HEADER_LEN + ZEROS.len())
                .min(MAX_ALIGNED_CONTENT_LEN),
        }
    }

    /// Buffers the beginning of `bytes` and returns how many fit; send [`Response::buffered`] when that is not all.
    ///
    /// After [`Response::end`] all of `bytes` is taken and dropped: the protocol has no place for it.
    #[must_use]
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> usize {
        if self.ended {
            return bytes.len();
        }
        let mut taken = 0;
        while taken < bytes.len() {
            match self.append(stream, &bytes[taken..]) {
                0 => break,
                n => taken += n,
            }
        }
        taken
    }

    /// Returns the bytes to send. They end with a whole record.
    #[must_use]
    pub fn buffered(&mut self) -> &[u8] {
        self.close();
        &self.buffer[self.sent..]
    }

    /// Returns whether nothing is waiting to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.buffer.len()
    }

    /// Says that the first `n` bytes of [`Response::buffered`] were sent.
    ///
    /// # Panics
    /// If there were fewer.
    pub fn consume(&mut self, n: usize) {
        assert!(
            n <= self.buffer.len() - self.sent,
            "more sent than there was"
        );
        self.sent += n;
        if self.sent == self.buffer.len() {
            self.discard();
        }
    }

    /// Cuts `payload` into records that go out after what is [`Response::buffered`], without copying it.
    pub fn frames<'p>(&self, stream: Stream, payload: &'p [u8]) -> Frames<'p> {
        frames(self.request_id, stream, payload)
    }

    /// Appends END_REQUEST, once; there is always room for it.
    pub fn end(&mut self, app_status: u32, protocol_status: ProtocolStatus) {
        if self.ended {
            return;
        }
        self.close();
        self.buffer.extend_from_slice(
            &EndRequest {
                app_status,
                protocol_status,
            }
            .record(self.request_id),
        );
        self.ended = true;
    }

    /// Returns whether [`Response::end`] was called.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Response {
    /// Returns how many bytes may still be added before the reserve begins.
    fn free(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.len() + RESERVE)
    }

    fn content_len(&self, open: OpenRecord) -> usize {
        self.buffer.len() - open.at - HEADER_LEN
    }

    /// Appends what fits of `bytes` to one record: the open one of this stream, or a new one.
    fn append(&mut self, stream: Stream, bytes: &[u8]) -> usize {
        let open = match self.open {
            Some(open)
                if open.stream == stream && self.content_len(open) < MAX_ALIGNED_CONTENT_LEN =>
            {
                open
            }
            _ => {
                self.close();
                if self.free() <= HEADER_LEN {
                    return 0;
                }
                let open = OpenRecord {
                    stream,
                    at: self.buffer.len(),
                };
                // The lengths are filled in when the record is closed.
                self.buffer.extend_from_slice(
                    &Header::new(stream.record_type(), self.request_id, 0).encode(),
                );
                self.open = Some(open);
                open
            }
        };
        let n = bytes
            .len()
            .min(self.free())
            .min(MAX_ALIGNED_CONTENT_LEN - self.content_len(open));
        self.buffer.extend_from_slice(&bytes[..n]);
        n
    }

    /// Closes the open record: lengths and padding.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let header = Header::new(
            open.stream.record_type(),
            self.request_id,
            self.content_len(open) as u16,
        );
        self.buffer[open.at..open.at + HEADER_LEN].copy_from_slice(&header.encode());
        self.buffer
            .extend_from_slice(&ZEROS[..usize::from(header.padding_len)]);
    }
}

/// Cuts `payload` into records of at most [`MAX_ALIGNED_CONTENT_LEN`] bytes. An empty payload makes no record.
pub fn frames(request_id: RequestId, stream: Stream, payload: &[u8]) -> Frames<'_> {
    Frames {
        request_id,
        stream,
        rest: payload,
    }
}

/// Iterator over the records of a payload, see [`frames`].
#[derive(Clone, Debug)]
pub struct Frames<'p> {
    request_id: RequestId,
    stream: Stream,
    rest: &'p [u8],
}

impl<'p> Iterator for Frames<'p> {
    type Item = Frame<'p>;

    fn next(&mut self) -> Option<Frame<'p>> {
        if self.rest.is_empty() {
            return None;
        }
        let (payload, rest) = self
            .rest
            .split_at(self.rest.len().min(MAX_ALIGNED_CONTENT_LEN));
        self.rest = rest;
        let header = Header::new(
            self.stream.record_type(),
            self.request_id,
            payload.len() as u16,
        );
        Some(Frame {
            header: header.encode(),
            payload,
            padding: &ZEROS[..usize::from(padding_for(payload.len()))],
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let records = self.rest.len().div_ceil(MAX_ALIGNED_CONTENT_LEN);
        (records, Some(records))
    }
}

impl ExactSizeIterator for Frames<'_> {}

/// One record as three pieces for a gathering write.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'p> {
    /// The record's header.
    pub header: [u8; HEADER_LEN],
    /// The record's content.
    pub payload: &'p [u8],
    /// Zero bytes up to a multiple of 8, often none.
    pub padding: &'static [u8],
}

impl Frame<'_> {
    /// Returns the pieces in the order in which they are sent.
    #[must_use]
    pub fn pieces(&self) -> [&[u8]; 3] {
        [&self.header, self.payload, self.padding]
    }
}

#[cfg(test)]
mod tests;
