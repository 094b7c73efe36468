//! Channels and pipes to the processes of a program before this one, which this one does not understand.
//!
//! Rule: all stay open until the other side closes: at the end of its channel a process would take the master for gone and shut the
//! listening sockets down.

use std::fs::File;
use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use fpm_channel::dismiss;
use fpm_events::Interest;
use fpm_os::descriptor::set_nonblocking;
use fpm_os::handover;
use fpm_os::seqpacket::{self, Patience};

use super::outlet::PORTION;
use super::pipes::{Chunk, read};
use super::{Live, Token};
use crate::program::Program;

/// Those that are open, by number.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    all: Vec<Option<Remain>>,
}

/// One of them.
#[derive(Debug)]
enum Remain {
    /// To a zygote or a worker.
    Channel(OwnedFd),
    /// From the outputs of one.
    Pipe(PipeReader),
}

impl Remains {
    /// Takes what is of this kind among `descriptors` and among those that this process was executed with; the rest is closed.
    pub(crate) fn gather(descriptors: impl IntoIterator<Item = OwnedFd>) -> Remains {
        let numbers = handover::untaken().unwrap_or_default();
        let found = numbers
            .into_iter()
            .filter_map(|number| handover::take(number).ok());
        let all = descriptors.into_iter().chain(found).filter_map(Remain::of);
        Remains {
            all: all.map(Some).collect(),
        }
    }
}

impl Remain {
    fn of(descriptor: OwnedFd) -> Option<Remain> {
        if seqpacket::is_one(&descriptor) {
            return Some(Remain::Channel(descriptor));
        }
        let file = File::from(descriptor);
        let is_pipe = file.metadata().is_ok_and(|file| file.file_type().is_fifo());
        let pipe = PipeReader::from(OwnedFd::from(file));
        (is_pipe && set_nonblocking(&pipe).is_ok()).then_some(Remain::Pipe(pipe))
    }
}

impl<P: Program> Live<P> {
    /// Goes on with what a program before has left.
    pub(crate) fn keep_remains(&mut self, remains: Remains) {
        for (number, remain) in remains.all.iter().enumerate() {
            match remain {
                Some(Remain::Channel(end)) => {
                    self.watch(end, Interest::Readable, Token::Remains(number));
                }
                Some(Remain::Pipe(pipe)) => {
                    self.watch(pipe, Interest::Readable, Token::Remains(number));
                }
                None => {}
            }
        }
        self.remains = remains;
    }

    /// Lets the processes go.
    pub(super) fn dismiss_remains(&mut self) {
        for remain in self.remains.all.iter().flatten() {
            if let Remain::Channel(end) = remain {
                // One that is gone needs no telling.
                let _ = dismiss(end);
            }
        }
    }

    /// One of them has something to say, or has ended.
    pub(super) fn on_remain(&mut self, number: usize) {
        let Some(place) = self.remains.all.get_mut(number) else {
            return;
        };
        let (mut buffer, mut ended) = (vec![0; PORTION], false);
        match place {
            None => return,
            Some(Remain::Channel(end)) => loop {
                match seqpacket::receive(&*end, &mut buffer, Patience::AtOnce) {
                    Ok(packet) if packet.len > 0 => {}
                    Ok(_) => {
                        ended = true;
                        break;
                    }
                    Err(_) => break,
                }
            },
            Some(Remain::Pipe(pipe)) => loop {
                match read(pipe, &mut buffer) {
                    Chunk::Bytes(count) => self.program.write(&buffer[..count]),
                    Chunk::Nothing => break,
                    Chunk::End => {
                        ended = true;
                        break;
                    }
                }
            },
        }
        if ended && let Some(remain) = place.take() {
            match &remain {
                Remain::Channel(end) => drop(self.events.remove(end.as_fd())),
                Remain::Pipe(pipe) => drop(self.events.remove(pipe.as_fd())),
            }
        }
    }
}
