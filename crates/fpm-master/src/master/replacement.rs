//! Workers of the generation that serves take the places of those of the generations before, pool by pool.
//!
//! Rule: how many come and go is for [`crate::turnover`] to say; here is who.

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};

use super::Master;
use super::reload::TICK;
use crate::event::Timer;
use crate::generation::Standing;
use crate::pool::{PoolAtWork, PoolId};
use crate::reload::Phase;
use crate::roster::{Leaving, Reason};
use crate::turnover::{Bounds, Crew, FRESH};
use crate::world::{Activity, World};

/// At most so many pools are looked at in a row: with thousands of them the master has other things to do, too.
const AT_ONCE: usize = 256;

impl<W: World> Master<W> {
    /// Begins to replace the workers of all pools.
    pub(super) fn begin_to_replace(&mut self, now: Duration) {
        self.replacing = self.generations.serving().pool_ids().collect();
        self.reload.enter(Phase::Replacing);
        self.replace(now);
    }

    /// Goes on replacing the workers of the pools that have some of an earlier generation, so many pools at a time. When the last
    /// one takes no more clients, the reload is over; those that take their time with a request are waited for beside everything
    /// else.
    pub(super) fn replace(&mut self, now: Duration) {
        for _ in 0..self.replacing.len().min(AT_ONCE) {
            let Some(pool) = self.replacing.pop_front() else {
                break;
            };
            self.replace_in(now, pool);
            if self.is_served_by_predecessors(now, pool) {
                self.replacing.push_back(pool);
            }
        }
        for group in self.generations.serving().group_ids() {
            self.pump(now, group);
        }
        if self.replacing.is_empty() {
            self.reloaded(now);
        } else {
            self.world.arm(Timer::Turnover, now + TICK);
        }
    }

    /// A worker of an earlier generation has ended: its pool goes on replacing at once.
    pub(super) fn succeed_to(&mut self, now: Duration, pool: PoolId) {
        let serving = self.generations.serving();
        let name = &self.generations.pool(pool).name;
        if serving.number != pool.generation
            && let Some(index) = serving.index_of(name.as_ref())
        {
            let generation = serving.number;
            self.replace_in(now, PoolId { generation, index });
        }
    }

    /// A process has ended: a pool that `process.max` has kept from replacing its workers may go on, whoever it was.
    pub(super) fn succeed_to_anybody(&mut self, now: Duration) {
        if self.settings.process_max.is_none() {
            return;
        }
        let serving = self.generations.serving();
        let pools = serving.pool_ids().zip(&serving.pools);
        let waiting = pools.filter(|(_, pool)| pool.target > 0);
        let waiting: Vec<_> = waiting.map(|(id, _)| id).collect();
        for pool in waiting {
            self.replace_in(now, pool);
        }
    }

    /// Tells whether a worker of an earlier generation may take another client. One that was idle when it was told to leave does
    /// when it is woken for one just then.
    fn is_served_by_predecessors(&self, now: Duration, pool: PoolId) -> bool {
        let mut workers = self
            .generations
            .predecessors(pool)
            .flat_map(PoolAtWork::workers);
        workers.any(
            |id| match self.roster.get(id).and_then(|worker| worker.leaving) {
                None => true,
                Some(Leaving::Superseded(since)) if now.saturating_sub(since) < FRESH => {
                    let activity = self.world.activity(id);
                    matches!(activity, Activity::Starting | Activity::Idle { .. })
                }
                Some(_) => false,
            },
        )
    }

    /// Goes on replacing the workers of one pool.
    fn replace_in(&mut self, now: Duration, pool: PoolId) {
        let crew = self.crew(now, pool);
        let at_work = self.generations.pool(pool);
        if at_work.target <= crew.serving + crew.starting {
            self.generations.pool_mut(pool).target = 0;
        }
        if crew.staying == 0 && self.generations.pool(pool).target == 0 {
            return;
        }
        let turn = crew.turn(&self.bounds(pool));
        self.want(now, pool, Reason::Demand, turn.start);
        let told = self.choose(pool, turn.tell);
        for id in &told {
            self.tell_to_leave(now, *id);
        }
    }

    /// Chooses old workers of a pool that are to leave: first those that have nothing to do.
    fn choose(&self, pool: PoolId, count: u32) -> Vec<WorkerId> {
        let stays = |id: &WorkerId| {
            self.roster
                .get(*id)
                .is_some_and(|worker| worker.leaving.is_none())
        };
        let predecessors = self.generations.predecessors(pool);
        let mut staying: Vec<_> = predecessors
            .flat_map(|at_work| at_work.workers())
            .filter(stays)
            .collect();
        staying.sort_by_key(|id| self.world.activity(*id) == Activity::Busy);
        staying.truncate(count as usize);
        staying
    }

