//! What workers and zygotes say, on its way to the log.
//!
//! Rule: the master waits for nothing, and nothing is lost but what a log refuses for long, which the program counts
//! ([`super::restraint`]). A stream that never ends is read in portions, so that the master always gets round to everything else.
//!
//! Original: sapi/fpm/fpm/fpm_stdio.c (`fpm_stdio_child_said`)

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_events::Interest;
use fpm_os::clock;
use nix::unistd::Pid;

use super::pipes::{Chunk, Pipes};
use super::{Live, Token};
use crate::capture::Capture;
use crate::event::ZygoteId;
use crate::program::{Program, Speaker, Stream, Words};

/// Read at once.
pub(super) const PORTION: usize = 16 * 1024;
/// Portions that are taken in a row where the rest can wait or is not worth it: a pipe holds 64 KiB (pipe(7)), but whoever has the
/// other end, perhaps a process that one which has ended has left behind, may go on writing.
pub(super) const LAST_PORTIONS: usize = 64;

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

    /// A worker has said something. One portion is taken; for the rest an event comes at once. When the log is behind, nothing is
    /// taken yet.
    pub(super) fn read_output(&mut self, worker: WorkerId, stream: Stream) {
        if self.restraint.holds() {
            self.held.insert((worker, stream));
            return;
        }
        let chunk = self.take_portion(worker, stream);
        self.keep_log_flowing();
        match chunk {
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
        self.with_capture(worker, |capture, room, line| match chunk {
            Chunk::Bytes(count) => capture.feed(stream, &buffer[..count], room, line),
            Chunk::Nothing => capture.pause(),
            Chunk::End => capture.end_of_stream(room, line),
        });
        chunk
    }

    /// Lets `cut` hand out lines of a worker, which go to the log.
    fn with_capture(
        &mut self,
        worker: WorkerId,
        cut: impl FnOnce(&mut Capture, usize, &mut dyn FnMut(Words<'_>)),
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
        let speaker = Speaker {
            pool,
            process: state.map_or(Pid::from_raw(0), |state| state.pid),
            generation: pipes.pool.generation,
        };
        let program = &mut self.program;
        let room = program.room(&speaker);
        cut(&mut pipes.capture, room, &mut |words| {
            program.worker_said(&speaker, &words);
        });
    }

    /// Has the log take what it did not take before, and sees to it that this is tried again.
    pub(super) fn keep_log_flowing(&mut self) {
        let backlog = self.program.flush_log();
        if backlog.lost > 0 {
            self.count_lost_log_lines(backlog.lost);
        }
        let now = clock::monotonic();
        let again = self.restraint.look(backlog, now);
        if let (None, Some(delay)) = (self.log_timer, again) {
            self.log_timer = Some(self.events.set_timer(now + delay, Token::Log));
        }
        if !self.restraint.holds() {
            for (worker, stream) in self.held.drain() {
                self.events
                    .set_timer(Duration::ZERO, Token::Output(worker, stream));
            }
        }
    }
}
