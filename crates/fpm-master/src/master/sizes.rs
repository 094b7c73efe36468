//! Pools with `pm.max_children = auto`: what their workers take is measured, and what follows is done.
//!
//! Rule: what to do is for [`crate::sizing`] to say. While memory is short, the idle worker of each pool that takes most goes
//! first, one at each look, down to the floor. A daemon without such pools measures nothing.

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};

use super::Master;
use crate::event::Timer;
use crate::pool::{PoolId, Service};
use crate::sizing::{Footprint, Memory, Situation, Sizer};
use crate::world::{Activity, World};

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// No more workers of a pool are measured at a look: the kernel walks through all their memory.
const SAMPLE: usize = 16;

impl<W: World> Master<W> {
    /// Arms the timer of the next look, if there is a pool without a fixed size.
    pub(super) fn schedule_sizing(&mut self, now: Duration) {
        let mut pools = self.generations.serving().pools.iter();
        if pools.any(|pool| pool.sizer.is_some()) {
            self.world.arm(Timer::Size, now + PERIOD);
        }
    }

    /// Lets the pools of a new generation begin with what those before were found to have room for.
    pub(super) fn inherit_sizes(&mut self, next: Generation) {
        for pool in self.generations.get(next).pool_ids() {
            let known = self.generations.pool(pool);
            let serving = self.generations.serving();
            let before = serving.pool_named(known.name.as_ref());
            let before = before.and_then(|pool| {
                // After an upgrade only the workers say how many there may be.
                let there = u32::try_from(pool.workers().count()).unwrap_or(u32::MAX);
                Some((pool.sizer.clone()?, pool.max_children().max(there)))
            });
            let at_work = self.generations.pool_mut(pool);
            if let (Some(sizer), Some((before, children))) = (&mut at_work.sizer, before) {
                let children = sizer.inherit(&before, children);
                at_work.set_max_children(children);
            }
        }
    }

    /// Looks at the memory and lets the pools have as many workers as it is enough for.
    pub(super) fn size_pools(&mut self, now: Duration) {
        if !self.is_at_work() {
            return;
        }
        match self.world.memory() {
            Ok(memory) => self.fit_pools(now, memory),
            Err(error) => tracing::debug!("the memory cannot be measured: {error}"),
        }
        self.schedule_sizing(now);
    }

    fn fit_pools(&mut self, now: Duration, memory: Memory) {
        let all = self.generations.serving().pool_ids();
        let (sized, others): (Vec<_>, Vec<_>) = all.partition(|pool| {
            let at_work = self.generations.pool(*pool);
            at_work.sizer.is_some() && at_work.service == Service::Open
        });
        let others = others.iter().map(|pool| {
            let staying = self.staying(*pool);
            self.footprint(&staying).of(staying.len() as u64)
        });
        let others = others.fold(0, u64::saturating_add);
        for pool in &sized {
            if memory.is_short() {
                self.relieve(now, *pool);
            }
            let staying = self.staying(*pool);
            let own = self.footprint(&staying);
            let at_work = self.generations.pool_mut(*pool);
            let situation = Situation {
                children: at_work.max_children(),
                running: u32::try_from(staying.len()).unwrap_or(u32::MAX),
                own,
                others,
                pools: sized.len() as u64,
                memory,
            };
            let sizer = at_work.sizer.as_mut();
            if let Some(change) = sizer.and_then(|sizer| sizer.decide(&situation)) {
                tracing::info!("[pool {}] {change}", at_work.name);
                self.resize(now, *pool, change.to);
            }
        }
    }

    /// Lets the idle worker go that takes most, if the pool has more than its floor.
    fn relieve(&mut self, now: Duration, pool: PoolId) {
        let staying = self.staying(pool);
        let at_work = self.generations.pool(pool);
        let floor = at_work.sizer.as_ref().map_or(0, Sizer::floor);
        if staying.len() <= floor as usize {
            return;
        }
        let idle = staying
            .into_iter()
            .filter(|id| matches!(self.world.activity(*id, now), Activity::Idle { .. }));
        let sizes = idle.filter_map(|id| Some((self.world.takes(id)?, id)));
        if let Some((bytes, id)) = sizes.max() {
            tracing::info!(
                "[pool {}] memory is short, an idle child that takes {} MiB is let go",
                at_work.name,
                bytes >> 20
            );
            self.retire(id);
        }
    }

    /// Returns the workers of a pool that were not told to leave.
    fn staying(&self, pool: PoolId) -> Vec<WorkerId> {
        let all = self.generations.pool(pool).workers();
        let stays = |id: &WorkerId| {
            let worker = self.roster.get(*id);
            worker.is_some_and(|worker| worker.leaving.is_none())
        };
        all.filter(stays).collect()
    }

    /// Measures some of these workers, those from everywhere in the list.
    fn footprint(&self, workers: &[WorkerId]) -> Footprint {
        let mut footprint = Footprint::default();
        let step = workers.len().div_ceil(SAMPLE).max(1);
        for bytes in workers
            .iter()
            .step_by(step)
            .filter_map(|id| self.world.takes(*id))
        {
            footprint.add(bytes);
        }
        footprint
    }
}
