//! `pm = ondemand`: forks when a connection waits and nobody is idle, lets go who was idle for
//! `pm.process_idle_timeout`.
//!
//! Better than the original in two points: every waiting connection counts, not every event; and the worker that has
//! waited longest is let go, where the original looks only at the one that was forked first.

use std::time::Duration;

use fpm_conf::Pool;

use super::{Census, Decision, Notice, Step};

/// State of an ondemand pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ondemand {
    idle_timeout: Duration,
    /// Whether this saturation has been reported; cleared when a worker could be forked again.
    reported: bool,
}

impl Ondemand {
    pub(super) fn new(pool: &Pool) -> Ondemand {
        Ondemand {
            idle_timeout: Duration::from_secs(u64::from(pool.pm_process_idle_timeout)),
            reported: false,
        }
    }

    pub(super) fn on_tick(&mut self, census: &Census) -> Decision {
        let over = census
            .longest_idle
            .filter(|idle| idle.since > self.idle_timeout);
        Decision {
            step: over.map_or(Step::Keep, |idle| Step::Retire(idle.worker)),
            notice: None,
        }
    }

    pub(super) fn on_connections(
        &mut self,
        census: &Census,
        waiting: u32,
        room: u32,
        max_children: u32,
    ) -> Decision {
        let unserved = waiting.saturating_sub(census.idle);
        if unserved == 0 {
            return Decision::default();
        }
        if room == 0 {
            let first = !std::mem::replace(&mut self.reported, true);
            return Decision {
                step: Step::Keep,
                notice: first.then_some(Notice::MaxChildrenOndemand { max_children }),
            };
        }
        self.reported = false;
        Decision {
            step: Step::Spawn(unserved.min(room)),
            notice: None,
        }
    }
}
