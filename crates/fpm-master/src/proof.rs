//! How long the workers of a generation that is being made may take to show that they can serve: a pure function of how many have.
//!
//! Rule: the time of a slow start is not counted here. PHP has started by then, with preloading and all, and what a forked worker
//! has to do before it accepts takes milliseconds; so it is not the whole that is limited, which is long with thousands of pools,
//! but the time in which nothing happens.

use std::time::Duration;

/// For this long no pool's first worker may get as far as accepting before the reload is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The fewest pools that had no worker that serves.
    fewest: usize,
    /// When there were that few for the first time.
    since: Duration,
}

/// What a look says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All pools can serve.
    Proven,
    /// It takes time.
    Wait,
    /// It takes too long.
    Overdue,
}

impl Proof {
    /// It begins.
    pub(crate) fn begin(now: Duration) -> Proof {
        Proof {
            fewest: usize::MAX,
            since: now,
        }
    }

    /// So many pools still have no worker that serves.
    pub(crate) fn look(&mut self, missing: usize, now: Duration) -> Verdict {
        if missing == 0 {
            return Verdict::Proven;
        }
        if missing < self.fewest {
            (self.fewest, self.since) = (missing, now);
        }
        if now.saturating_sub(self.since) < PATIENCE {
            Verdict::Wait
        } else {
            Verdict::Overdue
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGIN: Duration = Duration::from_secs(100);

    #[test]
    fn the_time_without_progress_is_limited() {
        let late = BEGIN + PATIENCE;
        let almost = late - Duration::from_millis(1);
        let mut proof = Proof::begin(BEGIN);
        assert_eq!(proof.look(2, BEGIN), Verdict::Wait);
        assert_eq!(proof.look(2, almost), Verdict::Wait);
        assert_eq!(proof.look(2, late), Verdict::Overdue);
        assert_eq!(proof.look(1, late), Verdict::Wait, "one more serves");
        assert_eq!(proof.look(0, late + PATIENCE), Verdict::Proven);
    }

    #[test]
    fn a_worker_that_comes_and_goes_is_no_progress() {
        let mut proof = Proof::begin(BEGIN);
        for second in 0..30 {
            let missing = 1 + second % 2;
            let now = BEGIN + Duration::from_secs(second as u64);
            assert_eq!(proof.look(missing, now), Verdict::Wait);
        }
        assert_eq!(proof.look(1, BEGIN + PATIENCE), Verdict::Overdue);
    }

    proptest! {
        #[test]
        fn a_reload_of_any_length_goes_on_while_pools_come_and_ends_when_none_does(
            pools in 1_usize..200,
            pauses in prop::collection::vec(0_u64..30_000, 200),
        ) {
            let mut proof = Proof::begin(BEGIN);
            let mut now = BEGIN;
            for (missing, pause) in (1..=pools).rev().zip(pauses) {
                prop_assert_eq!(proof.look(missing, now), Verdict::Wait);
                now += Duration::from_millis(pause);
            }
            prop_assert_eq!(proof.look(0, now), Verdict::Proven);
            prop_assert_eq!(proof.look(1, now + PATIENCE), Verdict::Overdue);
        }
    }
}
