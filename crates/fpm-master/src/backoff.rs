//! How long to wait before something that failed is tried again: doubling delays, forgotten after a success that lasts.
//!
//! Rule: no clock in here; the caller passes the time and arms the timer.

use std::time::Duration;

/// Delays of one thing that may fail again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    /// When the last failure happened and the delay it got.
    last: Option<(Duration, Duration)>,
}

impl Backoff {
    /// Makes a series of delays that starts with `first` and doubles until it reaches `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff {
            first,
            longest,
            failures: 0,
            last: None,
        }
    }

    /// Takes note of a failure and returns how long to wait before the next try.
    pub(crate) fn failed(&mut self, now: Duration) -> Duration {
        // A failure long after the last one is a new story.
        if self
            .last
            .is_some_and(|(then, delay)| now.saturating_sub(then) > (delay + self.first) * 4)
        {
            self.failures = 0;
        }
        let factor = 2_u32.saturating_pow(self.failures.min(30));
        let delay = self.first.saturating_mul(factor).min(self.longest);
        self.failures += 1;
        self.last = Some((now, delay));
        delay
    }

    /// Takes note of a success that lasts: the next failure starts from the first delay.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.last = None;
    }

    /// Returns the delay that the last failure got; `None` when all is well.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.last.map(|(_, delay)| delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let mut now = Duration::from_secs(1000);
        let mut delays = Vec::new();
        for _ in 0..6 {
            let delay = backoff.failed(now);
            delays.push(delay.as_millis());
            now += delay;
        }
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let now = Duration::from_secs(1000);
        backoff.failed(now);
        backoff.failed(now);
        assert_eq!(backoff.delay(), Some(FIRST * 2));
        backoff.succeeded();
        assert_eq!(backoff.delay(), None);
        assert_eq!(backoff.failed(now), FIRST);
    }

    #[test]
    fn failures_far_apart_do_not_add_up() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let now = Duration::from_secs(1000);
        backoff.failed(now);
        assert_eq!(backoff.failed(now + Duration::from_secs(60)), FIRST);
    }

    #[test]
    fn thousands_of_failures_do_not_overflow() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let now = Duration::from_secs(1000);
        for _ in 0..10_000 {
            backoff.failed(now);
        }
        assert_eq!(backoff.failed(now), LONGEST);
    }
}
