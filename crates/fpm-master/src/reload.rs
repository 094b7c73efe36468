//! How far a reload is, and what a request for one means then: a pure state machine.
//!
//! Rule: a request is never lost and never interrupts a reload under way. However many arrive meanwhile, one more reload
//! follows, which reads the configuration after the last of them arrived.

use std::time::Duration;

use fpm_channel::Generation;

use crate::proof::Proof;

/// Generations that may still be finishing their requests when a reload begins. Each has a zygote with an opcache of its own.
pub(crate) const RETIRING: usize = 4;

/// PHP that has been starting for longer than this is given up when another reload is asked for.
const SLOW_START: Duration = Duration::from_secs(10);

/// The reload that is under way, if one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reload {
    phase: Phase,
    /// Whether another one was asked for meanwhile.
    again: bool,
    /// When it began.
    begun: Option<Duration>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    #[default]
    None,
    /// It waits for an earlier generation to end.
    Held,
    /// The program on disk is another one: it is being examined, and begins anew if it is good.
    Examining,
    /// PHP is starting in the zygotes of this generation.
    Launching {
        /// The generation that is to serve.
        next: Generation,
        /// Since when.
        since: Duration,
    },
    /// One worker for each pool of this generation is to show that it can serve.
    Proving {
        /// The generation that is to serve.
        next: Generation,
        /// How far it is.
        proof: Proof,
    },
    /// The next generation serves; the workers of the one before are being told to leave.
    Replacing,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Begin.
    Begin,
    /// Nothing now: it will be thought of.
    Later,
    /// Give up the generation that is being made, whose PHP does not come up; then begin.
    Supersede,
}

impl Reload {
    /// Returns how far it is.
    pub(crate) fn phase(self) -> Phase {
        self.phase
    }

    /// Returns the generation that is being made.
    pub(crate) fn next(self) -> Option<Generation> {
        match self.phase {
            Phase::Launching { next, .. } | Phase::Proving { next, .. } => Some(next),
            Phase::None | Phase::Held | Phase::Examining | Phase::Replacing => None,
        }
    }

    /// Tells whether the service manager has been told of a reload that is not over.
    pub(crate) fn is_announced(self) -> bool {
        self.phase != Phase::None
    }

    /// Somebody asks for a reload.
    pub(crate) fn request(&mut self, now: Duration) -> Answer {
        match self.phase {
            Phase::None => Answer::Begin,
            // It has not read anything yet.
            Phase::Held => Answer::Later,
            Phase::Launching { since, .. } if now.saturating_sub(since) > SLOW_START => {
                self.again = true;
                Answer::Supersede
            }
            Phase::Examining
            | Phase::Launching { .. }
            | Phase::Proving { .. }
            | Phase::Replacing => {
                self.again = true;
                Answer::Later
            }
        }
    }

    /// Notes a request that cannot be answered yet because the master itself has not started.
    pub(crate) fn note(&mut self) {
        self.again = true;
    }

    /// It begins, or goes on after it had to wait.
    pub(crate) fn begins(&mut self, now: Duration) {
        self.begun.get_or_insert(now);
    }

    /// Returns how long it has taken until `now`.
    pub(crate) fn taken(self, now: Duration) -> Duration {
        now.saturating_sub(self.begun.unwrap_or(now))
    }

    /// Takes the next step.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// It is over, for better or for worse. Tells whether another one is to begin.
    #[must_use]
    pub(crate) fn over(&mut self) -> bool {
        self.phase = Phase::None;
        self.begun = None;
        std::mem::take(&mut self.again)
    }

    /// The master is stopping: nothing follows.
    pub(crate) fn forget(&mut self) {
        *self = Reload::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEXT: Generation = Generation(2);

    #[test]
    fn requests_are_merged_while_one_is_under_way() {
        let now = Duration::from_secs(100);
        let launching = Phase::Launching {
            next: NEXT,
            since: now,
        };
        let proving = Phase::Proving {
            next: NEXT,
            proof: Proof::begin(now),
        };
        for phase in [launching, proving, Phase::Replacing] {
            let mut reload = Reload::default();
            assert_eq!(reload.request(now), Answer::Begin);
            reload.enter(phase);
            assert_eq!(reload.request(now), Answer::Later);
            assert_eq!(reload.request(now), Answer::Later);
            assert!(reload.over(), "one more follows");
            assert!(!reload.over(), "and only one");
        }
    }

    #[test]
    fn the_time_of_a_reload_includes_its_wait() {
        let seconds = Duration::from_secs;
        let mut reload = Reload::default();
        reload.begins(seconds(3));
        reload.enter(Phase::Held);
        reload.begins(seconds(5));
        assert_eq!(reload.taken(seconds(10)), seconds(7));
        assert!(!reload.over());
        reload.begins(seconds(20));
        assert_eq!(reload.taken(seconds(21)), seconds(1));
    }

    #[test]
    fn a_held_reload_reads_late_enough_for_all() {
        let mut reload = Reload::default();
        reload.enter(Phase::Held);
        assert_eq!(reload.request(Duration::ZERO), Answer::Later);
        assert!(!reload.over());
    }

    #[test]
    fn php_that_does_not_come_up_is_given_up_for_a_new_attempt() {
        let mut reload = Reload::default();
        let since = Duration::from_secs(100);
        reload.enter(Phase::Launching { next: NEXT, since });
        assert_eq!(reload.request(since + SLOW_START), Answer::Later);
        let late = since + SLOW_START + Duration::from_millis(1);
        assert_eq!(reload.request(late), Answer::Supersede);
        assert!(reload.over());
    }

    proptest! {
        #[test]
        fn no_request_is_lost(steps in prop::collection::vec(0_u8..3, 0..50)) {
            let mut reload = Reload::default();
            // Whether a request has not been followed by the begin of a reload.
            let mut wanted = false;
            let now = Duration::from_secs(1);
            for step in steps {
                let begins = match step {
                    0 => {
                        wanted = true;
                        reload.request(now) == Answer::Begin
                    }
                    1 if reload.phase() == Phase::Replacing => reload.over(),
                    _ => false,
                };
                if begins {
                    wanted = false;
                    reload.enter(Phase::Replacing);
                }
            }
            while reload.over() {
                wanted = false;
            }
            prop_assert!(!wanted);
        }
    }
}
