//! Position in the stream of records: which record, how much of its content and padding is still to come.
//!
//! Whoever consumes content goes through [`RecordReader::consume`]; with the last byte of content the record's padding becomes content
//! to skip, and with the last byte of that the next header is due.

use crate::input::Input;
use crate::record::{HEADER_LEN, Header, RecordType, RequestId, VERSION};

/// What the content of the current record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// There is no current record: a header is due.
    None,
    /// To be ignored: padding, or a record that does not count.
    Skip,
    /// The body of BEGIN_REQUEST.
    Begin,
    /// A piece of PARAMS.
    Params,
    /// Names of GET_VALUES.
    Values,
    /// A piece of STDIN or DATA, which the caller of the connection takes.
    Body,
}

#[derive(Debug)]
pub(super) struct RecordReader {
    pub(super) input: Input,
    pub(super) content: Content,
    /// Header of the current record.
    pub(super) header: Header,
    content_left: usize,
    padding_left: usize,
}

impl RecordReader {
    pub(super) fn new(input_bytes: usize) -> Self {
        let header = Header {
            version: VERSION,
            record_type: RecordType::Other(0),
            request_id: RequestId::NULL,
            content_len: 0,
            padding_len: 0,
        };
        Self {
            input: Input::new(input_bytes),
            content: Content::None,
            header,
            content_left: 0,
            padding_left: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.input.clear();
        self.content = Content::None;
        self.content_left = 0;
        self.padding_left = 0;
    }

    /// Takes the next header, if it is there.
    pub(super) fn header(&mut self) -> Option<Header> {
        let (_, header) = Header::parse(self.input.unread()).ok()?;
        self.input.consume(HEADER_LEN);
        Some(header)
    }

    /// Makes the record after `header` the current one.
    pub(super) fn start(&mut self, header: Header, content: Content) {
        self.header = header;
        self.content = content;
        self.content_left = usize::from(header.content_len);
        self.padding_left = usize::from(header.padding_len);
        self.content_consumed();
    }

    pub(super) fn content_left(&self) -> usize {
        self.content_left
    }

    /// Returns what has arrived of the current content.
    pub(super) fn available_content(&self) -> &[u8] {
        let unread = self.input.unread();
        &unread[..unread.len().min(self.content_left)]
    }

    /// Returns the current content if all of it has arrived; only for records that are known to be small.
    pub(super) fn whole_content(&self) -> Option<&[u8]> {
        self.input.unread().get(..self.content_left)
    }

    /// Counts `n` bytes of the content as used; they are in the input.
    pub(super) fn consume(&mut self, n: usize) {
        self.input.consume(n);
        self.passed(n);
    }

    /// Counts `n` bytes of the content as used that never were in the input.
    pub(super) fn passed(&mut self, n: usize) {
        self.content_left -= n;
        self.content_consumed();
    }

    /// Skips what has arrived of the current content. Returns whether that was anything.
    pub(super) fn skip_content(&mut self) -> bool {
        let n = self.available_content().len();
        self.consume(n);
        n > 0
    }

    /// Makes the rest of a request's content something to skip.
    pub(super) fn abandon_content(&mut self) {
        if matches!(self.content, Content::Params | Content::Body) {
            self.content = Content::Skip;
        }
    }

    /// Returns whether nothing but ignored content is expected before the next header.
    pub(super) fn content_is_ignored(&self) -> bool {
        matches!(self.content, Content::None | Content::Skip)
    }

    /// Returns whether all that has arrived is whole records, used up.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.content == Content::None && self.input.is_empty()
    }

    /// Returns whether something to skip has arrived, or the header of a record that `accepts` takes.
    pub(super) fn next_is(&self, accepts: impl Fn(Header) -> bool) -> bool {
        match self.content {
            Content::None => {
                Header::parse(self.input.unread()).is_ok_and(|(_, header)| accepts(header))
            }
            Content::Skip => !self.input.is_empty(),
            _ => false,
        }
    }

    fn content_consumed(&mut self) {
        if self.content_left > 0 {
            return;
        }
        self.content_left = std::mem::take(&mut self.padding_left);
        self.content = if self.content_left > 0 {
            Content::Skip
        } else {
            Content::None
        };
    }
}
