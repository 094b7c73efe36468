//! The answer on its way to the client: small writes are collected, large ones go out without a copy.
//!
//! Rule: what is sent always ends with a whole record, so that a reply of the protocol itself can follow at any time.
//!
//! Original: fcgi_write and fcgi_flush in main/fastcgi.c.

use std::io::{self, IoSlice, Write};
use std::{array, iter};

use fcgi_proto::Reply;
use fcgi_proto::record::{ProtocolStatus, RequestId};
use fcgi_proto::response::{Frame, Response, Stream};

/// Records in one gathering write: 2 MB. Three pieces each stay far below the kernel's limit of 1024 (IOV_MAX).
const FRAMES_AT_ONCE: usize = 32;

/// Frames an answer and sends it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    response: Response,
}

impl Output {
    /// Starts the answer to another request.
    pub(crate) fn start(&mut self, request: RequestId) {
        self.response.start(request);
    }

    /// Takes a piece of a stream; it is sent when the buffer cannot hold it.
    ///
    /// # Errors
    /// What writing to the client answers; the answer is good for nothing then.
    pub(crate) fn write(
        &mut self,
        client: &mut impl Write,
        stream: Stream,
        bytes: &[u8],
    ) -> io::Result<()> {
        if bytes.len() <= self.response.room(stream) || self.response.is_ended() {
            let taken = self.response.write(stream, bytes);
            debug_assert_eq!(taken, bytes.len(), "there was room for it");
            return Ok(());
        }
        let mut frames = self.response.frames(stream, bytes);
        let mut buffered = self.response.buffered();
        while frames.len() > 0 {
            let batch: [Option<Frame<'_>>; FRAMES_AT_ONCE] = array::from_fn(|_| frames.next());
            let pieces = batch.iter().flatten().flat_map(Frame::pieces);
            let mut slices = [IoSlice::new(&[]); 1 + 3 * FRAMES_AT_ONCE];
            let mut count = 0;
            for piece in iter::once(buffered).chain(pieces) {
                if !piece.is_empty() {
                    slices[count] = IoSlice::new(piece);
                    count += 1;
                }
            }
            write_all(client, &mut slices[..count])?;
            buffered = &[];
        }
        self.response.discard();
        Ok(())
    }

    /// Sends what is buffered.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(crate) fn flush(&mut self, client: &mut impl Write) -> io::Result<()> {
        let buffered = self.response.buffered();
        client.write_all(buffered)?;
        let sent = buffered.len();
        self.response.consume(sent);
        Ok(())
    }

    /// Sends what is buffered and after it bytes of the protocol itself.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(crate) fn reply(&mut self, client: &mut impl Write, reply: &Reply) -> io::Result<()> {
        self.flush(client)?;
        client.write_all(reply.as_bytes())
    }

    /// Ends the answer and sends the rest of it. What is written afterwards is dropped.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(crate) fn end(&mut self, client: &mut impl Write) -> io::Result<()> {
        if self.response.is_ended() {
            return Ok(());
        }
        self.response.end(0, ProtocolStatus::RequestComplete);
        self.flush(client)
    }

    /// Drops what is buffered and all that comes: the client is gone.
    pub(crate) fn abandon(&mut self) {
        self.response.discard();
        self.response.end(0, ProtocolStatus::RequestComplete);
        self.response.discard();
    }
}

