//! The buffer that a connection is read into.
//!
//! `0 <= start <= end <= bytes.len() <= limit`; `start..end` is what was read and not consumed yet. Whoever parses consumes what it can
//! and keeps less than a header, so that there is always room for more.
//!
//! It begins small, for its memory is written to when it is made, and a process for each connection has one; what a peer sends at
//! once is usually less than a page. It grows when it was read full: then more could have been read at once.

/// Smallest buffer: a header and a fixed body twice over, and some.
const SMALLEST: usize = 64;

/// Size that is enough for most requests.
const USUAL: usize = 4 << 10;

#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    limit: usize,
    start: usize,
    end: usize,
}

impl Input {
    /// Returns an empty buffer that grows to `limit` bytes at most.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(SMALLEST);
        Self {
            bytes: vec![0; limit.min(USUAL)],
            limit,
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
        if self.end == self.bytes.len() && self.end < self.limit {
            let size = self.bytes.len().saturating_mul(2);
            self.bytes.resize(size.min(self.limit), 0);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_only_when_it_was_read_full() {
        let mut input = Input::new(10_000);
        assert_eq!(input.space().len(), USUAL);
        input.filled(USUAL - 1);
        assert_eq!(input.space().len(), 1);
        input.filled(1);
        assert_eq!(input.space().len(), USUAL);
        input.filled(USUAL);
        assert_eq!(input.space().len(), 10_000 - 2 * USUAL);
        input.filled(10_000 - 2 * USUAL);
        assert_eq!(input.len(), 10_000);
        input.consume(10_000);
        assert_eq!(input.space().len(), 10_000);
    }

    #[test]
    fn is_never_larger_than_its_limit() {
        let mut input = Input::new(100);
        assert_eq!(input.space().len(), 100);
        input.filled(100);
        assert!(input.space().is_empty());
    }
}
