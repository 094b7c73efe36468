//! The clocks: what time it is, how long something took, how much CPU time this process has used.
//!
//! Rule: durations are differences of [`monotonic`]; the wall clock jumps.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the time since some moment before this machine's start that is the same for all its processes, so that
/// it can be shared between them (`Instant` cannot).
#[must_use]
pub fn monotonic() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Returns the time since 1970.
#[must_use]
pub fn realtime() -> Duration {
    read(ClockId::CLOCK_REALTIME)
}

/// Returns the CPU time of this process, user and system, of all its threads.
///
/// One clock read; times(2), which the original uses, has a resolution of 10 ms.
#[must_use]
pub fn process_cpu() -> Duration {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// Reads a clock that every Linux has.
fn read(clock: ClockId) -> Duration {
    let time =
        clock_gettime(clock).expect("Linux has this clock, and the kernel may write to the stack");
    Duration::from(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on() {
        let (monotonic_before, cpu_before) = (monotonic(), process_cpu());
        while process_cpu() == cpu_before {}
        assert!(monotonic() > monotonic_before);
        assert!(realtime() > Duration::from_secs(1_700_000_000));
    }
}
