//! `emergency_restart_threshold` and `emergency_restart_interval`: so many crashes in such a time are a reason to reload.
//!
//! What is meant is a crash that a damaged opcache repeats in every worker: a new zygote has a new one.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_bury`)

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

/// When it is time for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// So many workers, never 0.
    count: usize,
    /// In so many seconds, never 0.
    seconds: u32,
}

/// The last crashes, oldest first; never more than the threshold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crashes {
    times: VecDeque<Duration>,
}

impl Threshold {
    /// Takes the two directives; `None` when one of them is not set.
    pub(crate) fn new(count: u32, seconds: u32) -> Option<Threshold> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        (count > 0 && seconds > 0).then_some(Threshold { count, seconds })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Threshold { count, seconds } = self;
        write!(
            f,
            "failed processes threshold ({count} in {seconds} sec) is reached, initiating reload"
        )
    }
}

impl Crashes {
    /// Takes note of the end of a worker, and tells whether it was the crash that reaches the threshold. The next one begins
    /// to count anew.
    pub(crate) fn reach(
        &mut self,
        threshold: Threshold,
        status: ExitStatus,
        now: Duration,
    ) -> bool {
        let crashed = matches!(
            status,
            ExitStatus::Signal { signal, .. } if signal == Signal::SEGV || signal == Signal::BUS
        );
        if !crashed {
            return false;
        }
        self.times.push_back(now);
        let interval = Duration::from_secs(threshold.seconds.into());
        self.times
            .retain(|time| now.saturating_sub(*time) <= interval);
        let reached = self.times.len() >= threshold.count;
        if reached {
            self.times.clear();
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::obituary::killed;

    const SEGV: ExitStatus = killed(Signal::SEGV);

    fn threshold(count: u32, seconds: u32) -> Threshold {
        Threshold::new(count, seconds).unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn without_one_of_the_directives_there_is_no_threshold() {
        assert_eq!(Threshold::new(0, 10), None);
        assert_eq!(Threshold::new(10, 0), None);
    }

    #[test]
    fn so_many_crashes_in_the_interval_reach_it() {
        let mut crashes = Crashes::default();
        let mut crash = |time| crashes.reach(threshold(3, 10), SEGV, at(time));
        assert_eq!([0, 5, 11].map(&mut crash), [false; 3], "11 seconds");
        assert!(crash(15), "ten seconds");
        assert_eq!([15, 16].map(&mut crash), [false; 2], "counted anew");
        assert!(crash(16));
    }

    #[test]
    fn only_crashes_count() {
        let mut crashes = Crashes::default();
        for status in [
            ExitStatus::Code(255),
            killed(Signal::KILL),
            killed(Signal::TERM),
        ] {
            assert!(!crashes.reach(threshold(1, 1), status, at(1)));
        }
        assert!(crashes.reach(threshold(1, 1), killed(Signal::BUS), at(1)));
    }

    #[test]
    fn it_reads_as_the_originals() {
        assert_eq!(
            threshold(10, 60).to_string(),
            "failed processes threshold (10 in 60 sec) is reached, initiating reload"
        );
    }

    proptest! {
        #[test]
        fn it_is_reached_as_a_list_of_all_crashes_says(
            (count, seconds) in (1_u32..8, 1_u32..30),
            gaps in prop::collection::vec(0_u64..12, 0..200),
        ) {
            let (mut crashes, mut all, mut now) = (Crashes::default(), Vec::new(), 0);
            for gap in gaps {
                now += gap;
                all.push(now);
                let recent = all.iter().filter(|time| now - **time <= seconds.into());
                let expected = recent.count() >= count as usize;
                if expected {
                    all.clear();
                }
                prop_assert_eq!(crashes.reach(threshold(count, seconds), SEGV, at(now)), expected);
                prop_assert!(crashes.times.len() < count as usize);
            }
        }
    }
}
