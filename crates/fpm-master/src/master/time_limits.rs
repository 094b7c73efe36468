//! Looking at workers whose pools limit how long a request may take, and ending those that exceed it.
//!
//! Rule: one timer for all of them, armed only while a pool with a limit has workers.
//!
//! Original: fpm_pctl_check_request_timeout in sapi/fpm/fpm/fpm_process_ctl.c

use std::collections::BTreeMap;
use std::time::Duration;

use fpm_channel::WorkerId;
use nix::unistd::Pid;

use super::Master;
use crate::event::Timer;
use crate::overrun::Overrun;
use crate::pool::PoolId;
use crate::state::Measure;
use crate::time_limit::{Step, Struck};
use crate::world::World;

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// When the next one is due, if one is.
    next: Option<Duration>,
    /// What was done to workers that are still at it.
    struck: BTreeMap<WorkerId, Struck>,
}

impl Looks {
    /// Tells whether something was done to the worker because its request took too long.
    pub(super) fn has_struck(&self, id: WorkerId) -> bool {
        self.struck.contains_key(&id)
    }
}

impl<W: World> Master<W> {
    /// A worker of this pool may begin with a request from now on.
    pub(super) fn limit_time(&mut self, now: Duration, pool: PoolId) {
        if let Some(limit) = self.generations.pool(pool).time_limit {
            self.look_at_limits(limit.first_look(now));
        }
    }

    /// Looks at all workers whose time is limited.
    pub(super) fn check_time_limits(&mut self, now: Duration) {
        self.time_limits.next = None;
        let known = std::mem::take(&mut self.time_limits.struck);
        let ids: Vec<_> = self
            .roster
            .iter()
            .map(|(id, worker)| (id, worker.pool))
            .collect();
        for (id, pool) in ids {
            let Some(limit) = self.generations.pool(pool).time_limit else {
                continue;
            };
            let seen = self.world.slot(id);
            match limit.step(
                seen.as_ref().map(|seen| &seen.state),
                known.get(&id).copied(),
                now,
            ) {
                Step::Look(at) => self.look_at_limits(at),
                Step::Strike {
                    taken,
                    signal,
                    struck,
                    again,
                } => {
                    self.time_limits.struck.insert(id, struck);
                    self.log_terminated(id, pool, taken);
                    if struck.is_first() {
                        self.world.count_timed_out_request(pool);
                    }
                    self.apply(id, Measure::Signal(signal));
                    self.look_at_limits(again);
                }
            }
        }
    }

    /// Tells whether the worker was to end because of the request that it has.
    pub(super) fn was_struck(&self, id: WorkerId) -> bool {
        self.time_limits.struck.contains_key(&id)
    }

    fn look_at_limits(&mut self, at: Duration) {
        if self.time_limits.next.is_none_or(|next| at < next) {
            self.time_limits.next = Some(at);
            self.world.arm(Timer::TimeLimits, at);
        }
    }

    fn log_terminated(&self, id: WorkerId, pool: PoolId, taken: Duration) {
        let Some(snapshot) = self.world.slot(id) else {
            return;
        };
        let name = &self.generations.pool(pool).name;
        let pid = self.roster.get(id).and_then(|worker| worker.pid);
        let pid = pid.unwrap_or(Pid::from_raw(0));
        let overrun = Overrun::timed_out(&snapshot, taken);
        tracing::warn!("[pool {name}] child {pid}, {overrun}");
    }
}
