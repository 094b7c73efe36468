//! `pm = ondemand`: forks when a connection waits and nobody will take it, lets go who was idle for
//! `pm.process_idle_timeout`.
//!
//! Better than the original in these points. Every waiting connection counts, not every event. A worker that is being
//! forked counts as one that will take a connection, an idle one only for as long as the queue moves: it may be
//! stopped, or be about to serve the connection before. Saturation is reported when somebody has to wait, not when
//! all workers are there. All workers that were idle for too long are let go, resting ones too, where the original
//! looks once a second at the one that was forked first.

use std::time::Duration;

use fpm_conf::Pool;

use super::{Census, Decision, Look, Notice, Step};

/// Connections that somebody should take are looked at again after this time; while all wait for workers that are being
/// forked, then after twice that, and so on.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// A pool is short of workers when somebody waits at so many looks in a row, each twice as long after the one before. At a
/// single look a worker may just be about to become idle.
const FULL_LOOKS: u32 = 4;
/// Never later than this.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// State of an ondemand pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ondemand {
    idle_timeout: Duration,
    /// Connections waited at the last look: the delay that was asked for, and how many requests had been accepted then.
    waited: Option<(Duration, u64)>,
    /// In how many looks that were asked for somebody waited in vain because the pool is full.
    full: u32,
}

impl Ondemand {
    pub(super) fn new(pool: &Pool) -> Ondemand {
        Ondemand {
            idle_timeout: Duration::from_secs(u64::from(pool.pm_process_idle_timeout)),
            waited: None,
            full: 0,
        }
    }

    pub(super) fn on_tick(&mut self, census: &Census) -> Decision {
        let mut waiting = census.longest_idle.iter().chain(&census.longest_resting);
        let step = match waiting.any(|idle| idle.since > self.idle_timeout) {
            true => Step::RetireIdle(self.idle_timeout),
            false => Step::Keep,
        };
        Decision {
            step,
            ..Decision::default()
        }
    }

    pub(super) fn on_queue(
        &mut self,
        census: &Census,
        waiting: u32,
        look: Look,
        room: u32,
        max_children: u32,
    ) -> Decision {
        let before = self.waited.take();
        if waiting == 0 {
            self.full = 0;
            return Decision::default();
        }
        let stuck = look == Look::Again
            && before.is_some_and(|(_, accepted)| accepted == census.accepted)
            && census
                .longest_idle
                .is_some_and(|idle| idle.since >= FIRST_LOOK);
        let takers = census.starting + if stuck { 0 } else { census.idle };
        let unserved = waiting.saturating_sub(takers);
        if unserved > 0 && room == 0 {
            return self.when_full(look, census.accepted, max_children);
        }
        self.full = 0;
        let (delay, accepted) = match (look, before) {
            (Look::Again, Some((delay, accepted)))
                if unserved == 0 && accepted == census.accepted =>
            {
                ((delay * 2).min(LAST_LOOK), accepted)
            }
            // An arrival says nothing about how the queue has moved since.
            (Look::Arrival, Some((_, accepted))) => (FIRST_LOOK, accepted),
            _ => (FIRST_LOOK, census.accepted),
        };
        self.waited = Some((delay, accepted));
        Decision {
            step: match unserved.min(room) {
                0 => Step::Keep,
                count => Step::Spawn(count),
            },
            notice: None,
            look_again: Some(delay),
        }
    }

    /// Somebody waits and no worker may be forked: whoever is ready first takes it.
    fn when_full(&mut self, look: Look, accepted: u64, max_children: u32) -> Decision {
        if look == Look::Again && self.full < FULL_LOOKS {
            self.full += 1;
        }
        if self.full == FULL_LOOKS {
            return Decision {
                notice: Some(Notice::MaxChildrenOndemand { max_children }),
                ..Decision::default()
            };
        }
        let delay = FIRST_LOOK * 2_u32.pow(self.full);
        self.waited = Some((delay, accepted));
        Decision {
            look_again: Some(delay),
            ..Decision::default()
        }
    }
}
