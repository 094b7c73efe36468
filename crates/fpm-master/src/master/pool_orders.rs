//! Orders for one pool: no workers for the time being (`drain`), workers again (`resume`), more or fewer of them (`set`).
//!
//! Rule: they count for the generation that serves, so until the next reload. No request is lost by them: a worker that was told
//! to leave finishes its own, and who comes to a pool without workers waits in the queue of its socket.

use std::time::Duration;

use bstr::BStr;
use fpm_channel::WorkerId;
use fpm_control::{Answer, Failure};

use super::Master;
use crate::event::CallerId;
use crate::pool::{PoolId, Service};
use crate::roster::Reason;
use crate::state::State;
use crate::world::{Activity, World};

impl<W: World> Master<W> {
    /// Does something with a pool, if it is there and workers come and go at all; `None` means that the answer comes later.
    pub(super) fn on_pool_order(
        &mut self,
        caller: CallerId,
        pool: &str,
        order: impl FnOnce(&mut Self, PoolId) -> Option<Answer>,
    ) {
        let serving = self.generations.serving();
        let index = serving.index_of(BStr::new(pool));
        let refusal = match index {
            _ if self.state != State::Normal => Failure::Stopping,
            _ if !self.is_at_work() => Failure::Resting,
            None => Failure::NoSuchPool(pool.to_owned()),
            Some(index) => {
                let generation = serving.number;
                if let Some(answer) = order(self, PoolId { generation, index }) {
                    self.world.answer(caller, &answer);
                }
                return;
            }
        };
        self.world.answer(caller, &Answer::Failed(refusal));
    }

    /// Lets all workers of a pool go; the answer comes when the last one has.
    pub(super) fn drain_pool(&mut self, now: Duration, caller: CallerId, pool: PoolId) {
        let at_work = self.generations.pool_mut(pool);
        at_work.service = Service::Drained;
        let name = at_work.name.clone();
        self.cancel_births(pool);
        let own: Vec<_> = self.generations.pool(pool).workers().collect();
        for id in own {
            self.retire(id);
        }
        // Those of earlier generations would wait for workers that replace them.
        let namesakes = self.generations.predecessors(pool);
        let others: Vec<_> = namesakes.flat_map(|at_work| at_work.workers()).collect();
        for id in others {
            self.tell_to_leave(now, id);
        }
        self.orders.await_drain(caller, name.as_ref());
        self.answer_drained(name.as_ref());
    }

    /// Forgets the births that have not been asked for.
    fn cancel_births(&mut self, pool: PoolId) {
        let at_work = self.generations.pool_mut(pool);
        at_work.cancel_births();
        let group = at_work.group;
        let queue = &mut self.generations.group_mut(group).queue;
        queue.retain(|(queued, _)| *queued != pool);
    }

    /// Answers who waits for the last worker of a pool to leave, if it has.
    pub(super) fn answer_drained(&mut self, name: &BStr) {
        if !self.orders.is_drain_awaited(name) || self.has_workers(name) {
            return;
        }
        tracing::info!("[pool {name}] drained");
        for caller in self.orders.drain_over(name) {
            self.world.answer(caller, &Answer::Done);
        }
    }

    fn has_workers(&self, name: &BStr) -> bool {
        let generations = self.generations.numbers().into_iter();
        let mut pools =
            generations.filter_map(|number| self.generations.get(number).pool_named(name));
        pools.any(|pool| pool.workers().next().is_some())
    }

    /// Lets a pool have workers again.
    pub(super) fn resume_pool(&mut self, now: Duration, pool: PoolId) -> Answer {
        let at_work = self.generations.pool_mut(pool);
        at_work.service = Service::Open;
        let name = at_work.name.clone();
        for caller in self.orders.drain_over(name.as_ref()) {
            self.world.answer(caller, &Answer::Failed(Failure::Resumed));
        }
        self.reopen(now, pool);
        Answer::Done
    }

    /// A pool may have new workers again: it gets those that it is to have.
    pub(super) fn reopen(&mut self, now: Duration, pool: PoolId) {
        let group = self.generations.pool(pool).group;
        self.fill(now, pool);
        self.pump(now, group);
        if self.generations.pool(pool).manager.wants_connections() {
            self.on_connection(now, pool);
        }
        self.schedule_maintenance(now);
    }

    /// A worker that was to have no successor has left. A static pool that has been resumed meanwhile, or may have more workers
    /// again, takes one all the same.
    pub(super) fn refill(&mut self, now: Duration, pool: PoolId) {
        let serves = self.generations.serving().number == pool.generation;
        if serves && self.is_at_work() && self.generations.pool(pool).manager.is_static() {
            self.fill(now, pool);
        }
    }

    /// Asks for the workers that a pool starts with, as far as it has not got them.
    fn fill(&mut self, now: Duration, pool: PoolId) {
        let at_work = self.generations.pool(pool);
        let there = at_work.workers().filter(|id| {
            let worker = self.roster.get(*id);
            worker.is_some_and(|worker| worker.leaving.is_none())
        });
        let to_come = at_work.queued + at_work.births.missing;
        let there = u32::try_from(there.count()).unwrap_or(u32::MAX) + to_come;
        let missing = at_work.manager.initial().saturating_sub(there);
        self.want(now, pool, Reason::Demand, missing);
    }

    /// Changes `pm.max_children` of a pool.
    pub(super) fn set_max_children(
        &mut self,
        now: Duration,
        pool: PoolId,
        max_children: u32,
    ) -> Answer {
        let most = self.generations.pool(pool).most_children();
        if !(1..=most).contains(&max_children) {
            return Answer::Failed(Failure::OutOfRange { most });
        }
        let at_work = self.generations.pool_mut(pool);
        let (name, before) = (&at_work.name, at_work.max_children());
        tracing::info!("[pool {name}] pm.max_children is {max_children} now, it was {before}");
        at_work.obey();
        self.resize(now, pool, max_children);
        Answer::Done
    }

    /// Lets a pool have another number of workers.
    pub(super) fn resize(&mut self, now: Duration, pool: PoolId, max_children: u32) {
        let at_work = self.generations.pool_mut(pool);
        let (before, group) = (at_work.max_children(), at_work.group);
        at_work.set_max_children(max_children);
        if max_children < before {
            self.cancel_births(pool);
            self.shrink(pool, max_children);
        }
        if self.generations.pool(pool).manager.is_static() {
            self.fill(now, pool);
            self.pump(now, group);
        }
    }

    /// Lets workers go until there are so many, those that have nothing to do first.
    fn shrink(&mut self, pool: PoolId, max_children: u32) {
        let mut staying: Vec<WorkerId> = self.generations.pool(pool).workers().collect();
        staying.retain(|id| {
            self.roster
                .get(*id)
                .is_some_and(|worker| worker.leaving.is_none())
        });
        staying.sort_by_key(|id| self.world.activity(*id) == Activity::Busy);
        let surplus = staying.len().saturating_sub(max_children as usize);
        for id in staying.into_iter().take(surplus) {
            self.retire(id);
        }
    }
}
