//! The loop itself: mio waits, signals are read from their descriptor, timers are compared with the clock.
//!
//! Original: sapi/fpm/fpm/fpm_events.c

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use fpm_os::clock;
use fpm_os::signal::fd::{Caught, SignalFd};
use fpm_os::signal::set::SignalSet;
use mio::unix::SourceFd;
use mio::{Events, Poll, Token};

use crate::error::EventError;
use crate::timers::{TimerId, Timers};

/// How many descriptors are asked about at once; the others are told in the next round.
const BATCH: usize = 256;

/// The longest wait at once; mio's limit is a number of milliseconds that would overflow after 24 days.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<T> {
    /// There is something to read, or the end, or an error.
    Readable(T),
    /// There is room to write, or an error.
    Writable(T),
    /// A signal has come.
    Signal(Caught),
    /// A timer has expired.
    Timer(T),
}

/// What to tell of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// [`Event::Readable`].
    Readable,
    /// [`Event::Writable`].
    Writable,
    /// Both.
    Both,
}

/// An event loop whose descriptors and timers are named by tokens `T`.
///
/// Readiness is told when it begins and not again while it lasts: after [`Event::Readable`] read until EAGAIN, after
/// [`Event::Writable`] write until EAGAIN, or the rest stays where it is until more comes. An event may also be told
/// for a descriptor that is not ready (its number was another's a moment ago).
#[derive(Debug)]
pub struct EventLoop<T> {
    poll: Poll,
    ready: Events,
    signals: SignalFd,
    watched: BTreeMap<RawFd, (T, Interest)>,
    timers: Timers<T>,
}

impl<T: Copy> EventLoop<T> {
    /// Creates a loop that tells these signals, which are blocked from now on.
    ///
    /// A forked child must not use it; it shares the kernel's part with its parent.
    ///
    /// # Errors
    /// [`EventError::Create`].
    pub fn create(signals: &SignalSet) -> Result<EventLoop<T>, EventError> {
        let signals = SignalFd::open(signals).map_err(EventError::Create)?;
        let poll = Poll::new().map_err(EventError::Create)?;
        let descriptor = signals.as_fd().as_raw_fd();
        poll.registry()
            .register(
                &mut SourceFd(&descriptor),
                token(descriptor),
                mio::Interest::READABLE,
            )
            .map_err(EventError::Create)?;
        Ok(EventLoop {
            poll,
            ready: Events::with_capacity(BATCH),
            signals,
            watched: BTreeMap::new(),
            timers: Timers::new(),
        })
    }

    /// Begins to tell of a descriptor, which the caller keeps open and makes non-blocking. What it is ready for
    /// already is told too.
    ///
    /// # Errors
    /// [`EventError::Add`].
    pub fn add(
        &mut self,
        descriptor: impl AsFd,
        interest: Interest,
        name: T,
    ) -> Result<(), EventError> {
        let descriptor = descriptor.as_fd().as_raw_fd();
        self.poll
            .registry()
            .register(
                &mut SourceFd(&descriptor),
                token(descriptor),
                interest.for_mio(),
            )
            .map_err(|source| EventError::Add { descriptor, source })?;
        self.watched.insert(descriptor, (name, interest));
        Ok(())
    }

    /// Stops telling of a descriptor. To be called before it is closed: while another process has the same file open
    /// (a forked child, a passed socket) the kernel would go on telling of it, with nobody left to stop it.
    ///
    /// # Errors
    /// [`EventError::Remove`].
    pub fn remove(&mut self, descriptor: impl AsFd) -> Result<(), EventError> {
        let descriptor = descriptor.as_fd().as_raw_fd();
        self.watched.remove(&descriptor);
        self.poll
            .registry()
            .deregister(&mut SourceFd(&descriptor))
            .map_err(|source| EventError::Remove { descriptor, source })
    }

    /// Sets a timer that expires at `deadline`, a moment of [`fpm_os::clock::monotonic`].
    pub fn set_timer(&mut self, deadline: Duration, name: T) -> TimerId {
        self.timers.set(deadline, name)
    }

    /// Cancels a timer and returns its name; `None` when it was told or cancelled before.
    pub fn cancel_timer(&mut self, id: TimerId) -> Option<T> {
        self.timers.cancel(id)
    }

