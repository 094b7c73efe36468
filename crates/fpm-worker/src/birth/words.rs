//! A worker's first words: what goes wrong while it is set up.
//!
//! The original writes them to the worker's stderr, which is /dev/null unless the pool catches its workers' output; all that an
//! administrator sees then is an exit code. So they go to the zygote as well in that case, which hands them to the master's log.
//! Each is one write of less than PIPE_BUF bytes, so the words of several workers never mix in the pipe that they share.

use std::io::{PipeWriter, Write};

use bstr::{BString, ByteSlice};
use fpm_conf::LogLevel;

use crate::log::Log;

/// Longest text in bytes; with level and line feed this stays below what pipe(7) writes in one piece.
const TEXT_MAX: usize = 4000;

const LEVELS: [LogLevel; 5] = [
    LogLevel::Debug,
    LogLevel::Notice,
    LogLevel::Warning,
    LogLevel::Error,
    LogLevel::Alert,
];

/// Takes the first words of one worker.
#[derive(Debug)]
pub struct FirstWords {
    log: Log,
    /// To the zygote, unless stderr leads to the master anyway.
    zygote: Option<PipeWriter>,
}

impl FirstWords {
    /// Returns what writes to stderr and, if it is given, to the zygote.
    pub fn new(log: Log, zygote: Option<PipeWriter>) -> FirstWords {
        FirstWords { log, zygote }
    }

    /// Says something.
    #[track_caller]
    pub fn say(&mut self, level: LogLevel, text: &[u8]) {
        self.log.message(level, text);
        if let Some(zygote) = &mut self.zygote {
            // A zygote that is gone has nobody to tell either.
            let _untold = zygote.write_all(&encoded(level, text));
        }
    }
}

fn encoded(level: LogLevel, text: &[u8]) -> Vec<u8> {
    let level = LEVELS.iter().position(|&known| known == level).unwrap_or(0);
    let mut line = vec![b'0' + u8::try_from(level).unwrap_or(0)];
    line.extend(
        text[..text.len().min(TEXT_MAX)]
            .iter()
            .map(|&byte| if byte == b'\n' { b' ' } else { byte }),
    );
    line.push(b'\n');
    line
}

/// Puts the words that come out of the pipe together again.
#[derive(Debug, Default)]
pub struct Listener {
    partial: Vec<u8>,
}

impl Listener {
    /// Takes a piece that was read from the pipe and returns what is complete.
    pub fn hear(&mut self, piece: &[u8]) -> Vec<(LogLevel, BString)> {
        self.partial.extend_from_slice(piece);
        let end = self.partial.rfind_byte(b'\n').map_or(0, |at| at + 1);
        let complete: Vec<u8> = self.partial.drain(..end).collect();
        complete.lines().filter_map(decoded).collect()
    }
}

fn decoded(line: &[u8]) -> Option<(LogLevel, BString)> {
    let (level, text) = line.split_first()?;
    let level = LEVELS.get(usize::from(level.wrapping_sub(b'0')))?;
    Some((*level, text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_whole_however_they_are_read() {
        let mut bytes = encoded(LogLevel::Error, b"[pool www] failed\nreally");
        bytes.extend(encoded(LogLevel::Debug, b""));
        bytes.extend(encoded(LogLevel::Alert, &[b'x'; 10_000]));
        let expected = [
            (LogLevel::Error, BString::from("[pool www] failed really")),
            (LogLevel::Debug, "".into()),
            (LogLevel::Alert, BString::from(vec![b'x'; TEXT_MAX])),
        ];
        for size in [1, 7, 100_000] {
            let mut listener = Listener::default();
            let heard: Vec<_> = bytes
                .chunks(size)
                .flat_map(|piece| listener.hear(piece))
                .collect();
            assert_eq!(heard, expected);
        }
    }

    #[test]
    fn nonsense_is_dropped() {
        assert_eq!(Listener::default().hear(b"\n9x\nx\n"), []);
    }
}
