//! What a worker says on its standard output and error, cut into lines (`catch_workers_output`).
//!
//! Rule: no byte is lost and memory is bounded: text longer than a log line is handed out in pieces of that size.
//!
//! Original: sapi/fpm/fpm/fpm_stdio.c (`fpm_stdio_child_said`), zlog.c (`zlog_stream_*`)

use serde::{Deserialize, Serialize};

use crate::program::{Ending, Stream, Words};

/// What a worker of the original writes to its standard error after each request; ends a line as `\n` does.
const FLUSH_MARKER: &[u8] = b"\0fscf\0";

/// What a worker of ours writes there before each request if it is asked to: this, the request's name and a NUL. log.rs of
/// fpm-worker writes it.
const REQUEST_MARKER: &[u8] = b"\0freq:";

/// The longest name of a request, in bytes.
const LONGEST_NAME: usize = 128;

/// Whether workers say which request they serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Requests {
    /// They do.
    Named,
    /// They do not: what looks like it is text.
    Unnamed,
}

/// What the bytes since a NUL are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    /// Text.
    None,
    /// Perhaps the beginning of a marker.
    Begun,
    /// The end of a request.
    Flush,
    /// The beginning of one.
    Request,
}

/// What one worker has said and not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Capture {
    /// The stream that the text came from.
    stream: Stream,
    /// Text of a line that has not ended. `text.len() <= room`.
    text: Vec<u8>,
    /// Bytes that may be the beginning of a marker.
    marker: Vec<u8>,
    words: Heard,
    requests: Requests,
    /// The name of the request that is served; empty when it is not known.
    request: Vec<u8>,
}

/// How much a worker has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Heard {
    /// Nothing yet.
    Nothing,
    /// Its first words, and perhaps there are more to be read at once.
    First,
    /// More than that.
    More,
}

impl Capture {
    /// Begins to listen to a worker.
    pub(crate) fn new(requests: Requests) -> Capture {
        Capture {
            stream: Stream::Stderr,
            text: Vec::new(),
            marker: Vec::new(),
            words: Heard::Nothing,
            requests,
            request: Vec::new(),
        }
    }