    /// Waits until something happens and appends it to `events`: signals first, then descriptors, then timers in
    /// the order of their deadlines. Returns the monotonic time of that moment.
    ///
    /// # Errors
    /// [`EventError::Wait`].
    pub fn wait(&mut self, events: &mut Vec<Event<T>>) -> Result<Duration, EventError> {
        let already = events.len();
        loop {
            let now = clock::monotonic();
            let limit = self
                .timers
                .next_deadline()
                .map(|deadline| deadline.saturating_sub(now).min(LONGEST_WAIT));
            match self.poll.poll(&mut self.ready, limit) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(EventError::Wait(error));
                }
                Err(_) => continue,
                Ok(()) => {}
            }
            let now = clock::monotonic();
            self.collect(now, events)?;
            if events.len() > already {
                return Ok(now);
            }
        }
    }

    /// Appends what the kernel and the clock have to tell.
    fn collect(&mut self, now: Duration, events: &mut Vec<Event<T>>) -> Result<(), EventError> {
        let signals = token(self.signals.as_fd().as_raw_fd());
        if self.ready.iter().any(|event| event.token() == signals) {
            while let Some(caught) = self.signals.take().map_err(EventError::Wait)? {
                events.push(Event::Signal(caught));
            }
        }
        for event in &self.ready {
            let descriptor = RawFd::try_from(event.token().0).ok();
            // A descriptor that was removed after the kernel noted this has no name any more.
            let Some(&(name, interest)) = descriptor.and_then(|number| self.watched.get(&number))
            else {
                continue;
            };
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            if readable && interest != Interest::Writable {
                events.push(Event::Readable(name));
            }
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            if writable && interest != Interest::Readable {
                events.push(Event::Writable(name));
            }
        }
        while let Some(name) = self.timers.expire(now) {
            events.push(Event::Timer(name));
        }
        Ok(())
    }
}

impl Interest {
    /// Translates for mio.
    fn for_mio(self) -> mio::Interest {
        match self {
            Interest::Readable => mio::Interest::READABLE,
            Interest::Writable => mio::Interest::WRITABLE,
            Interest::Both => mio::Interest::READABLE | mio::Interest::WRITABLE,
        }
    }
}

