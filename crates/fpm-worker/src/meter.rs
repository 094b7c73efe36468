//! How much CPU time a request costs, and how much time it costs.
//!
//! Both are counted from the end of one request to the end of the next, because what PHP does after the script (shutdown functions,
//! destructors, freeing memory) is part of the request, and because asking for CPU time is a system call: once per request is
//! enough. Of the time in between, what the worker spent asleep does not count.
//!
//! Original: `fpm_request_end` in sapi/fpm/fpm/fpm_request.c, which counts from the request's arrival to the script's end in ticks of
//! 10 ms, so that a short request shows nothing or many times what is possible.

use std::time::Duration;

use fpm_os::clock;

/// Falling asleep and waking up takes CPU time but, being sleep, no time: at most so much. More than that over the time there was
/// is the work of other threads, which extensions may have.
const WAKING: Duration = Duration::from_millis(1);

/// What the last request has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    /// CPU time, of all threads.
    pub(crate) cpu: Duration,
    /// Time on the clock.
    pub(crate) time: Duration,
}

/// Measures one request after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    /// What the clocks showed at the end of the last one.
    last: Work,
}

impl Meter {
    /// Begins.
    pub(crate) fn start() -> Meter {
        Meter { last: clocks() }
    }

    /// Returns what has been used since the last lap; `slept` of it does not count.
    pub(crate) fn lap(&mut self, slept: Duration) -> Work {
        let now = clocks();
        let last = std::mem::replace(&mut self.last, now);
        between(last, now, slept)
    }
}

/// Returns what has been used between two looks at the clocks.
fn between(last: Work, now: Work, slept: Duration) -> Work {
    let time = now.time.saturating_sub(last.time).saturating_sub(slept);
    let cpu = now.cpu.saturating_sub(last.cpu);
    let by_waking = cpu > time && cpu - time <= WAKING;
    Work {
        cpu: if by_waking { time } else { cpu },
        time,
    }
}

fn clocks() -> Work {
    Work {
        cpu: clock::process_cpu(),
        time: clock::monotonic(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_no_work() {
        let at = |cpu, time| Work {
            cpu: Duration::from_micros(cpu),
            time: Duration::from_micros(time),
        };
        for (now, slept, expected) in [
            (at(100, 300), 0, at(100, 300)),
            (at(100, 9_300), 9_000, at(100, 300)),
            // Waking up has cost 20 µs.
            (at(120, 9_100), 9_000, at(100, 100)),
            // Three threads.
            (at(9_000, 3_000), 0, at(9_000, 3_000)),
            // Clocks that do not agree.
            (at(0, 100), 200, at(0, 0)),
        ] {
            let last = at(5_000, 70_000);
            let now = Work {
                cpu: last.cpu + now.cpu,
                time: last.time + now.time,
            };
            assert_eq!(between(last, now, Duration::from_micros(slept)), expected);
        }
    }

    #[test]
    fn laps_begin_where_the_last_one_ended() {
        let begun = clock::monotonic();
        let mut meter = Meter::start();
        let laps: Vec<Work> = (0..3)
            .map(|_| {
                let used = clock::process_cpu();
                while clock::process_cpu() < used + Duration::from_millis(2) {}
                meter.lap(Duration::ZERO)
            })
            .collect();
        let all = clock::monotonic() - begun;
        let none = |work: &Work| work.cpu.is_zero() || work.time.is_zero();
        assert!(!laps.iter().any(none), "{laps:?}");
        let times: Duration = laps.iter().map(|work| work.time).sum();
        assert!(times <= all, "{laps:?} in {all:?}");
        assert_eq!(meter.lap(Duration::MAX).time, Duration::ZERO);
    }
}
