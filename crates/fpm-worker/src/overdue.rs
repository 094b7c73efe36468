//! `request_queue_timeout`: which requests have waited so long for a worker that they are refused.
//!
//! Pure. What counts is the wait in this pool's listen queue. Of a connection over TCP the kernel knows it. Over a unix socket the
//! web server says when it sent the request (`REQUEST_START`, nginx's `$msec`), and is believed only as far as the queue can have
//! been there: a changer must know that a wrong clock or a wrong parameter may never turn anybody away.

use std::fmt;
use std::time::Duration;

use bstr::BString;

/// Who claims to have waited longer than this has another idea of the time.
const NONSENSE: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that has waited too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    waited: Duration,
    limit: Duration,
}

/// Decides about a request that has waited for `waited`.
pub(crate) fn late(waited: Duration, limit: Duration) -> Option<Late> {
    (waited > limit).then_some(Late { waited, limit })
}

/// Returns how long a request has waited that was sent at `start`, as the web server says, when it is `now` (since 1970) and nobody
/// in the queue has waited longer than `at_most`.
pub(crate) fn claimed(start: &[u8], now: Duration, at_most: Duration) -> Duration {
    seconds(start)
        // A clock that is ahead of ours.
        .and_then(|start| now.checked_sub(start))
        .filter(|waited| *waited < NONSENSE)
        .map_or(Duration::ZERO, |waited| waited.min(at_most))
}

/// Reads seconds with or without a fraction, `1795256373.042`.
fn seconds(text: &[u8]) -> Option<Duration> {
    let text = str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

impl Late {
    /// Returns the header that tells the client when to come again.
    pub(crate) fn retry_after(self) -> BString {
        format!("Retry-After: {}", self.limit.as_secs()).into()
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "request waited {:.3} seconds for a worker, request_queue_timeout is {}",
            self.waited.as_secs_f64(),
            self.limit.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_millis(1_795_256_373_500);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_longer_than_the_limit_is_too_long() {
        let limit = ms(2000);
        for (waited, too_long) in [(0, false), (1999, false), (2000, false), (2001, true)] {
            assert_eq!(late(ms(waited), limit).is_some(), too_long, "{waited}");
        }
    }

    #[test]
    fn claims_of_web_servers() {
        for (start, at_most, waited) in [
            ("1795256370.250", 60_000, 3_250),
            ("1795256370", 60_000, 3_500),
            ("1795256373.5", 60_000, 0),
            ("1795256373.499999999", 60_000, 0),
            // The queue was empty a second ago, whatever the web server's clock shows.
            ("1795256370.250", 1_000, 1_000),
            // A clock that is ahead.
            ("1795256373.501", 60_000, 0),
            ("9999999999.000", 60_000, 0),
            // Another idea of the time.
            ("0", 60_000, 0),
            ("3.5", 60_000, 0),
            ("1795169973.500", 60_000, 0),
            ("1795256370250", 60_000, 0),
            // No time at all.
            ("", 60_000, 0),
            (".", 60_000, 0),
            ("1795256370.", 60_000, 0),
            (".250", 60_000, 0),
            ("-1795256370.250", 60_000, 0),
            ("+1795256370.250", 60_000, 0),
            (" 1795256370.250", 60_000, 0),
            ("1795256370,250", 60_000, 0),
            ("1795256370.250.1", 60_000, 0),
            ("1795256370.2500000000", 60_000, 0),
            ("t=1795256370.250", 60_000, 0),
            ("99999999999999999999999999", 60_000, 0),
            ("1e9", 60_000, 0),
        ] {
            let claimed = claimed(start.as_bytes(), NOW, ms(at_most));
            assert_eq!(claimed.as_millis(), u128::from(waited as u64), "{start}");
        }
        assert_eq!(claimed(b"\xff", NOW, ms(60_000)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_claim_is_believed_beyond_the_queue(
            start in proptest::collection::vec(any::<u8>(), 0..30),
            now in any::<u64>(),
            at_most in any::<u64>(),
        ) {
            prop_assert!(claimed(&start, ms(now), ms(at_most)) <= ms(at_most));
        }

        #[test]
        fn what_nginx_sends_is_understood(waited in 0..80_000_000_u64) {
            let start = NOW.saturating_sub(ms(waited));
            let text = format!("{}.{:03}", start.as_secs(), start.subsec_millis());
            prop_assert_eq!(claimed(text.as_bytes(), NOW, NONSENSE), ms(waited));
        }
    }
}
