//! Pools whose workers crash too often: they rest, and wake up again.
//!
//! Rule: when and for how long is for [`crate::crash_budget`] to say. Only pools of the generation that serves rest: what a reload
//! brings has to show by itself that it can serve.

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_os::wait::ExitStatus;

use super::Master;
use crate::crash_budget::{Look, has_crashed};
use crate::event::Timer;
use crate::pool::{PoolId, Service};
use crate::roster::Worker;
use crate::world::World;

impl<W: World> Master<W> {
    /// A worker has ended: its pool may have to rest.
    pub(super) fn account_for(
        &mut self,
        now: Duration,
        (id, worker): (WorkerId, &Worker),
        status: ExitStatus,
    ) {
        let pool = worker.pool;
        // Whoever was told to leave, or was killed for its time, has not crashed.
        let on_purpose = worker.leaving.is_some() || self.time_limits.has_struck(id);
        let serves = pool.generation == self.generations.serving().number;
        if on_purpose || !serves || !has_crashed(status) {
            return;
        }
        let at_work = self.generations.pool_mut(pool);
        let account = at_work.account.as_mut();
        let Some(rest) = account.and_then(|account| account.crashed(now, status)) else {
            return;
        };
        tracing::error!("[pool {}] {rest}", at_work.name);
        if at_work.service == Service::Open {
            at_work.service = Service::Resting;
        }
        self.world.count_rest(pool);
        self.world.arm(Timer::Rest(pool), now + rest.time);
    }

    /// Looks whether a pool has rested enough.
    pub(super) fn end_rest(&mut self, now: Duration, pool: PoolId) {
        let serving = self.generations.serving().number;
        if !self.is_at_work() || pool.generation != serving {
            return;
        }
        let at_work = self.generations.pool_mut(pool);
        let Some(account) = &mut at_work.account else {
            return;
        };
        match account.look(now) {
            Look::Wait(at) => self.world.arm(Timer::Rest(pool), at),
            Look::Calm => tracing::info!(
                "[pool {}] children have ceased to crash, pm.crash_budget is whole again",
                at_work.name
            ),
            Look::Wake(at) => {
                self.world.arm(Timer::Rest(pool), at);
                if at_work.service == Service::Resting {
                    at_work.service = Service::Open;
                    tracing::info!("[pool {}] gets new children again", at_work.name);
                    self.replace_orphans(pool);
                    self.reopen(now, pool);
                }
            }
        }
    }

    /// A pool that may rest goes by another name from now on.
    pub(super) fn carry_rest(&mut self, now: Duration, to: PoolId) {
        if self.generations.pool(to).account.is_some() {
            self.world.arm(Timer::Rest(to), now);
        }
    }
}
