//! What workers and zygotes say, on its way to the log.
//!
//! Rule: nothing waits and nothing is lost. A stream that never ends is read in portions, so that the master always gets
//! round to everything else.
//!
//! Original: sapi/fpm/fpm/fpm_stdio.c (`fpm_stdio_child_said`)

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{LogLevel, Pool};
use fpm_events::Interest;
use nix::unistd::Pid;

use super::pipes::{Chunk, Pipes};
use super::{Live, Token};
use crate::capture::{Capture, Stream};
use crate::event::ZygoteId;
use crate::program::Program;

/// Read at once.
pub(super) const PORTION: usize = 16 * 1024;
/// Portions that a process which has ended may have left. A pipe holds 64 KiB (pipe(7)), but a process that it has left
/// behind may go on writing.
const LAST_PORTIONS: usize = 64;

/// Whether what workers write is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outputs {
    /// Not yet: in the log it follows the line that ends the start, as with the original.
    Waiting,
    /// It is.
    Heard,
}

impl<P: Program> Live<P> {
    /// Watches the outputs of a worker.
    pub(super) fn watch_outputs(&mut self, worker: WorkerId, pipes: &Pipes) {
        for (stream, pipe) in pipes.outputs() {
            self.watch(pipe, Interest::Readable, Token::Output(worker, stream));
        }
    }

    /// A worker has said something. One portion is taken; for the rest an event comes at once.
    pub(super) fn read_output(&mut self, worker: WorkerId, stream: Stream) {
        match self.take_portion(worker, stream) {
            Chunk::Bytes(_) => {
                self.events
                    .set_timer(Duration::ZERO, Token::Output(worker, stream));
            }
            Chunk::Nothing | Chunk::End => {}
        }
    }

    /// A worker has ended: takes what is left of its words.
    pub(super) fn last_words(&mut self, worker: WorkerId) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            for _ in 0..LAST_PORTIONS {
                let Chunk::Bytes(_) = self.take_portion(worker, stream) else {
                    break;
                };
            }
        }
        self.with_capture(worker, |capture, room, line| capture.flush(room, line));
    }

    /// Copies what a zygote has written to its standard error to our own.
    pub(super) fn read_stderr(&mut self, id: ZygoteId) {
        let mut buffer = [0; PORTION];
        for _ in 0..LAST_PORTIONS {
            let Some(zygote) = self.zygotes.get_mut(&id) else {
                return;
            };
            match zygote.read_stderr(&mut buffer) {
                Chunk::Bytes(count) => self.program.write(&buffer[..count]),
                Chunk::Nothing | Chunk::End => return,
            }
        }
        self.events
            .set_timer(Duration::ZERO, Token::ZygoteStderr(id));
    }

    fn take_portion(&mut self, worker: WorkerId, stream: Stream) -> Chunk {
        let mut buffer = [0; PORTION];
        let Some(pipes) = self.workers.get_mut(&worker) else {
            return Chunk::End;
        };
        let chunk = pipes.read(stream, &mut buffer);
        if let Chunk::Bytes(count) = chunk {
            self.with_capture(worker, |capture, room, line| {
                capture.feed(stream, &buffer[..count], room, line);
            });
        }
        chunk
    }

    /// Lets `cut` hand out lines of a worker, which go to the log.
    fn with_capture(
        &mut self,
        worker: WorkerId,
        cut: impl FnOnce(&mut Capture, usize, &mut dyn FnMut(Stream, &[u8])),
    ) {
        let Some(pipes) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(setup) = self.generations.get(&pipes.pool.generation) else {
            return;
        };
        let Some(pool) = setup.pool(pipes.pool.index) else {
            return;
        };
        let board = setup.board(pipes.pool.index);
        let state = board.and_then(|board| board.state(pipes.slot.0));
        let pid = state.map_or(Pid::from_raw(0), |state| state.pid);
        let limit = usize::try_from(setup.config.global.log_limit).unwrap_or(usize::MAX);
        let program = &mut self.program;
        let prefix = program.prefix(LogLevel::Warning);
        // The names of the two streams are equally long.
        let decoration = around(pool, pid, &prefix, Stream::Stderr, b"").len();
        let room = limit.saturating_sub(decoration);
        cut(&mut pipes.capture, room, &mut |stream, text| {
            program.write(&around(pool, pid, &prefix, stream, text));
        });
    }
}

/// Decorates a line. When warnings are not logged the original leaves the beginning out and the end in.
fn around(pool: &Pool, pid: Pid, prefix: &str, stream: Stream, text: &[u8]) -> Vec<u8> {
    let (before, after) = if !pool.decorate_workers_output {
        (String::new(), &b"\n"[..])
    } else if prefix.is_empty() {
        (String::new(), &b"\"\n"[..])
    } else {
        let before = format!(
            "{prefix}[pool {}] child {pid} said into {}: \"",
            pool.name,
            stream.name()
        );
        (before, &b"\"\n"[..])
    };
    [before.as_bytes(), text, after].concat()
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    #[test]
    fn lines_are_decorated_as_the_originals() {
        let mut pool = Pool::new("www", "/run/www.sock");
        let pid = Pid::from_raw(42);
        let line = |pool: &Pool, prefix| {
            around(pool, pid, prefix, Stream::Stdout, b"a\xff")
                .as_bstr()
                .to_owned()
        };
        let said = b"[time] WARNING: [pool www] child 42 said into stdout: \"a\xff\"\n";
        assert_eq!(line(&pool, "[time] WARNING: "), said.as_bstr());
        assert_eq!(line(&pool, ""), b"a\xff\"\n".as_bstr());
        pool.decorate_workers_output = false;
        assert_eq!(line(&pool, "[time] WARNING: "), b"a\xff\n".as_bstr());
    }
}
