//! Births of workers: asked for, queued, forked, reported, or failed.
//!
//! Rule: nothing is forked outside the state normal, beyond `pm.max_children` or beyond `process.max`, and never more
//! than [`WINDOW`] births are under way at one zygote.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_make`)

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_os::error::described;
use nix::errno::Errno;
use nix::unistd::Pid;

use super::{Master, Progress};
use crate::event::{Timer, ZygoteId};
use crate::generation::Standing;
use crate::group::GroupId;
use crate::pool::{PoolId, Service};
use crate::roster::{Leaving, Reason, Worker};
use crate::state::State;
use crate::world::{Activity, Birth, Count, World};

/// Births under way at one zygote. The kernel limits descriptors in flight (RLIMIT_NOFILE of the sender, unix(7)), and
/// each birth takes up to four.
const WINDOW: u32 = 32;

impl<W: World> Master<W> {
    /// Queues births, as many as the pool has room for. Those that workers of earlier generations leave no room for follow when
    /// they have gone.
    pub(super) fn want(&mut self, now: Duration, pool: PoolId, reason: Reason, count: u32) {
        let room = self.room(now, pool);
        let at_work = self.generations.pool_mut(pool);
        if at_work.service != Service::Open {
            return;
        }
        let wanted = count.min(at_work.room());
        let count = wanted.min(room);
        if count < wanted {
            let workers = u32::try_from(at_work.workers().count()).unwrap_or(u32::MAX);
            let under_way = at_work.queued + at_work.births.missing;
            at_work.target = at_work.target.max(workers + under_way + wanted);
        }
        at_work.queued += count;
        let group = at_work.group;
        self.generations
            .group_mut(group)
            .queue
            .extend((0..count).map(|_| (pool, reason)));
    }

    /// Asks the zygote of a group for queued workers, as far as it may.
    pub(super) fn pump(&mut self, now: Duration, group: GroupId) {
        while self.state == State::Normal {
            let at_work = self.generations.group_mut(group);
            let Some(zygote) = at_work
                .zygote
                .filter(|zygote| zygote.is_ready() && zygote.outstanding < WINDOW)
            else {
                break;
            };
            if at_work.fork_waits || at_work.queue.is_empty() {
                break;
            }
            let Some((pool, reason)) = self.next_birth(group) else {
                break;
            };
            self.generations.pool_mut(pool).queued -= 1;
            self.ask(now, group, &zygote.id, pool, reason);
        }
        self.report_filled(now);
    }

    /// Asks for one worker.
    fn ask(
        &mut self,
        now: Duration,
        group: GroupId,
        zygote: &ZygoteId,
        pool: PoolId,
        reason: Reason,
    ) {
        let Some(slot) = self.generations.pool(pool).free_slot() else {
            tracing::error!(
                "[pool {}] no free scoreboard slot",
                self.generations.pool(pool).name
            );
            return;
        };
        let worker = Worker {
            pool,
            slot,
            zygote: Some(*zygote),
            pid: None,
            since: now,
            reason,
            leaving: None,
        };
        let id = self.roster.add(worker);
        self.generations.pool_mut(pool).take(slot, id);
        match self.world.spawn(
            *zygote,
            Birth {
                worker: id,
                pool,
                slot,
            },
        ) {
            Ok(()) => {
                self.full_reported = false;
                if let Some(zygote) = self.generations.zygote_mut(*zygote) {
                    zygote.outstanding += 1;
                }
            }
            Err(error) => {
                self.strike_off(id);
                self.fork_later(now, group, (pool, reason), error);
            }
        }
    }

    /// Takes the next birth out of the queue of a group, if there may be another process. That `process.max` is reached is said
    /// once.
    fn next_birth(&mut self, group: GroupId) -> Option<(PoolId, Reason)> {
        let mut queue = self.generations.group(group).queue.iter();
        let Some(next) = queue.position(|(pool, _)| self.has_process(*pool)) else {
            if !self.full_reported {
                self.full_reported = true;
                tracing::warn!(
                    "The maximum number of processes has been reached. \
                     Please review your configuration and consider raising 'process.max'"
                );
            }
            return None;
        };
        self.generations.group_mut(group).queue.remove(next)
    }

    /// A zygote forked a worker.
    pub(super) fn on_spawned(&mut self, now: Duration, zygote: ZygoteId, id: WorkerId, pid: Pid) {
        self.answered(zygote);
        let Some(&mut Worker { pool, reason, .. }) = self.roster.identify(id, pid, now) else {
            return;
        };
        self.world.count(Count::Spawned(pool));
        let at_work = self.generations.pool(pool);
        match reason {
            Reason::Replacement => tracing::info!("[pool {}] child {pid} started", at_work.name),
            Reason::Demand | Reason::Trial => {
                tracing::debug!("[pool {}] child {pid} started", at_work.name);
            }
        }
        let group = at_work.group;
        let at_work = self.generations.group_mut(group);
        if !at_work.fork_waits {
            at_work.forks.succeeded();
        }
        self.catch_up(id);
        self.limit_time(now, pool);
        self.replace_orphans(pool);
        self.pump(now, group);
    }