    /// Takes what was read from a stream and hands out the lines that are complete, without their ends, none longer than
    /// `room` bytes. A line ends at a line feed, at a flush marker, and where the other stream begins. Empty lines are
    /// dropped.
    pub(crate) fn feed(
        &mut self,
        stream: Stream,
        bytes: &[u8],
        room: usize,
        line: &mut dyn FnMut(Words<'_>),
    ) {
        if bytes.is_empty() {
            return;
        }
        if self.words == Heard::Nothing {
            self.words = Heard::First;
        }
        if stream != self.stream {
            self.flush(room, line);
            self.stream = stream;
        }
        for &byte in bytes {
            if !self.marker.is_empty() {
                self.marker.push(byte);
                match self.marker() {
                    Marker::Begun => continue,
                    Marker::Flush => {
                        self.end_line(Ending::Complete, line);
                        self.request.clear();
                        self.marker.clear();
                        continue;
                    }
                    Marker::Request => {
                        self.end_line(Ending::Complete, line);
                        let name = REQUEST_MARKER.len()..self.marker.len() - 1;
                        self.request = self.marker[name].to_vec();
                        self.marker.clear();
                        continue;
                    }
                    Marker::None => {
                        self.marker.pop();
                        self.give_marker_up(room, line);
                    }
                }
            }
            match byte {
                0 => self.marker.push(byte),
                b'\n' => self.end_line(Ending::Complete, line),
                byte => self.push(byte, room, line),
            }
        }
    }

    /// Says what the bytes since a NUL are.
    fn marker(&self) -> Marker {
        let marker = self.marker.as_slice();
        if marker == FLUSH_MARKER {
            return Marker::Flush;
        }
        if FLUSH_MARKER.starts_with(marker) {
            return Marker::Begun;
        }
        if self.requests == Requests::Unnamed {
            return Marker::None;
        }
        match marker.strip_prefix(REQUEST_MARKER) {
            Some([name @ .., 0]) if !name.is_empty() => Marker::Request,
            Some(name) if name.len() <= LONGEST_NAME && name.iter().all(u8::is_ascii_graphic) => {
                Marker::Begun
            }
            None if REQUEST_MARKER.starts_with(marker) => Marker::Begun,
            _ => Marker::None,
        }
    }

    /// Notes that there is nothing more to read at the moment.
    pub(crate) fn pause(&mut self) {
        if self.words == Heard::First {
            self.words = Heard::More;
        }
    }

    /// Notes that a stream has ended. Only when that is found together with the worker's first words the log says so.
    pub(crate) fn end_of_stream(&mut self, room: usize, line: &mut dyn FnMut(Words<'_>)) {
        if self.words == Heard::First {
            self.give_marker_up(room, line);
            self.end_line(Ending::PipeClosed, line);
        }
        self.words = Heard::More;
    }

    /// Hands out what is left when the worker is gone.
    pub(crate) fn flush(&mut self, room: usize, line: &mut dyn FnMut(Words<'_>)) {
        self.give_marker_up(room, line);
        self.end_line(Ending::Complete, line);
    }

    /// Takes what looked like a marker for text.
    fn give_marker_up(&mut self, room: usize, line: &mut dyn FnMut(Words<'_>)) {
        for byte in std::mem::take(&mut self.marker) {
            self.push(byte, room, line);
        }
    }

    fn push(&mut self, byte: u8, room: usize, line: &mut dyn FnMut(Words<'_>)) {
        if self.text.len() >= room.max(1) {
            self.end_line(Ending::Cut, line);
        }
        self.text.push(byte);
    }

    fn end_line(&mut self, ending: Ending, line: &mut dyn FnMut(Words<'_>)) {
        if !self.text.is_empty() {
            line(Words {
                stream: self.stream,
                text: &self.text,
                ending,
                request: &self.request,
            });
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;
    use proptest::prelude::*;

    use super::*;

    fn lines(room: usize, reads: &[(Stream, &[u8])]) -> Vec<String> {
        let mut capture = Capture::new(Requests::Unnamed);
        let mut said = Vec::new();
        let mut line = |words: Words<'_>| {
            said.push(format!(
                "{}: {}",
                words.stream.name(),
                words.text.escape_bytes()
            ));
        };
        for (stream, bytes) in reads {
            capture.feed(*stream, bytes, room, &mut line);
        }
        capture.flush(room, &mut line);
        said
    }

    #[test]
    fn lines_end_at_line_feeds_markers_and_changes_of_the_stream() {
        use Stream::{Stderr, Stdout};
        for (reads, expected) in [
            (
                &[(Stderr, &b"a\nb\n"[..])][..],
                &["stderr: a", "stderr: b"][..],
            ),
            (&[(Stderr, b"a"), (Stderr, b"b\n")], &["stderr: ab"]),
            (
                &[(Stderr, b"a"), (Stdout, b"b")],
                &["stderr: a", "stdout: b"],
            ),
            (
                &[(Stderr, b"a"), (Stdout, b""), (Stderr, b"b")],
                &["stderr: ab"],
            ),
            (&[(Stderr, b"\n\n\n")], &[]),
            (&[(Stderr, b"a\0fscf\0b")], &["stderr: a", "stderr: b"]),
            (
                &[(Stderr, b"a\0fs"), (Stderr, b"cf\0b")],
                &["stderr: a", "stderr: b"],
            ),
            (
                &[(Stderr, b"a\0fs"), (Stderr, b"xb")],
                &["stderr: a\\0fsxb"],
            ),
            (&[(Stderr, b"a\0fs")], &["stderr: a\\0fs"]),
            (&[(Stderr, b"\0\0fscf\0a")], &["stderr: \\0", "stderr: a"]),
            (
                &[(Stderr, b"\0fsc\0fscf\0a")],
                &["stderr: \\0fsc", "stderr: a"],
            ),
            (&[(Stderr, b"a\xffb\n")], &["stderr: a\\xFFb"]),
        ] {
            assert_eq!(lines(100, reads), expected, "{reads:?}");
        }
    }

    #[test]
    fn long_lines_are_handed_out_in_pieces() {
        let text = [
            b"a".repeat(100),
            b"\n".to_vec(),
            b"b".repeat(2500),
            b"\n".to_vec(),
        ]
        .concat();
        let mut lengths = Vec::new();
        Capture::new(Requests::Unnamed).feed(Stream::Stderr, &text, 1023, &mut |words| {
            lengths.push((words.text.len(), words.ending));
        });
        let (cut, complete) = (Ending::Cut, Ending::Complete);
        assert_eq!(
            lengths,
            [(100, complete), (1023, cut), (1023, cut), (454, complete)]
        );
    }

    #[test]
    fn an_end_among_the_first_words_is_said() {
        for (paused, expected) in [(false, Ending::PipeClosed), (true, Ending::Complete)] {
            let mut capture = Capture::new(Requests::Unnamed);
            let mut endings = Vec::new();
            let mut line = |words: Words<'_>| endings.push(words.ending);
            capture.feed(Stream::Stderr, b"a\nb", 100, &mut line);
            if paused {
                capture.pause();
            }
            capture.end_of_stream(100, &mut line);
            capture.flush(100, &mut line);
            assert_eq!(endings, [Ending::Complete, expected]);
        }
    }

    #[test]
    fn an_end_without_words_is_nothing_to_say() {
        let mut capture = Capture::new(Requests::Unnamed);
        capture.end_of_stream(100, &mut |words| panic!("{words:?}"));
    }

    #[test]
    fn lines_belong_to_the_request_that_is_served() {
        let long = [b"\0freq:", &b"x".repeat(129)[..], b"\0"].concat();
        for (text, expected) in [
            (
                &b"a\n\0freq:r1\0b\nc\0fscf\0d"[..],
                " a|r1 b|r1 c| d".to_owned(),
            ),
            (b"a\0freq:r1\0b\0freq:r2\0c", " a|r1 b|r2 c".to_owned()),
            (b"\0freq:\0a", " \\0freq:\\0a".to_owned()),
            (b"\0freq:a\tb\0c\n", " \\0freq:a\\tb\\0c".to_owned()),
            (
                b"\0fre\n\0freq\0freq:r\0a",
                " \\0fre| \\0freq|r a".to_owned(),
            ),
            (&long, format!(" \\0freq:{}\\0", "x".repeat(129))),
        ] {
            let mut capture = Capture::new(Requests::Named);
            let mut said = Vec::new();
            let mut line = |words: Words<'_>| {
                said.push(format!(
                    "{} {}",
                    words.request.as_bstr(),
                    words.text.escape_bytes()
                ));
            };
            for byte in text {
                capture.feed(Stream::Stderr, &[*byte], 1000, &mut line);
            }
            capture.flush(1000, &mut line);
            assert_eq!(said.join("|"), expected, "{}", text.escape_bytes());
        }
        assert_eq!(
            lines(100, &[(Stream::Stderr, b"\0freq:r1\0b\n")]),
            ["stderr: \\0freq:r1\\0b"]
        );
    }

    #[test]
    fn a_line_that_just_fits_is_not_cut() {
        assert_eq!(
            lines(3, &[(Stream::Stderr, b"abc\nabcd\n")]),
            ["stderr: abc", "stderr: abc", "stderr: d"]
        );
    }

    proptest! {
        #[test]
        fn how_it_was_read_makes_no_difference(
            text in prop::collection::vec(prop::sample::select(b"a\0fsc\n".to_vec()), 0..80),
            cuts in prop::collection::vec(0_usize..80, 0..5),
        ) {
            let whole = lines(7, &[(Stream::Stderr, &text)]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| (Stream::Stderr, &text[cut[0]..cut[1]])).collect();
            prop_assert_eq!(lines(7, &pieces), whole);
        }

        #[test]
        fn nothing_is_lost(text in prop::collection::vec(any::<u8>(), 0..200), room in 1_usize..50) {
            let mut said = Vec::new();
            let mut capture = Capture::new(Requests::Unnamed);
            capture.feed(Stream::Stdout, &text, room, &mut |words| said.extend_from_slice(words.text));
            capture.flush(room, &mut |words| said.extend_from_slice(words.text));
            let expected: Vec<u8> = text.replace(FLUSH_MARKER, b"").into_iter().filter(|byte| *byte != b'\n').collect();
            prop_assert_eq!(said, expected);
        }
    }
}
