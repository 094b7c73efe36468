//! The clocks: what time it is, how long something took, how much CPU time this process has used.
//!
//! Rule: durations are differences of [`monotonic`]; the wall clock jumps.

use std::mem::MaybeUninit;
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

/// A moment as clocks on the wall show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year, as 2026.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 60.
    pub second: u8,
    /// How far the local time is ahead of UTC, in seconds.
    pub utc_offset: i32,
}

/// Turns a time since 1970 into local time (`TZ`, /etc/localtime).
#[must_use]
pub fn local_time(since_1970: Duration) -> LocalTime {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    let mut broken = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both places live during the call, and `tm` is one that localtime_r writes to. When it fails (a year
    // that no int holds) what is there remains zeros.
    unsafe { libc::localtime_r(&raw const seconds, broken.as_mut_ptr()) };
    // SAFETY: it was zeroed; a null time zone name is a valid pointer value, and nothing reads it.
    let broken = unsafe { broken.assume_init() };
    let small = |field: libc::c_int| u8::try_from(field).unwrap_or(0);
    LocalTime {
        year: broken.tm_year.saturating_add(1900),
        month: small(broken.tm_mon) + 1,
        day: small(broken.tm_mday),
        hour: small(broken.tm_hour),
        minute: small(broken.tm_min),
        second: small(broken.tm_sec),
        utc_offset: i32::try_from(broken.tm_gmtoff).unwrap_or(0),
    }
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
    fn local_time_is_utc_and_its_offset() {
        let utc = |time: LocalTime| {
            let minutes = (i64::from(time.day) * 24 + i64::from(time.hour)) * 60;
            (minutes + i64::from(time.minute)) * 60 + i64::from(time.second)
                - i64::from(time.utc_offset)
        };
        // 2026-11-21 09:08:07 UTC; no zone is so far away that the month would be another.
        let time = local_time(Duration::from_secs(1_795_252_087));
        assert_eq!((time.year, time.month), (2026, 11));
        assert_eq!(utc(time), ((21 * 24 + 9) * 60 + 8) * 60 + 7);
        let shown = local_time(Duration::MAX);
        assert!(shown.month >= 1, "{shown:?}");
    }

    #[test]
    fn time_goes_on() {
        let (monotonic_before, cpu_before) = (monotonic(), process_cpu());
        while process_cpu() == cpu_before {}
        assert!(monotonic() > monotonic_before);
        assert!(realtime() > Duration::from_secs(1_700_000_000));
    }
}
