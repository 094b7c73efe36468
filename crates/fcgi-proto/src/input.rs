//! The buffer that a connection is read into.
//!
//! `0 <= start <= end <= bytes.len()`; `start..end` is what was read and not consumed yet. Never grows: whoever parses consumes what it
//! can and keeps less than a header, so that there is always room for more.

/// Smallest buffer: a header and a fixed body twice over, and some.
const SMALLEST: usize = 64;

#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            bytes: vec![0; size.max(SMALLEST)],
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Returns the room for more, after moving what is unread to the front.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// Counts `n` bytes of [`Input::space`] as read.
    pub(crate) fn filled(&mut self, n: usize) {
        assert!(
            n <= self.bytes.len() - self.end,
            "more bytes than there was room for"
        );
        self.end += n;
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Consumes `n` bytes and returns them.
    pub(crate) fn take(&mut self, n: usize) -> &[u8] {
        let start = self.start;
        self.start += n;
        &self.bytes[start..self.start]
    }
}
