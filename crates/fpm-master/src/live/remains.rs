//! Channels and pipes to the processes of a program before this one, which this one does not understand.
//!
//! Rule: all stay open until the other side closes: at the end of its channel a process would take the master for gone and shut the
//! listening sockets down.

use std::fs::File;
use std::io::{ErrorKind, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use fpm_channel::{Flushed, dismiss};
use fpm_events::Interest;
use fpm_os::descriptor::set_nonblocking;
use fpm_os::handover;
use fpm_os::seqpacket::{self, Patience};

use super::outlet::{LAST_PORTIONS, PORTION};
use super::pipes::{Chunk, read_portion};
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
    /// To a zygote or a worker, and whether that is still to be told that it may leave: its socket was full.
    Channel(OwnedFd, Option<Dismissal>),
    /// From the outputs of one.
    Pipe(PipeReader),
}

/// Something that is to be said once there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dismissal;

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
            return Some(Remain::Channel(descriptor, None));
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
                Some(Remain::Channel(end, _)) => {
                    self.watch(end, Interest::Both, Token::Remains(number));
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
        for remain in self.remains.all.iter_mut().flatten() {
            if let Remain::Channel(end, due) = remain {
                *due = tell(end);
            }
        }
    }

    /// One of them has something to say, has room for what it is to be told, or has ended. A portion is taken; for the rest an event
    /// comes at once.
    pub(super) fn on_remain(&mut self, number: usize) {
        let Some(place) = self.remains.all.get_mut(number) else {
            return;
        };
        let found = match place {
            None => return,
            Some(Remain::Channel(end, due)) => {
                *due = due.and_then(|Dismissal| tell(end));
                skip_portion(end)
            }
            Some(Remain::Pipe(pipe)) => read_portion(pipe, |bytes| self.program.write(bytes)),
        };
        match found {
            Chunk::Bytes(_) => {
                self.events
                    .set_timer(Duration::ZERO, Token::Remains(number));
            }
            Chunk::Nothing => {}
            Chunk::End => {
                let ended = place.take();
                match &ended {
                    Some(Remain::Channel(end, _)) => self.unwatch(end),
                    Some(Remain::Pipe(pipe)) => self.unwatch(pipe),
                    None => {}
                }
            }
        }
    }
}

/// Lets a process go; returns what is still to be said because its socket is full.
fn tell(channel: &OwnedFd) -> Option<Dismissal> {
    match dismiss(channel) {
        Ok(Flushed::Waiting) => Some(Dismissal),
        // One that is gone needs no telling.
        Ok(Flushed::All) | Err(_) => None,
    }
}

/// Takes packets that nobody here understands from a channel, a portion of them; returns what was found last.
fn skip_portion(channel: &OwnedFd) -> Chunk {
    let mut buffer = [0; PORTION];
    let mut found = Chunk::Nothing;
    for _ in 0..LAST_PORTIONS {
        found = match seqpacket::receive(channel, &mut buffer, Patience::AtOnce) {
            Ok(packet) if packet.len > 0 => Chunk::Bytes(packet.len),
            Ok(_) => return Chunk::End,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Chunk::Nothing,
            // It has closed without reading our dismissal, which is told once and before what it has sent.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Chunk::Bytes(0),
            // It will not get better.
            Err(_) => return Chunk::End,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_who_has_not_read_its_dismissal_is_seen() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        assert_eq!(skip_portion(&ours), Chunk::Nothing);
        dismiss(&theirs).unwrap();
        dismiss(&ours).unwrap();
        drop(theirs);
        assert_eq!(skip_portion(&ours), Chunk::End);
    }

    #[test]
    fn who_does_not_listen_is_told_when_there_is_room() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        while tell(&ours).is_none() {}
        assert_eq!(tell(&ours), Some(Dismissal));
        while skip_portion(&theirs) != Chunk::Nothing {}
        assert_eq!(tell(&ours), None);
    }
}