/// Names a descriptor for mio by its number.
fn token(descriptor: RawFd) -> Token {
    Token(usize::try_from(descriptor).expect("an open descriptor is not negative"))
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Read, Write};
    use std::os::unix::net::UnixStream;

    use fpm_os::descriptor::set_nonblocking;
    use fpm_os::signal::Signal;
    use nix::sys::signal::{Signal as NixSignal, raise};

    use super::*;

    fn event_loop() -> EventLoop<&'static str> {
        EventLoop::create(&[Signal::USR1, Signal::USR2].into_iter().collect()).unwrap()
    }

    fn wait(events: &mut EventLoop<&'static str>) -> Vec<Event<&'static str>> {
        let mut told = Vec::new();
        events.wait(&mut told).unwrap();
        told
    }

    /// Ends a wait that must tell nothing else.
    fn nothing(events: &mut EventLoop<&'static str>) -> bool {
        events.set_timer(Duration::ZERO, "nothing");
        wait(events) == [Event::Timer("nothing")]
    }

    fn pipe() -> (io::PipeReader, PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        set_nonblocking(&reader).unwrap();
        (reader, writer)
    }

    #[test]
    fn what_is_readable_is_told_once_until_more_comes() {
        let mut events = event_loop();
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"x").unwrap();
        events.add(&reader, Interest::Readable, "pipe").unwrap();
        assert_eq!(wait(&mut events), [Event::Readable("pipe")]);
        assert!(nothing(&mut events));
        writer.write_all(b"y").unwrap();
        assert_eq!(wait(&mut events), [Event::Readable("pipe")]);
        reader.read_exact(&mut [0; 2]).unwrap();
        drop(writer);
        assert_eq!(
            wait(&mut events),
            [Event::Readable("pipe")],
            "the end is told too"
        );
    }

    #[test]
    fn only_what_was_asked_for_is_told() {
        let mut events = event_loop();
        let (reader, writer) = pipe();
        events.add(&writer, Interest::Writable, "pipe").unwrap();
        assert_eq!(wait(&mut events), [Event::Writable("pipe")]);
        // The kernel reports an error, which a reader would have to know as well.
        drop(reader);
        assert_eq!(wait(&mut events), [Event::Writable("pipe")]);

        let (one, mut other) = UnixStream::pair().unwrap();
        events.add(&one, Interest::Both, "socket").unwrap();
        assert_eq!(wait(&mut events), [Event::Writable("socket")]);
        other.write_all(b"x").unwrap();
        assert!(wait(&mut events).contains(&Event::Readable("socket")));
    }

    #[test]
    fn a_removed_descriptor_is_not_told() {
        let mut events = event_loop();
        let (reader, mut writer) = pipe();
        events.add(&reader, Interest::Readable, "pipe").unwrap();
        writer.write_all(b"x").unwrap();
        events.remove(&reader).unwrap();
        assert!(nothing(&mut events));
        assert!(matches!(
            events.remove(&reader),
            Err(EventError::Remove { .. })
        ));
    }

    #[test]
    fn a_descriptor_cannot_be_added_twice_nor_a_file_at_all() {
        let mut events = event_loop();
        let (reader, _writer) = pipe();
        events.add(&reader, Interest::Readable, "pipe").unwrap();
        let twice = events.add(&reader, Interest::Readable, "again");
        assert!(matches!(twice, Err(EventError::Add { .. })));
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let ordinary = events.add(&file, Interest::Readable, "file");
        assert!(matches!(ordinary, Err(EventError::Add { .. })));
    }

    #[test]
    fn signals_come_before_descriptors_and_descriptors_before_timers() {
        let mut events = event_loop();
        let (reader, mut writer) = pipe();
        events.add(&reader, Interest::Readable, "pipe").unwrap();
        writer.write_all(b"x").unwrap();
        events.set_timer(Duration::ZERO, "timer");
        // To this thread, which has them blocked; sent to the process another test's thread could get them.
        raise(NixSignal::SIGUSR2).unwrap();
        raise(NixSignal::SIGUSR1).unwrap();
        let told = wait(&mut events);
        let signals: Vec<_> = told
            .iter()
            .filter_map(|event| match event {
                Event::Signal(caught) => Some(caught.signal),
                _ => None,
            })
            .collect();
        assert_eq!(
            signals,
            [Signal::USR1, Signal::USR2],
            "the kernel tells the lowest first"
        );
        assert_eq!(told[2..], [Event::Readable("pipe"), Event::Timer("timer")]);
    }

    #[test]
    fn timers_expire_in_order_not_early_and_not_when_cancelled() {
        let mut events = event_loop();
        let start = clock::monotonic();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        events.set_timer(after(4), "second");
        events.set_timer(after(2), "first");
        let cancelled = events.set_timer(after(3), "never");
        events.set_timer(Duration::MAX, "at the end of the world");
        assert_eq!(events.cancel_timer(cancelled), Some("never"));
        assert_eq!(events.cancel_timer(cancelled), None);
        let mut told = Vec::new();
        while told.len() < 2 {
            let now = events.wait(&mut told).unwrap();
            assert!(now >= after(2));
        }
        assert_eq!(told, [Event::Timer("first"), Event::Timer("second")]);
        assert!(clock::monotonic() >= after(4));
    }

    #[test]
    fn more_descriptors_than_one_batch_are_all_told() {
        let mut events: EventLoop<usize> = EventLoop::create(&SignalSet::empty()).unwrap();
        let pipes: Vec<_> = (0..BATCH + 50).map(|_| pipe()).collect();
        for (number, (reader, writer)) in pipes.iter().enumerate() {
            events.add(reader, Interest::Readable, number).unwrap();
            let mut writer = writer;
            writer.write_all(b"x").unwrap();
        }
        let mut told = Vec::new();
        while told.len() < pipes.len() {
            events.wait(&mut told).unwrap();
        }
        let mut numbers: Vec<_> = told
            .into_iter()
            .map(|event| match event {
                Event::Readable(number) => number,
                other => panic!("{other:?}"),
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..pipes.len()));
    }
}
