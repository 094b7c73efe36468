//! Reading the streams STDIN and DATA of the running request.
//!
//! Body bytes are copied once, out of the input buffer, or not at all, see [`Connection::stdin_direct`].

use super::{Connection, Content, Phase, Step};
use crate::error::{ProtocolError, Reply};

/// What reading a body stream came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StdinRead {
    /// So many bytes are at the beginning of the caller's buffer; never 0, unless the buffer is empty.
    Bytes(usize),
    /// Read more into [`Connection::space`], or directly ([`Connection::stdin_direct`]).
    NeedInput,
    /// The stream is complete.
    End,
    /// The client has given the request up (ABORT_REQUEST): it wants END_REQUEST as soon as possible and no more output.
    Aborted,
    /// Send these bytes between two records of the answer and go on reading.
    Reply(Reply),
}

impl Connection {
    /// Reads from the request's STDIN into `out`.
    ///
    /// # Errors
    /// A violation: the stream ends here, and the connection must be closed after the answer.
    pub fn read_stdin(&mut self, out: &mut [u8]) -> Result<StdinRead, ProtocolError> {
        self.read(Phase::Stdin, out)
    }

    /// Reads from the DATA stream of a request in the Filter role into `out`; what is left of STDIN is skipped. Other roles have no such
    /// stream: it is at its end.
    ///
    /// # Errors
    /// A violation: the stream ends here, and the connection must be closed after the answer.
    pub fn read_data(&mut self, out: &mut [u8]) -> Result<StdinRead, ProtocolError> {
        while self.phase == Phase::Stdin {
            self.reader.abandon_content();
            match self.step()? {
                Step::Done => {}
                Step::NeedInput => return Ok(StdinRead::NeedInput),
                Step::Reply(reply) => return Ok(StdinRead::Reply(reply)),
            }
        }
        self.read(Phase::Data, out)
    }

    fn read(&mut self, stream: Phase, out: &mut [u8]) -> Result<StdinRead, ProtocolError> {
        while self.phase == stream {
            if self.reader.content == Content::Body {
                let piece = self.reader.available_content();
                let n = piece.len().min(out.len());
                if piece.is_empty() {
                    return Ok(StdinRead::NeedInput);
                }
                out[..n].copy_from_slice(&piece[..n]);
                self.reader.consume(n);
                return Ok(StdinRead::Bytes(n));
            }
            match self.step()? {
                Step::Done => {}
                Step::NeedInput => return Ok(StdinRead::NeedInput),
                Step::Reply(reply) => return Ok(StdinRead::Reply(reply)),
            }
        }
        match (self.broken, self.phase) {
            (Some(error), _) => Err(error),
            (None, Phase::Aborted) => Ok(StdinRead::Aborted),
            (None, _) => Ok(StdinRead::End),
        }
    }

    /// Returns how many bytes may be read from the transport straight into the caller's buffer, as the next bytes of the body stream.
    ///
    /// 0 means that only [`Connection::space`] will do: a header is due, or bytes are buffered. A scattering read into the caller's
    /// buffer, cut to this size, and [`Connection::space`] takes whatever comes: report the first part with
    /// [`Connection::stdin_directly_read`], then the rest with [`Connection::filled`].
    #[must_use]
    pub fn stdin_direct(&self) -> usize {
        if self.reader.content == Content::Body && self.reader.input.is_empty() {
            self.reader.content_left()
        } else {
            0
        }
    }

    /// Says that `n` bytes of the body were read elsewhere.
    ///
    /// # Panics
    /// If `n` is larger than [`Connection::stdin_direct`] was.
    pub fn stdin_directly_read(&mut self, n: usize) {
        assert!(n <= self.stdin_direct(), "more bytes than the record has");
        self.reader.passed(n);
    }
}
