//! The clocks: what time it is, how long something took, how much CPU time this process has used.
//!
//! Rule: durations are differences of [`monotonic`]; the wall clock jumps.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
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

/// CPU time, taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// Outside the kernel.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

/// Returns the CPU time of this process and of those children that it has waited for.
#[must_use]
pub fn cpu_times() -> CpuTimes {
    let [own, children] = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
        .map(|who| getrusage(who).expect("Linux knows both, and may write to the stack"));
    CpuTimes {
        user: duration(own.user_time()) + duration(children.user_time()),
        system: duration(own.system_time()) + duration(children.system_time()),
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
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
    let broken = broken_down(since_1970);
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

/// Formats a time since 1970 in local time as strftime(3) does. The answer is empty when it would have more than 255 bytes.
#[must_use]
pub fn formatted(since_1970: Duration, format: &CStr) -> Vec<u8> {
    let broken = broken_down(since_1970);
    let mut text = vec![0; 256];
    // SAFETY: `text` has room for as many bytes as are allowed, `format` ends with a NUL, and `broken` was filled in by
    // localtime_r, time zone included.
    let len = unsafe {
        libc::strftime(
            text.as_mut_ptr().cast(),
            text.len(),
            format.as_ptr(),
            &raw const broken,
        )
    };
    text.truncate(len);
    text
}

/// Takes a time since 1970 apart.
fn broken_down(since_1970: Duration) -> libc::tm {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    let mut broken = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both places live during the call, and `tm` is one that localtime_r writes to. When it fails (a year
    // that no int holds) what is there remains zeros.
    unsafe { libc::localtime_r(&raw const seconds, broken.as_mut_ptr()) };
    // SAFETY: it was zeroed, and a null time zone name is a valid pointer value. strftime(3) takes it for no name.
    unsafe { broken.assume_init() }
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
    fn formats_are_those_of_strftime() {
        let time = Duration::from_secs(1_795_252_087);
        let local = local_time(time);
        let text = String::from_utf8(formatted(time, c"%Y-%m-%d %H:%M:%S %s 100%%")).unwrap();
        let expected = format!(
            "2026-11-{:02} {:02}:{:02}:{:02} 1795252087 100%",
            local.day, local.hour, local.minute, local.second
        );
        assert_eq!(text, expected);
        assert!(!formatted(time, c"%Z").is_empty());
        // No tm holds that year: nothing sensible comes out, and nothing bad happens.
        let _nonsense = formatted(Duration::MAX, c"%Y %Z");
        let long = "x".repeat(256);
        let long = std::ffi::CString::new(long).unwrap();
        assert!(formatted(time, &long).is_empty());
    }

    #[test]
    fn time_goes_on() {
        let (monotonic_before, cpu_before) = (monotonic(), process_cpu());
        while process_cpu() == cpu_before {}
        assert!(monotonic() > monotonic_before);
        while cpu_times().user.is_zero() {}
        assert!(cpu_times().system < Duration::from_secs(3600));
        assert!(realtime() > Duration::from_secs(1_700_000_000));
    }
}