/// Writes all of `slices`, however often that takes.
fn write_all(client: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        match client.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use fcgi_proto::Limits;
    use fcgi_proto::client::{Decoder, Event};

    use super::*;

    /// A client that takes at most so many bytes at once, is interrupted in between, and counts the calls.
    struct Client {
        bytes: Vec<u8>,
        at_once: usize,
        calls: usize,
    }

    impl Client {
        fn new(at_once: usize) -> Client {
            Client {
                bytes: Vec::new(),
                at_once,
                calls: 0,
            }
        }
    }

    impl Write for Client {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.calls += 1;
            if self.at_once < usize::MAX && self.calls.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let before = self.bytes.len();
            for slice in slices {
                let room = self.at_once - (self.bytes.len() - before);
                self.bytes
                    .extend_from_slice(&slice[..slice.len().min(room)]);
            }
            Ok(self.bytes.len() - before)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> Output {
        let mut output = Output::default();
        output.start(RequestId(1));
        output
    }

    /// What a web server makes of the bytes: stdout, stderr, whether the end was there.
    fn decoded(bytes: &[u8]) -> (Vec<u8>, Vec<u8>, bool) {
        let mut decoder = Decoder::new(Limits::default());
        let (mut stdout, mut stderr, mut ended) = (Vec::new(), Vec::new(), false);
        let mut rest = bytes;
        loop {
            match decoder.poll().expect("well formed") {
                Event::Stdout { bytes, .. } => stdout.extend_from_slice(bytes),
                Event::Stderr { bytes, .. } => stderr.extend_from_slice(bytes),
                Event::End { .. } => ended = true,
                Event::NeedInput if rest.is_empty() => break,
                Event::NeedInput => {
                    let count = rest.read(decoder.space()).expect("a slice can be read");
                    decoder.filled(count);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(decoder.is_between_records());
        (stdout, stderr, ended)
    }

    #[test]
    fn a_small_answer_is_one_write() {
        let (mut output, mut client) = (started(), Client::new(usize::MAX));
        output
            .write(&mut client, Stream::Stdout, b"Type: x\r\n\r\n")
            .unwrap();
        output.write(&mut client, Stream::Stderr, b"oops").unwrap();
        output.write(&mut client, Stream::Stdout, b"hello").unwrap();
        assert_eq!(client.calls, 0);
        output.end(&mut client).unwrap();
        assert_eq!(client.calls, 1);
        let expected = (b"Type: x\r\n\r\nhello".to_vec(), b"oops".to_vec(), true);
        assert_eq!(decoded(&client.bytes), expected);
    }

    #[test]
    fn large_pieces_arrive_whole_whatever_the_kernel_takes() {
        for len in [32_000, 40_000, 65_528, 65_529, 5_000_000] {
            for at_once in [1000, 70_000, usize::MAX] {
                let (mut output, mut client) = (started(), Client::new(at_once));
                let piece: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
                output.write(&mut client, Stream::Stdout, b"head").unwrap();
                output.write(&mut client, Stream::Stdout, &piece).unwrap();
                output.write(&mut client, Stream::Stdout, b"tail").unwrap();
                output.end(&mut client).unwrap();
                let (stdout, _, ended) = decoded(&client.bytes);
                assert!(
                    stdout == [b"head", &piece[..], b"tail"].concat(),
                    "{len} {at_once}"
                );
                assert!(ended);
            }
        }
    }

    #[test]
    fn flush_sends_whole_records() {
        let (mut output, mut client) = (started(), Client::new(usize::MAX));
        output.flush(&mut client).unwrap();
        output.write(&mut client, Stream::Stdout, b"a").unwrap();
        output.flush(&mut client).unwrap();
        assert_eq!(client.bytes.len(), 16);
        output.write(&mut client, Stream::Stdout, b"b").unwrap();
        output.end(&mut client).unwrap();
        assert_eq!(decoded(&client.bytes), (b"ab".to_vec(), Vec::new(), true));
    }

    #[test]
    fn nothing_follows_the_end() {
        let (mut output, mut client) = (started(), Client::new(usize::MAX));
        output.end(&mut client).unwrap();
        let len = client.bytes.len();
        output
            .write(&mut client, Stream::Stdout, &[b'x'; 100_000])
            .unwrap();
        output.flush(&mut client).unwrap();
        output.end(&mut client).unwrap();
        assert_eq!(client.bytes.len(), len);
        output.start(RequestId(2));
        output.abandon();
        output.write(&mut client, Stream::Stdout, b"x").unwrap();
        output.end(&mut client).unwrap();
        assert_eq!(client.bytes.len(), len);
    }
}
