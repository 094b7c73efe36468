//! `request_terminate_timeout`: when a worker is looked at, and what is done about a request that takes too long.
//!
//! A busy worker is looked at when its request is due, an idle one once per limit: what begins just after a look is due no sooner
//! than at the next one. So the master does not wake up more often the more often a limit could be exceeded.
//!
//! Original: fpm_request_check_timed_out in sapi/fpm/fpm/fpm_request.c

use std::time::Duration;

use fpm_conf::Pool;
use fpm_os::signal::Signal;
use fpm_scoreboard::{SlotState, Stage};

/// The shortest time between two blows, as in the original.
const SHORTEST_BEAT: Duration = Duration::from_millis(130);

/// So many SIGTERM have a chance to work before SIGKILL is sent: a script may have blocked or caught them.
const WARNINGS: u32 = 2;

/// The limit of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    /// `request_terminate_timeout`.
    after: Duration,
    /// `request_terminate_timeout_track_finished`.
    scope: Scope,
}

/// What of a request is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// It until its answer is complete.
    Answer,
    /// What its script does afterwards, too.
    Everything,
}

/// What has been done to a worker about its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Struck {
    /// When the request was accepted.
    accepted: Duration,
    /// How often.
    times: u32,
}

/// What to do about a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing; look again then.
    Look(Duration),
    /// Its request has taken this long: send this, and look again then.
    Strike {
        /// For how long.
        taken: Duration,
        /// How.
        signal: Signal,
        /// What is to be remembered.
        struck: Struck,
        /// When to look again.
        again: Duration,
    },
}

impl TimeLimit {
    /// Takes the limit of a pool that has one.
    pub(crate) fn of(pool: &Pool) -> Option<TimeLimit> {
        let after = Duration::from_secs(pool.request_terminate_timeout.into());
        let scope = if pool.request_terminate_timeout_track_finished {
            Scope::Everything
        } else {
            Scope::Answer
        };
        (!after.is_zero()).then_some(TimeLimit { after, scope })
    }

    /// Returns when a worker is due that may begin with a request at once.
    pub(crate) fn first_look(self, now: Duration) -> Duration {
        now + self.after
    }

    /// Decides about a worker in this state that this was done to.
    pub(crate) fn step(
        self,
        state: Option<&SlotState>,
        struck: Option<Struck>,
        now: Duration,
    ) -> Step {
        let Some(state) = state.filter(|state| self.covers(state.stage)) else {
            return Step::Look(now + self.after);
        };
        let due = state.accepted + self.after;
        if now < due {
            return Step::Look(due);
        }
        let times = struck
            .filter(|struck| struck.accepted == state.accepted)
            .map_or(0, |struck| struck.times);
        Step::Strike {
            taken: now.saturating_sub(state.accepted),
            signal: if times < WARNINGS {
                Signal::TERM
            } else {
                Signal::KILL
            },
            struck: Struck {
                accepted: state.accepted,
                times: times.saturating_add(1),
            },
            again: now + SHORTEST_BEAT.max(self.after / 3),
        }
    }

    fn covers(self, stage: Stage) -> bool {
        match stage {
            Stage::Creating | Stage::Accepting | Stage::Resting => false,
            Stage::ReadingHeaders | Stage::Info | Stage::Running => true,
            Stage::Finished => self.scope == Scope::Everything,
        }
    }
}

impl Struck {
    /// Tells whether it is the first time for this request.
    pub(crate) fn is_first(self) -> bool {
        self.times == 1
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::Pid;
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(seconds: u32, finished: bool) -> TimeLimit {
        let mut pool = Pool::new("www", "9000");
        pool.request_terminate_timeout = seconds;
        pool.request_terminate_timeout_track_finished = finished;
        TimeLimit::of(&pool).unwrap()
    }

    fn state(stage: Stage, accepted: Duration) -> SlotState {
        SlotState {
            pid: Pid::this(),
            generation: 1,
            started: SECOND,
            stage,
            since: SECOND,
            requests: 1,
            accepted,
            accepted_at: SECOND,
            duration: Duration::ZERO,
            cpu: Duration::ZERO,
            worked: Duration::ZERO,
            memory: 0,
            content_length: 0,
        }
    }

    #[test]
    fn a_pool_without_a_limit_has_none() {
        assert_eq!(TimeLimit::of(&Pool::new("www", "9000")), None);
    }

    #[test]
    fn whoever_serves_for_too_long_is_struck() {
        let accepted = 10 * SECOND;
        for (stage, by_default, with_finished) in [
            (Stage::Creating, false, false),
            (Stage::Accepting, false, false),
            (Stage::Resting, false, false),
            (Stage::ReadingHeaders, true, true),
            (Stage::Info, true, true),
            (Stage::Running, true, true),
            (Stage::Finished, false, true),
        ] {
            for (limit, is_struck) in [
                (limit(3, false), by_default),
                (limit(3, true), with_finished),
            ] {
                let state = state(stage, accepted);
                let step = |now| limit.step(Some(&state), None, now);
                let early = if is_struck { 13 } else { 15 };
                assert_eq!(step(12 * SECOND), Step::Look(early * SECOND), "{stage:?}");
                let late = matches!(step(13 * SECOND), Step::Strike { .. });
                assert_eq!(late, is_struck, "{stage:?}");
            }
        }
    }

    #[test]
    fn blows_get_harder_until_it_is_another_request() {
        let limit = limit(3, false);
        let slow = state(Stage::Running, SECOND);
        let (mut struck, mut now, mut signals) = (None, 4 * SECOND, Vec::new());
        for _ in 0..4 {
            let Step::Strike {
                signal,
                struck: after,
                again,
                taken,
            } = limit.step(Some(&slow), struck, now)
            else {
                panic!("it is late");
            };
            assert_eq!((taken, again), (now - SECOND, now + SECOND));
            assert_eq!(after.is_first(), struck.is_none());
            (struck, now) = (Some(after), again);
            signals.push(signal);
        }
        assert_eq!(
            signals,
            [Signal::TERM, Signal::TERM, Signal::KILL, Signal::KILL]
        );
        let next = state(Stage::Running, 2 * SECOND);
        assert!(matches!(
            limit.step(Some(&next), struck, now),
            Step::Strike {
                signal: Signal::TERM,
                ..
            }
        ));
    }

    #[test]
    fn blows_are_no_closer_than_the_originals() {
        let mut short = limit(1, false);
        short.after = Duration::from_millis(30);
        let Step::Strike { again, .. } =
            short.step(Some(&state(Stage::Running, SECOND)), None, 2 * SECOND)
        else {
            panic!("it is late");
        };
        assert_eq!(again, 2 * SECOND + SHORTEST_BEAT);
    }

    proptest! {
        #[test]
        fn nobody_is_struck_early_or_overlooked(
            seconds in 1..100_u32,
            looked in 0..1_000_000_u64,
            idle in 0..100_000_u64,
        ) {
            let limit = limit(seconds, false);
            let looked = Duration::from_millis(looked);
            let accepted = looked + Duration::from_millis(idle).min(limit.after);
            let Step::Look(mut now) = limit.step(None, None, looked) else { panic!("idle") };
            prop_assert!(now <= accepted + limit.after);
            let running = state(Stage::Running, accepted);
            while let Step::Look(next) = limit.step(Some(&running), None, now) {
                prop_assert!(next > now);
                now = next;
            }
            prop_assert_eq!(now, accepted + limit.after);
        }
    }
}
