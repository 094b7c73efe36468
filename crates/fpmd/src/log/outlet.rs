//! Writing log lines without waiting for whoever takes them.
//!
//! Rule: lines that are not taken are kept up to a bound and tried again; beyond it they are counted, and the count is told
//! when lines are taken again. Nothing is lost silently, and nobody waits but before the daemon runs and at its end
//! ([`Outlet::drain`]).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use fpm_master::program;
use fpm_os::clock;
use fpm_os::poll::{self, Interest, Waited};
use fpm_os::sink::Sink;
use nix::errno::Errno;

/// As much as is kept, in bytes; only the last line may go beyond.
const ROOM: usize = 1 << 20;

/// Lines that wait to be written, and how many had no room.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lines: VecDeque<Vec<u8>>,
    /// Bytes in `lines`.
    size: usize,
    lost: u64,
    /// Those of them that the master does not know of.
    uncounted: u64,
}

/// A file, and the lines that it has not taken.
#[derive(Debug)]
pub(super) struct Outlet {
    sink: Sink,
    backlog: Backlog,
}

impl Backlog {
    /// Writes a line behind those that wait. `write` is given a line and tells how much of it was taken.
    pub(super) fn write(
        &mut self,
        line: Vec<u8>,
        write: &mut dyn FnMut(&[u8]) -> io::Result<usize>,
    ) {
        self.flush(write);
        if line.is_empty() {
            return;
        }
        // However long it is: half a line is none.
        if self.size <= ROOM {
            self.size += line.len();
            self.lines.push_back(line);
            self.flush(write);
        } else {
            self.lose(1);
        }
    }

    /// Writes what waits, as far as it is taken.
    pub(super) fn flush(&mut self, write: &mut dyn FnMut(&[u8]) -> io::Result<usize>) {
        while let Some(line) = self.lines.front_mut() {
            match write(line) {
                // It will never be taken, and the others must not wait for it.
                Err(error) if is_too_long(&error) => {
                    self.size -= line.len();
                    self.lines.pop_front();
                    self.lose(1);
                }
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    line.drain(..count.min(line.len()));
                    self.size -= count;
                    if line.is_empty() {
                        self.lines.pop_front();
                    }
                }
            }
        }
    }

    fn lose(&mut self, lines: u64) {
        self.lost += lines;
        self.uncounted += lines;
    }

    /// Says how much waits, and what was lost since this was asked last.
    pub(super) fn state(&mut self) -> program::Backlog {
        program::Backlog {
            waiting: self.size,
            room: ROOM,
            lost: std::mem::take(&mut self.uncounted),
        }
    }

    /// Returns how many lines were lost, once all the others are written; asking forgets them.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        (self.lines.is_empty() && self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }

    /// Gives up what waits for a log that is not used any more.
    pub(super) fn give_up(&mut self) -> Backlog {
        let waited = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        self.lose(waited);
        let before = std::mem::take(self);
        Backlog {
            lost: before.lost,
            uncounted: before.uncounted,
            ..Backlog::default()
        }
    }
}

impl Outlet {
    /// Begins to write to a file. What another log has lost is told here.
    pub(super) fn new(file: File, backlog: Backlog) -> Outlet {
        Outlet {
            sink: Sink::new(file),
            backlog,
        }
    }

    /// Goes on in another file.
    pub(super) fn replace(&mut self, file: File) {
        self.sink = Sink::new(file);
    }

    /// Writes a line, now or as soon as it is taken.
    pub(super) fn write(&mut self, line: Vec<u8>) {
        let sink = &self.sink;
        self.backlog.write(line, &mut |bytes| sink.write(bytes));
    }

    /// Writes what waits, as far as it is taken.
    pub(super) fn flush(&mut self) {
        let sink = &self.sink;
        self.backlog.flush(&mut |bytes| sink.write(bytes));
    }

    /// Writes what waits and waits itself until all is taken, but no longer than `limit`, and not for what takes nothing at all:
    /// a full disk, a pipe without a reader.
    pub(super) fn drain(&mut self, limit: Option<Duration>) {
        let begun = clock::monotonic();
        let mut before = usize::MAX;
        loop {
            self.flush();
            let waiting = self.backlog.size;
            if waiting == 0 || waiting == before {
                return;
            }
            before = waiting;
            let left = limit.map(|limit| limit.saturating_sub(clock::monotonic() - begun));
            let Ok(Waited::Ready) = poll::wait(&self.sink, Interest::Writable, left) else {
                return;
            };
        }
    }

    pub(super) fn backlog(&mut self) -> &mut Backlog {
        &mut self.backlog
    }
}

