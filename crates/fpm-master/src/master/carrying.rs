//! A reload of some pools: the others go over to the next generation as they are, workers, numbers and all.
//!
//! Rule: nothing of such a pool changes but the name it goes by here, and where its next workers come from. Those that it has stay
//! children of the zygote before, which ends with the last of them.

use std::time::Duration;

use fpm_channel::Generation;
use fpm_control::Scope;

use super::Master;
use crate::event::Timer;
use crate::generation::Standing;
use crate::pm::Looks;
use crate::pool::PoolId;
use crate::world::World;

impl<W: World> Master<W> {
    /// Returns what the reload that begins now is about. When all workers were let go, it brings all back.
    pub(super) fn scope_of_reload(&mut self) -> Scope {
        if self.generations.serving().standing == Standing::Retiring {
            self.orders.want(Scope::All);
        }
        self.orders.reload_begins()
    }

    /// Gives the pools that stay as they are to the generation that serves now.
    pub(super) fn carry_over(&mut self, now: Duration, before: Generation, next: Generation) {
        for to in self.generations.get(next).pool_ids() {
            let name = &self.generations.pool(to).name;
            let index = self.generations.get(before).index_of(name.as_ref());
            if let Some(index) = index.filter(|_| self.world.is_carried(to)) {
                let generation = before;
                self.carry(now, PoolId { generation, index }, to);
            }
        }
    }

    fn carry(&mut self, now: Duration, from: PoolId, to: PoolId) {
        let empty = self.generations.pool(to).clone();
        let next_group = empty.group;
        let mut pool = std::mem::replace(self.generations.pool_mut(from), empty);
        let group_before = std::mem::replace(&mut pool.group, next_group);
        self.generations.pool_mut(from).group = group_before;
        // The timers go by the name before.
        pool.looks = Looks::default();
        if pool.births.waiting || pool.births.trying {
            let delay = pool.births.backoff.delay().unwrap_or_default();
            self.world.arm(Timer::Revive(to), now + delay);
        }
        *self.generations.pool_mut(to) = pool;
        self.carry_rest(now, to);

        let queue = &mut self.generations.group_mut(group_before).queue;
        let (queued, others): (Vec<_>, Vec<_>) =
            queue.drain(..).partition(|(pool, _)| *pool == from);
        queue.extend(others);
        let queue = &mut self.generations.group_mut(next_group).queue;
        queue.extend(queued.into_iter().map(|(_, reason)| (to, reason)));

        let ids: Vec<_> = self.generations.pool(to).workers().collect();
        for id in ids {
            if let Some(worker) = self.roster.get_mut(id) {
                worker.pool = to;
            }
        }
        self.world.carry(from, to);
    }
}
