//! What the process managers of dynamic and ondemand pools are asked, and what is done about their answers.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_perform_idle_server_maintenance_heartbeat`)

use std::time::Duration;

use super::Master;
use crate::event::Timer;
use crate::pm::{Census, Decision, Idle, Step};
use crate::pool::PoolId;
use crate::roster::{Leaving, Reason};
use crate::state::State;
use crate::world::{Activity, World};

/// Time between two rounds.
const PERIOD: Duration = Duration::from_secs(1);

impl<W: World> Master<W> {
    /// Arms the timer of the next round, unless all pools are static: an idle master shall sleep.
    pub(super) fn schedule_maintenance(&mut self, now: Duration) {
        if self
            .generations
            .serving()
            .pools
            .iter()
            .any(|pool| pool.manager.wants_ticks())
        {
            self.world.arm(Timer::Maintenance, now + PERIOD);
        }
    }

    /// Asks all process managers once.
    pub(super) fn maintain(&mut self, now: Duration) {
        if self.state != State::Normal {
            return;
        }
        for pool in self.generations.serving().pool_ids() {
            if self.generations.pool(pool).manager.wants_ticks() {
                let census = self.census(pool, now);
                tracing::debug!(
                    "[pool {}] currently {} active children, {} spare children",
                    self.generations.pool(pool).name,
                    census.running - census.idle,
                    census.idle
                );
                let decision = self.generations.pool_mut(pool).manager.on_tick(&census);
                self.carry_out(now, pool, decision);
            }
        }
        self.schedule_maintenance(now);
    }

    /// A connection arrived at a socket that a process manager wants to hear of.
    pub(super) fn on_connection(&mut self, now: Duration, pool: PoolId) {
        if self.state != State::Normal {
            return;
        }
        let census = self.census(pool, now);
        let decision = self
            .generations
            .pool_mut(pool)
            .manager
            .on_connections(&census, 1);
        self.carry_out(now, pool, decision);
        if let Step::Spawn(_) = decision.step {
            tracing::debug!(
                "[pool {}] got accept without idle child available .... I forked",
                self.generations.pool(pool).name
            );
        }
    }

    fn census(&self, pool: PoolId, now: Duration) -> Census {
        let at_work = self.generations.pool(pool);
        let mut census = Census {
            running: at_work.queued + at_work.births.missing,
            ..Census::default()
        };
        for id in at_work.workers() {
            if self
                .roster
                .get(id)
                .is_some_and(|worker| worker.leaving.is_some())
            {
                census.leaving += 1;
                continue;
            }
            census.running += 1;
            if let Activity::Idle { since } = self.world.activity(id, now) {
                census.idle += 1;
                let idle = Idle {
                    worker: id,
                    since: now.saturating_sub(since),
                };
                if census
                    .longest_idle
                    .is_none_or(|longest| longest.since < idle.since)
                {
                    census.longest_idle = Some(idle);
                }
            }
        }
        census
    }

    fn carry_out(&mut self, now: Duration, pool: PoolId, decision: Decision) {
        let at_work = self.generations.pool(pool);
        if let Some(notice) = decision.notice {
            tracing::warn!("[pool {}] {notice}", at_work.name);
        }
        match decision.step {
            Step::Keep => {}
            Step::Spawn(count) => {
                let group = at_work.group;
                self.want(pool, Reason::Demand, count);
                self.pump(now, group);
            }
            Step::Retire(id) => {
                if let Some(worker) = self.roster.get_mut(id) {
                    worker.leaving = Some(Leaving::Retired);
                }
                self.world.drain(id);
            }
        }
    }
}
