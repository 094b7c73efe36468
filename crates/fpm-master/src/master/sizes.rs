//! Pools with `pm.max_children = auto`: what their workers take is measured, and what follows is done.
//!
//! Rule: what to do is for [`crate::sizing`] to say. While memory is short, the idle worker of each pool that takes most goes
//! first, one at each look, down to the floor. A daemon without such pools measures nothing, and one with thousands of pools
//! no more at a time than one with some: [`AT_ONCE`].

use std::collections::BTreeMap;
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

/// No more workers of all pools are. With more pools than can be measured at once they take turns.
const AT_ONCE: usize = 64;

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
            let footprint = before.map_or_else(Footprint::default, |pool| pool.footprint);
            let before = before.and_then(|pool| Some((pool.sizer.clone()?, pool.max_children())));
            let at_work = self.generations.pool_mut(pool);
            at_work.footprint = footprint;
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
        let looked_at = self.measure_next();
        let all = self.generations.serving().pool_ids();
        let (sized, others): (Vec<_>, Vec<_>) = all.partition(|pool| {
            let at_work = self.generations.pool(*pool);
            at_work.sizer.is_some() && at_work.service == Service::Open
        });
        let others = others.into_iter().map(|pool| {
            let workers = self.staying(pool).len() as u64;
            (self.generations.pool(pool).footprint, workers)
        });
        let others = Footprint::together(&others.collect::<Vec<_>>());
        for pool in &sized {
            let measured = looked_at.get(pool);
            if memory.is_short() {
                self.relieve(*pool, measured.map_or(&[], Vec::as_slice));
            } else if measured.is_none() {
                continue;
            }
            let staying = self.staying(*pool);
            let at_work = self.generations.pool_mut(*pool);
            let situation = Situation {
                children: at_work.max_children(),
                running: u32::try_from(staying.len()).unwrap_or(u32::MAX),
                own: at_work.footprint,
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

    /// Measures workers of the pools whose turn it is, and returns what each takes; of the other pools what was found at the last
    /// look counts.
    fn measure_next(&mut self) -> BTreeMap<PoolId, Vec<(u64, WorkerId)>> {
        let mut pools: Vec<_> = self.generations.serving().pool_ids().collect();
        let first = self.measured_next.map_or(0, |next| next.0 as usize) % pools.len().max(1);
        pools.rotate_left(first);
        let mut looked_at = BTreeMap::new();
        let mut left = AT_ONCE;
        self.measured_next = None;
        for pool in pools {
            if left == 0 {
                self.measured_next = Some(pool.index);
                break;
            }
            let staying = self.staying(pool);
            let step = staying.len().div_ceil(SAMPLE.min(left)).max(1);
            let sample: Vec<_> = staying.into_iter().step_by(step).collect();
            left -= sample.len();
            let takes = |id: WorkerId| Some((self.world.takes(id)?, id));
            let measured: Vec<_> = sample.into_iter().filter_map(takes).collect();
            if !measured.is_empty() {
                let bytes = measured.iter().map(|(bytes, _)| *bytes);
                self.generations.pool_mut(pool).footprint = bytes.collect();
            }
            looked_at.insert(pool, measured);
        }
        looked_at
    }

    /// Lets the idle worker go that takes most of those that were measured, if the pool has more than its floor.
    fn relieve(&mut self, pool: PoolId, measured: &[(u64, WorkerId)]) {
        let at_work = self.generations.pool(pool);
        let floor = at_work.sizer.as_ref().map_or(0, Sizer::floor);
        if self.staying(pool).len() <= floor as usize {
            return;
        }
        let is_idle = |id: WorkerId| matches!(self.world.activity(id), Activity::Idle { .. });
        let idle = measured.iter().filter(|(_, id)| is_idle(*id));
        if let Some((bytes, id)) = idle.max() {
            tracing::info!(
                "[pool {}] memory is short, an idle child that takes {} MiB is let go",
                at_work.name,
                bytes >> 20
            );
            self.retire(*id);
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
}
