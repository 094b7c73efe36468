//! What the process managers of dynamic and ondemand pools are asked, and what is done about their answers.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_perform_idle_server_maintenance_heartbeat`)

use std::time::Duration;

use fpm_channel::WorkerId;

use super::Master;
use crate::event::Timer;
use crate::generation::Standing;
use crate::pm::{Census, Decision, Idle, Step};
use crate::pool::{PoolId, Service};
use crate::roster::{Leaving, Reason};
use crate::state::State;
use crate::world::{Activity, World};

/// Time between two rounds.
const PERIOD: Duration = Duration::from_secs(1);

impl<W: World> Master<W> {
    /// Arms the timer of the next round, unless no pool has anything to decide: an idle master shall sleep.
    pub(super) fn schedule_maintenance(&mut self, now: Duration) {
        if self
            .generations
            .serving()
            .pools
            .iter()
            .filter(|pool| pool.service == Service::Open)
            .any(|pool| pool.manager.wants_ticks(pool.workers().count()))
        {
            self.begin_maintenance(now);
        }
    }

    /// Arms the timer of the next round when it is not armed: there is something to decide again.
    pub(super) fn begin_maintenance(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.maintaining, true) {
            self.world.arm(Timer::Maintenance, now + PERIOD);
        }
    }

    /// Asks all process managers that have something to decide.
    pub(super) fn maintain(&mut self, now: Duration) {
        self.maintaining = false;
        if !self.is_at_work() {
            return;
        }
        for pool in self.generations.serving().pool_ids() {
            let at_work = self.generations.pool(pool);
            let closed = at_work.service != Service::Open;
            if closed || !at_work.manager.wants_ticks(at_work.workers().count()) {
                continue;
            }
            let census = self.census(pool, now);
            let at_work = self.generations.pool_mut(pool);
            tracing::debug!(
                "[pool {}] {}",
                at_work.name,
                at_work.manager.account(&census)
            );
            let decision = at_work.manager.on_tick(&census);
            if let Step::Spawn(count) = decision.step {
                tracing::debug!(
                    "[pool {}] {count} child(ren) have been created dynamically",
                    at_work.name
                );
            }
            self.carry_out(now, pool, decision);
        }
        self.schedule_maintenance(now);
    }

    /// Tells whether workers come and go as the process managers want.
    pub(super) fn is_at_work(&self) -> bool {
        self.state == State::Normal && self.generations.serving().standing == Standing::Serving
    }

    pub(super) fn census(&self, pool: PoolId, now: Duration) -> Census {
        let at_work = self.generations.pool(pool);
        let to_come = at_work.queued + at_work.births.missing;
        let mut census = Census {
            running: to_come,
            starting: to_come,
            accepted: self.world.accepted(pool),
            ..Census::default()
        };
        for id in at_work.workers() {
            match self.roster.get(id).and_then(|worker| worker.leaving) {
                // It does not stand in the way of anybody.
                Some(Leaving::Spent) => continue,
                Some(_) => {
                    census.leaving += 1;
                    continue;
                }
                None => {}
            }
            census.running += 1;
            let waits = |since| Idle {
                worker: id,
                since: now.saturating_sub(since),
            };
            match self.world.activity(id) {
                Activity::Starting => census.starting += 1,
                Activity::Idle { since } => {
                    census.idle += 1;
                    census.longest_idle = Idle::longer(census.longest_idle, waits(since));
                }
                Activity::Resting { since } => {
                    census.longest_resting = Idle::longer(census.longest_resting, waits(since));
                }
                Activity::Busy => {}
            }
        }
        census
    }

    pub(super) fn carry_out(&mut self, now: Duration, pool: PoolId, decision: Decision) {
        let at_work = self.generations.pool(pool);
        if let Some(notice) = decision.notice {
            tracing::warn!("[pool {}] {notice}", at_work.name);
            if notice.is_saturation() {
                self.world.count_max_children_reached(pool);
            }
        }
        match decision.step {
            Step::Keep => {}
            Step::Spawn(count) => {
                let group = at_work.group;
                self.want(now, pool, Reason::Demand, count);
                self.pump(now, group);
                self.begin_maintenance(now);
            }
            Step::Retire(id) => self.retire(id),
            Step::RetireIdle(limit) => {
                let ids: Vec<_> = at_work.workers().collect();
                for id in ids {
                    let (Activity::Idle { since } | Activity::Resting { since }) =
                        self.world.activity(id)
                    else {
                        continue;
                    };
                    if now.saturating_sub(since) > limit {
                        self.retire(id);
                    }
                }
            }
        }
    }

    /// Lets a worker go without replacement.
    pub(super) fn retire(&mut self, id: WorkerId) {
        if let Some(worker) = self.roster.get_mut(id)
            && worker.leaving.is_none()
        {
            worker.leaving = Some(Leaving::Retired);
            self.drain(id);
        }
    }
}