/// Tells whether a packet is longer than a socket takes at all (send(2)).
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EMSGSIZE as i32)
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sink.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// A log that takes so many bytes.
    struct Taker {
        room: usize,
        taken: Vec<u8>,
    }

    impl Taker {
        fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    #[test]
    fn what_is_not_taken_waits_and_what_has_no_room_is_counted() {
        let mut taker = Taker {
            room: 3,
            taken: Vec::new(),
        };
        let mut backlog = Backlog::default();
        let long = vec![b'x'; ROOM - 1];
        for line in [&b"one\n"[..], &long, b"last one\n", b"lost\n"] {
            backlog.write(line.to_vec(), &mut |bytes| taker.take(bytes));
        }
        assert_eq!(taker.taken, b"one");
        assert_eq!(
            backlog.take_lost(),
            None,
            "not before the others are written"
        );
        taker.room = usize::MAX;
        backlog.flush(&mut |bytes| taker.take(bytes));
        let state = backlog.state();
        assert_eq!((state.waiting, state.lost), (0, 1));
        assert_eq!(backlog.state().lost, 0, "that was told");
        assert_eq!(taker.taken, [b"one\n", &long[..], b"last one\n"].concat());
        assert_eq!(backlog.take_lost(), Some(1));
        assert_eq!(backlog.take_lost(), None);
    }

    #[test]
    fn what_is_given_up_is_counted() {
        let mut backlog = Backlog::default();
        for line in ["one", "two"] {
            backlog.write(line.into(), &mut |_| Err(io::ErrorKind::StorageFull.into()));
        }
        let mut next = backlog.give_up();
        assert_eq!((next.state().lost, next.take_lost()), (2, Some(2)));
        assert_eq!(backlog.state().lost, 0);
        assert_eq!(backlog.take_lost(), None);
    }

    #[test]
    fn all_is_written_when_there_is_time() {
        let (mut reader, writer) = io::pipe().unwrap();
        let reading = thread::spawn(move || {
            let (mut read, mut part) = (0, [0; 1000]);
            while let Ok(count @ 1..) = reader.read(&mut part) {
                read += count;
            }
            read
        });
        let mut outlet = Outlet::new(File::from(OwnedFd::from(writer)), Backlog::default());
        for _ in 0..1000 {
            outlet.write(vec![b'x'; 999]);
            outlet.write(Vec::new());
        }
        outlet.drain(None);
        assert_eq!(outlet.backlog.state().waiting, 0);
        drop(outlet);
        assert_eq!(reading.join().unwrap(), 999_000);
    }

    #[test]
    fn what_takes_nothing_is_not_waited_for() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let full = File::options().write(true).open("/dev/full").unwrap();
        for file in [full, File::from(OwnedFd::from(writer))] {
            let mut outlet = Outlet::new(file, Backlog::default());
            outlet.write(b"x".to_vec());
            outlet.drain(None);
            assert_eq!(outlet.backlog.state().waiting, 1);
        }
        let (_reader, writer) = io::pipe().unwrap();
        let mut outlet = Outlet::new(File::from(OwnedFd::from(writer)), Backlog::default());
        outlet.write(vec![b'x'; 100_000]);
        outlet.drain(Some(Duration::from_millis(1)));
        assert!(outlet.backlog.state().waiting > 0);
    }

    #[test]
    fn what_is_too_long_for_good_does_not_stop_the_others() {
        let mut taken = Vec::new();
        let mut backlog = Backlog::default();
        for line in ["one\n", "far too long\n", "three\n"] {
            backlog.write(line.into(), &mut |bytes| {
                if bytes.len() > 10 {
                    return Err(Errno::EMSGSIZE.into());
                }
                taken.extend_from_slice(bytes);
                Ok(bytes.len())
            });
        }
        assert_eq!(taken, b"one\nthree\n");
        assert_eq!(backlog.take_lost(), Some(1));
    }

    proptest! {
        #[test]
        fn lines_come_out_whole_and_in_their_order(
            steps in prop::collection::vec((0_usize..20, 0_usize..30), 0..40),
        ) {
            let mut taker = Taker { room: 0, taken: Vec::new() };
            let (mut backlog, mut expected) = (Backlog::default(), Vec::new());
            for (length, room) in steps {
                taker.room += room;
                let line = [vec![b'x'; length], b"\n".to_vec()].concat();
                expected.extend_from_slice(&line);
                backlog.write(line, &mut |bytes| taker.take(bytes));
                prop_assert!(expected.starts_with(&taker.taken));
            }
            taker.room = usize::MAX;
            backlog.flush(&mut |bytes| taker.take(bytes));
            prop_assert_eq!(taker.taken, expected);
        }
    }
}