    /// A zygote could not fork.
    pub(super) fn on_spawn_failed(
        &mut self,
        now: Duration,
        zygote: ZygoteId,
        id: WorkerId,
        errno: i32,
    ) {
        self.answered(zygote);
        let Some(worker) = self.strike_off(id) else {
            return;
        };
        if self.state != State::Normal {
            self.wind_down_if_empty(now);
            return;
        }
        if worker.leaving == Some(Leaving::Retired) {
            // Nobody wants it any more.
            self.vacated(now, worker.pool);
            return;
        }
        let group = self.generations.pool(worker.pool).group;
        self.fork_later(
            now,
            group,
            (worker.pool, worker.reason),
            Errno::from_raw(errno),
        );
        self.report_filled(now);
    }

    fn answered(&mut self, zygote: ZygoteId) {
        if let Some(zygote) = self.generations.zygote_mut(zygote) {
            zygote.outstanding = zygote.outstanding.saturating_sub(1);
        }
    }

    /// Puts a birth back to the front of the queue and forks nothing for a while. Failures of one burst count once.
    fn fork_later(&mut self, now: Duration, group: GroupId, birth: (PoolId, Reason), error: Errno) {
        match self.generations.get(group.generation).standing {
            Standing::Serving => {}
            Standing::Coming => {
                self.succeed_to(now, birth.0);
                self.give_up(now, &format_args!("fork() failed: {}", described(error)));
                return;
            }
            Standing::Retiring => {
                self.made_way(now, birth.0);
                return;
            }
        }
        self.generations.pool_mut(birth.0).queued += 1;
        let at_work = self.generations.group_mut(group);
        at_work.queue.push_front(birth);
        if at_work.fork_waits {
            return;
        }
        at_work.fork_waits = true;
        let delay = at_work.forks.failed(now);
        tracing::error!("fork() failed: {}", described(error));
        tracing::warn!("next attempt to fork in {} seconds", delay.as_secs_f32());
        self.world.arm(Timer::Fork(group), now + delay);
    }

    /// Forks again after a failure.
    pub(super) fn fork_again(&mut self, now: Duration, group: GroupId) {
        if self.generations.find(group.generation).is_some() {
            self.generations.group_mut(group).fork_waits = false;
            self.pump(now, group);
        }
    }

    /// A worker of this pool died before it could serve: its replacement has to wait.
    pub(super) fn birth_failed(&mut self, now: Duration, pool: PoolId) {
        let at_work = self.generations.pool_mut(pool);
        let births = &mut at_work.births;
        births.missing += 1;
        if births.waiting {
            return;
        }
        births.waiting = true;
        births.trying = false;
        let delay = births.backoff.failed(now);
        tracing::warn!(
            "[pool {}] children end before they can serve, next attempt in {} seconds",
            at_work.name,
            delay.as_secs_f32()
        );
        self.world.arm(Timer::Revive(pool), now + delay);
    }

    /// Tries one worker of a pool whose workers died at start, or the rest of them when that one serves.
    pub(super) fn revive(&mut self, now: Duration, pool: PoolId) {
        let known = self.generations.find(pool.generation);
        let retires = known.is_none_or(|known| known.standing == Standing::Retiring);
        if self.state != State::Normal || retires {
            return;
        }
        let waiting = self.generations.pool(pool).births.waiting;
        let starting = self
            .generations
            .pool(pool)
            .workers()
            .any(|worker| self.world.activity(worker) == Activity::Starting);
        let at_work = self.generations.pool_mut(pool);
        let births = &mut at_work.births;
        let delay = births.backoff.delay().unwrap_or_default();
        let group = at_work.group;
        if waiting {
            births.waiting = false;
            births.trying = true;
            births.missing = births.missing.saturating_sub(1);
            self.want(now, pool, Reason::Replacement, 1);
            self.world.arm(Timer::Revive(pool), now + delay);
        } else if births.trying && (starting || at_work.queued > 0) {
            self.world.arm(Timer::Revive(pool), now + delay);
        } else if births.trying {
            births.trying = false;
            births.backoff.succeeded();
            let missing = std::mem::take(&mut births.missing);
            self.want(now, pool, Reason::Replacement, missing);
        }
        self.pump(now, group);
    }

    /// Says that the start is over, when it is.
    fn report_filled(&mut self, now: Duration) {
        if self.progress != Progress::Filling || self.state != State::Normal {
            return;
        }
        let full = self.is_full();
        let filled = self.generations.serving().groups.iter().all(|group| {
            let idle = group.zygote.is_some_and(|zygote| zygote.outstanding == 0);
            idle && (group.queue.is_empty() || group.fork_waits || full)
        });
        if filled {
            self.progress = Progress::Serving;
            tracing::info!("ready to handle connections");
            self.world.hear_workers();
            self.notify_ready(now);
            self.world.report_to_elder();
            self.reload_is_over(now);
        }
    }
}