    /// Counts the workers of a pool, and those of other generations that go by its name.
    pub(super) fn crew(&self, now: Duration, pool: PoolId) -> Crew {
        let own = self.generations.pool(pool);
        let mut crew = Crew {
            starting: own.queued + own.births.missing,
            ..Crew::default()
        };
        for id in own.workers() {
            match self.roster.get(id).and_then(|worker| worker.leaving) {
                Some(_) => crew.lingering += 1,
                None if self.world.activity(id) == Activity::Starting => crew.starting += 1,
                None => crew.serving += 1,
            }
        }
        for predecessor in self.generations.predecessors(pool) {
            for id in predecessor.workers() {
                match self.roster.get(id).and_then(|worker| worker.leaving) {
                    None => crew.staying += 1,
                    Some(Leaving::Superseded(since)) if now.saturating_sub(since) < FRESH => {
                        crew.leaving += 1;
                    }
                    Some(_) => crew.lingering += 1,
                }
            }
        }
        // They take room and are nobody's to send away.
        for successor in self.generations.successors(pool) {
            crew.lingering += u32::try_from(successor.workers().count()).unwrap_or(u32::MAX);
        }
        crew
    }

    /// Returns how many workers a pool may have beside those of other generations.
    pub(super) fn room(&self, now: Duration, pool: PoolId) -> u32 {
        let room = self.generations.pool(pool).room();
        if self.generations.is_alone() {
            return room;
        }
        room.min(self.crew(now, pool).room(self.bounds(pool).ceiling))
    }

    fn bounds(&self, pool: PoolId) -> Bounds {
        let at_work = self.generations.pool(pool);
        let max_children = at_work.max_children();
        let surge = self
            .generations
            .get(pool.generation)
            .settings
            .surge(max_children);
        Bounds {
            target: at_work.target,
            ceiling: max_children.saturating_add(surge),
            surge,
            processes: self.process_room(),
        }
    }

    /// Returns how many more processes there may be, those in the queues included.
    fn process_room(&self) -> u32 {
        let queued: u32 = self.generations.queued();
        let taken = u32::try_from(self.roster.len())
            .unwrap_or(u32::MAX)
            .saturating_add(queued);
        let limit = self.settings.process_max;
        limit.map_or(u32::MAX, |limit| limit.saturating_sub(taken))
    }

    /// Tells whether there are as many workers as `process.max` says.
    pub(super) fn is_full(&self) -> bool {
        let limit = self.settings.process_max;
        limit.is_some_and(|max| self.roster.len() >= max as usize)
    }

    /// Tells whether a pool may have another worker. While generations overlap its first one in a generation may be beyond
    /// `process.max`: without it none of those before could be told to leave.
    pub(super) fn has_process(&self, pool: PoolId) -> bool {
        let first = || self.generations.pool(pool).workers().next().is_none();
        !self.is_full() || (first() && !self.generations.is_alone())
    }

    /// Lets a generation retire: no new workers of its own, and its zygotes end with the last of those that are there. Workers
    /// that no pool of the generation that serves replaces are told to leave.
    pub(super) fn let_retire(&mut self, now: Duration, generation: Generation) {
        let patience = self.settings.patience;
        let retiring = self.generations.get_mut(generation);
        retiring.standing = Standing::Retiring;
        retiring.cancel_births();
        self.quit_zygotes(generation);
        self.begin_patience(now, generation, patience);
        let serving = self.generations.serving();
        let retiring = self.generations.get(generation);
        let alone = retiring.pools.iter().filter(|pool| {
            serving.number == generation || serving.pool_named(pool.name.as_ref()).is_none()
        });
        let ids: Vec<_> = alone.flat_map(|pool| pool.workers()).collect();
        for id in ids {
            self.tell_to_leave(now, id);
        }
    }

    /// Tells all workers of a generation to leave.
    pub(super) fn dismiss(&mut self, now: Duration, generation: Generation) {
        let pools = &self.generations.get(generation).pools;
        let ids: Vec<_> = pools.iter().flat_map(|pool| pool.workers()).collect();
        for id in ids {
            self.tell_to_leave(now, id);
        }
    }

    /// Tells a worker to leave because its generation retires.
    pub(super) fn tell_to_leave(&mut self, now: Duration, id: WorkerId) {
        let Some(worker) = self.roster.get_mut(id) else {
            return;
        };
        if !matches!(
            worker.leaving,
            Some(Leaving::Superseded(_) | Leaving::Spent)
        ) {
            worker.leaving = Some(Leaving::Superseded(now));
            self.drain(id);
        }
    }
}
