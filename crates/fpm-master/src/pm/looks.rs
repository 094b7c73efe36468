//! When the queue of an ondemand pool is looked at.
//!
//! Rule: no clock and no timer in here. Under load an arrival is followed by a look at most once per [`PAUSE`]; a look
//! that was asked for is never put off by arrivals.

use std::time::Duration;

/// Why the queue is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A connection has arrived.
    Arrival,
    /// The decision before asked for it.
    Again,
}

/// Arrivals this soon after a look wait for the next one.
const PAUSE: Duration = Duration::from_millis(2);

/// What follows from an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Look now.
    Now,
    /// Look then; the timer has to be armed.
    At(Duration),
    /// A look is coming soon enough.
    Soon,
}

/// When the queue of a pool was looked at, and when it will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    last: Option<Duration>,
    /// When the timer is due.
    armed: Option<Duration>,
    /// When a decision wants the queue to be looked at again.
    again: Option<Duration>,
}

impl Looks {
    /// A connection has arrived.
    pub(crate) fn arrival(&mut self, now: Duration) -> Arrival {
        let at = self.last.map_or(now, |last| last + PAUSE);
        if at <= now {
            return Arrival::Now;
        }
        match self.arm(at) {
            Some(at) => Arrival::At(at),
            None => Arrival::Soon,
        }
    }

    /// The timer is due: tells why.
    pub(crate) fn due(&mut self, now: Duration) -> Look {
        self.armed = None;
        match self.again {
            Some(at) if at <= now => {
                self.again = None;
                Look::Again
            }
            _ => Look::Arrival,
        }
    }

    /// The queue was looked at, and the decision wants it to be looked at again after this time, unless that was
    /// decided before. Returns when to arm the timer, unless it is due sooner.
    pub(crate) fn looked(&mut self, now: Duration, again: Option<Duration>) -> Option<Duration> {
        self.last = Some(now);
        self.again = again.map(|delay| self.again.unwrap_or(now + delay));
        self.again.and_then(|at| self.arm(at))
    }

    fn arm(&mut self, at: Duration) -> Option<Duration> {
        if self.armed.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.armed = Some(at);
        Some(at)
    }
}
