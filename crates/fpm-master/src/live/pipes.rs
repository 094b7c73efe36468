//! What connects the master and one worker: its control socket, and the pipes of its outputs if they are caught.
//!
//! Rule: none of the master's ends ever blocks.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;

use fpm_channel::SlotIndex;
use fpm_channel::worker::MasterEnd;
use fpm_os::descriptor::set_nonblocking;

use super::outlet::{LAST_PORTIONS, PORTION};
use crate::capture::{Capture, Requests};
use crate::pool::PoolId;
use crate::program::Stream;
use crate::upgrade::state::WorkerEnds;
use crate::world::Birth;

/// The master's ends, and whose they are.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(super) pool: PoolId,
    pub(super) slot: SlotIndex,
    pub(super) control: MasterEnd,
    outputs: Vec<(Stream, PipeReader)>,
    /// What was said and is not a line yet.
    pub(super) capture: Capture,
}

/// The worker's ends.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) control: OwnedFd,
    /// Standard output and standard error.
    pub(super) output: Option<[PipeWriter; 2]>,
}

/// Whether a worker's outputs are caught (`catch_workers_output`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// They are.
    Outputs(Requests),
    /// They are not.
    Nothing,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Nothing,
    /// Nobody has the other end any more.
    End,
}

impl Pipes {
    /// Creates the socket and the pipes of a worker.
    pub(super) fn create(birth: Birth, caught: Caught) -> io::Result<(Pipes, Theirs)> {
        let (control, theirs) = MasterEnd::create()?;
        let mut pipes = Pipes {
            pool: birth.pool,
            slot: birth.slot,
            control,
            outputs: Vec::new(),
            capture: Capture::new(match caught {
                Caught::Outputs(requests) => requests,
                Caught::Nothing => Requests::Unnamed,
            }),
        };
        let mut output = None;
        if let Caught::Outputs(_) = caught {
            let ((stdout, stdout_writer), (stderr, stderr_writer)) = (pipe()?, pipe()?);
            pipes.outputs = vec![(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
            output = Some([stdout_writer, stderr_writer]);
        }
        Ok((
            pipes,
            Theirs {
                control: theirs,
                output,
            },
        ))
    }

    /// Takes over what another program had of a worker.
    pub(crate) fn adopted(
        ends: &WorkerEnds,
        control: MasterEnd,
        outputs: Vec<(Stream, OwnedFd)>,
    ) -> Pipes {
        Pipes {
            pool: ends.pool,
            slot: ends.slot,
            control,
            outputs: outputs
                .into_iter()
                .map(|(stream, pipe)| (stream, pipe.into()))
                .collect(),
            capture: ends.said.clone(),
        }
    }

    /// Returns the pipes that have something to read.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (Stream, &PipeReader)> {
        self.outputs.iter().map(|(stream, pipe)| (*stream, pipe))
    }

    /// Reads what a stream has.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Chunk {
        match self.outputs.iter_mut().find(|(name, _)| *name == stream) {
            Some((_, pipe)) => read(pipe, buffer),
            None => Chunk::End,
        }
    }
}

/// Creates a pipe whose reading end does not block.
fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    set_nonblocking(&reader)?;
    Ok((reader, writer))
}

/// Reads what a pipe has.
pub(super) fn read(pipe: &mut PipeReader, buffer: &mut [u8]) -> Chunk {
    loop {
        match pipe.read(buffer) {
            Ok(0) => return Chunk::End,
            Ok(count) => return Chunk::Bytes(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Chunk::Nothing,
            // A pipe has no other errors; whatever it is, it will not get better.
            Err(_) => return Chunk::End,
        }
    }
}

/// Gives all that a pipe has to `take`, but no more than a portion: whoever writes without end is not to have all the master's time.
/// Returns what was found last; [`Chunk::Bytes`] means that there may be more.
pub(super) fn read_portion(pipe: &mut PipeReader, mut take: impl FnMut(&[u8])) -> Chunk {
    let mut buffer = [0; PORTION];
    let mut found = Chunk::Nothing;
    for _ in 0..LAST_PORTIONS {
        found = read(pipe, &mut buffer);
        match found {
            Chunk::Bytes(count) => take(&buffer[..count]),
            Chunk::Nothing | Chunk::End => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use fpm_channel::{Generation, WorkerId};
    use fpm_conf::PoolIndex;

    use super::*;

    fn birth() -> Birth {
        Birth {
            worker: WorkerId(1),
            pool: PoolId {
                generation: Generation(1),
                index: PoolIndex(0),
            },
            slot: SlotIndex(0),
        }
    }

    #[test]
    fn outputs_are_read_until_their_end() {
        let (mut pipes, ends) = Pipes::create(birth(), Caught::Outputs(Requests::Unnamed)).unwrap();
        let [mut stdout, stderr] = ends.output.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(pipes.read(Stream::Stdout, &mut buffer), Chunk::Nothing);
        stdout.write_all(b"abc").unwrap();
        assert_eq!(pipes.read(Stream::Stdout, &mut buffer), Chunk::Bytes(3));
        drop((stdout, stderr));
        assert_eq!(pipes.read(Stream::Stdout, &mut buffer), Chunk::End);
        assert_eq!(pipes.read(Stream::Stderr, &mut buffer), Chunk::End);
    }

    #[test]
    fn who_writes_without_end_is_listened_to_for_a_while() {
        let mut endless = PipeReader::from(OwnedFd::from(File::open("/dev/zero").unwrap()));
        let mut taken = 0;
        let found = read_portion(&mut endless, |bytes| taken += bytes.len());
        assert_eq!(found, Chunk::Bytes(PORTION));
        assert_eq!(taken, LAST_PORTIONS * PORTION);
    }
}
