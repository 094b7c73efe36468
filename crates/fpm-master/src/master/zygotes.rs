//! The life of zygotes: started, ready, failed, dead, started again.
//!
//! Rule: until a new zygote is ready the orphans of the dead one go on serving; only then they are replaced, few at a
//! time, so that a pool is never without workers.

use std::time::Duration;

use bstr::BString;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::{Master, Outcome, Progress};
use crate::error::MasterError;
use crate::event::{Timer, ZygoteId};
use crate::generation::{Phase, Standing, Zygote};
use crate::group::GroupId;
use crate::obituary::{Ending, Lifetime};
use crate::pool::{PoolId, Service};
use crate::roster::{Leaving, Reason};
use crate::state::State;
use crate::world::{Count, Fate, World};

/// A zygote that was ready for this long is no sign of trouble when it dies: it is replaced at once.
const SOUND: Duration = Duration::from_secs(10);
/// A zygote that has nothing left to do may take this long to end.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often to look for workers of which it is not known whether they were born.
const CLEAR_UP: Duration = Duration::from_millis(100);

impl<W: World> Master<W> {
    /// Starts a zygote for a group that has none.
    pub(super) fn start_zygote(&mut self, now: Duration, group: GroupId) {
        let wanted = self
            .generations
            .find(group.generation)
            .is_some_and(|known| {
                known.standing != Standing::Retiring && known.group(group.index).zygote.is_none()
            });
        if self.state != State::Normal || !wanted {
            return;
        }
        self.last_zygote += 1;
        let id = ZygoteId(self.last_zygote);
        match self.world.start_zygote(id, group) {
            Ok(pid) => {
                let zygote = Zygote {
                    id,
                    pid,
                    since: now,
                    phase: Phase::Starting,
                    outstanding: 0,
                };
                self.generations.group_mut(group).zygote = Some(zygote);
            }
            Err(error) if self.progress == Progress::Launching => {
                self.outcome = Some(Outcome::Failed(error));
            }
            Err(error) if self.reload.next() == Some(group.generation) => {
                self.give_up(now, &error);
            }
            Err(error) => {
                tracing::error!("{error}");
                self.restart_later(now, group);
            }
        }
    }

    /// PHP is up in a zygote.
    pub(super) fn on_ready(&mut self, now: Duration, id: ZygoteId, php_version: &str) {
        let Some(zygote) = self.generations.zygote_mut(id) else {
            return;
        };
        if zygote.phase == Phase::Starting {
            zygote.phase = Phase::Ready(now);
        }
        let pid = zygote.pid;
        let Some(group) = self.generations.group_of(id) else {
            return;
        };
        let number = group.generation.0;
        if self.progress == Progress::Launching {
            tracing::debug!("zygote {pid} of generation {number} has started PHP {php_version}");
            self.launch(now);
            return;
        }
        if self.generations.get(group.generation).standing == Standing::Coming {
            tracing::debug!("zygote {pid} of generation {number} has started PHP {php_version}");
            match self.world.ini_mistake(id) {
                Some(mistake) => self.give_up(now, &format_args!("php.ini: {mistake}")),
                None => self.on_next_ready(now),
            }
            return;
        }
        tracing::info!("zygote {pid} of generation {number} started, PHP {php_version}");
        for pool in self.generations.group(group).pools.clone() {
            self.replace_orphans(pool);
        }
        self.pump(now, group);
    }

    /// Goes to work when the last zygote of the start is ready.
    fn launch(&mut self, now: Duration) {
        let mut groups = self.generations.serving().groups.iter();
        if self.state != State::Normal
            || !groups.all(|group| group.zygote.is_some_and(|zygote| zygote.is_ready()))
        {
            return;
        }
        if let Err(error) = self.world.launched() {
            self.outcome = Some(Outcome::Failed(error));
            return;
        }
        self.progress = Progress::Filling;
        for pool in self.generations.serving().pool_ids() {
            let manager = &self.generations.pool(pool).manager;
            let initial = manager.initial();
            if manager.wants_connections() {
                self.world.connections_wanted(pool);
            }
            self.want(now, pool, Reason::Demand, initial);
        }
        self.schedule_maintenance(now);
        self.schedule_sizing(now);
        for group in self.generations.serving().group_ids() {
            self.pump(now, group);
        }
    }

    /// PHP did not start in a zygote, which says why and ends.
    pub(super) fn on_failed(&mut self, now: Duration, id: ZygoteId, reason: BString) {
        let Some(zygote) = self.generations.zygote_mut(id) else {
            return;
        };
        zygote.phase = Phase::Failed;
        let pid = zygote.pid;
        let generation = self.generations.group_of(id).map(|group| group.generation);
        if self.progress == Progress::Launching && self.state == State::Normal {
            self.outcome = Some(Outcome::Failed(MasterError::Php { reason }));
        } else if generation.is_some() && generation == self.reload.next() {
            self.give_up(now, &format_args!("zygote {pid}: {reason}"));
        } else {
            tracing::error!("zygote {pid}: {reason}");
        }
    }

    /// A zygote closed its channel. Without it, it is of no use.
    pub(super) fn on_hung_up(&mut self, now: Duration, id: ZygoteId) {
        let Some(zygote) = self.generations.zygote_mut(id) else {
            return;
        };
        let (pid, phase) = (zygote.pid, zygote.phase);
        match phase {
            Phase::Starting | Phase::Ready(_) => self.world.signal_child(pid, Signal::KILL),
            Phase::Failed | Phase::Quitting => self.world.arm(Timer::Overdue(id), now + PATIENCE),
        }
    }

    /// A zygote should have ended by now.
    pub(super) fn on_overdue(&mut self, id: ZygoteId) {
        let Some(zygote) = self.generations.zygote_mut(id) else {
            return;
        };
        let pid = zygote.pid;
        tracing::warn!("zygote {pid} does not end, killing it");
        self.world.signal_child(pid, Signal::KILL);
    }

    /// A zygote has ended: its workers are the master's own children from now on.
    pub(super) fn on_zygote_ended(&mut self, now: Duration, zygote: &Zygote, status: ExitStatus) {
        let Some(group) = self.generations.group_of(zygote.id) else {
            return;
        };
        self.generations.group_mut(group).zygote = None;
        self.world.forget_zygote(zygote.id);
        let standing = self.generations.get(group.generation).standing;
        let orphans = self.adopt(now, zygote.id);
        let (pid, number) = (zygote.pid, group.generation.0);
        let (ending, lifetime) = (Ending(status), Lifetime(now.saturating_sub(zygote.since)));
        if self.state != State::Normal || zygote.phase == Phase::Quitting {
            tracing::debug!("zygote {pid} of generation {number} exited {ending} {lifetime}");
            self.wind_down_if_empty(now);
            self.retired(now, group.generation);
        } else if standing == Standing::Coming {
            let cause =
                format_args!("zygote {pid} of generation {number} exited {ending} {lifetime}");
            self.give_up(now, &cause);
            self.retired(now, group.generation);
        } else if standing == Standing::Retiring {
            tracing::debug!("zygote {pid} of generation {number} exited {ending} {lifetime}");
            self.retired(now, group.generation);
        } else if self.progress == Progress::Launching {
            if self.outcome.is_none() {
                self.outcome = Some(Outcome::Failed(MasterError::ZygoteEnded { status }));
            }
        } else {
            self.world.count(Count::ZygoteLost);
            tracing::warn!(
                "zygote {pid} of generation {number} exited {ending} {lifetime}, its {orphans} children go on"
            );
            self.restart(now, group, zygote);
        }
    }

    /// Starts a new zygote in the place of one that died: at once, unless that goes on and on.
    fn restart(&mut self, now: Duration, group: GroupId, dead: &Zygote) {
        let restarts = &mut self.generations.group_mut(group).restarts;
        match dead.phase {
            Phase::Ready(since) if now.saturating_sub(since) >= SOUND => {
                restarts.succeeded();
                self.start_zygote(now, group);
            }
            Phase::Ready(_) if restarts.delay().is_none() => {
                restarts.failed(now);
                self.start_zygote(now, group);
            }
            _ => self.restart_later(now, group),
        }
    }

    fn restart_later(&mut self, now: Duration, group: GroupId) {
        let delay = self.generations.group_mut(group).restarts.failed(now);
        tracing::warn!(
            "next attempt to start a zygote in {} seconds",
            delay.as_secs_f32()
        );
        self.world.arm(Timer::Restart(group), now + delay);
    }

    /// Takes over the workers of a dead zygote and returns how many there are.
    fn adopt(&mut self, now: Duration, zygote: ZygoteId) -> usize {
        let ids: Vec<_> = self
            .roster
            .iter()
            .filter(|(_, worker)| worker.zygote == Some(zygote))
            .map(|(id, _)| id)
            .collect();
        let mut unreported = false;
        for id in &ids {
            if let Some(worker) = self.roster.get_mut(*id) {
                worker.zygote = None;
                unreported |= worker.pid.is_none();
            }
            // Whoever stands by now waits for clients itself: a worker for which it stands by may die, and nobody would call.
            self.world.wake(*id);
        }
        if unreported {
            self.clear_up(now);
        }
        self.roster
            .iter()
            .filter(|(id, worker)| worker.pid.is_some() && ids.contains(id))
            .count()
    }

    /// Finds out about workers that were asked for and never reported because their zygote died. Born or not, such a
    /// worker is not to serve: nobody could say yet who it is.
    pub(super) fn clear_up(&mut self, now: Duration) {
        let unreported: Vec<_> = self
            .roster
            .iter()
            .filter(|(_, worker)| worker.zygote.is_none() && worker.pid.is_none())
            .map(|(id, _)| id)
            .collect();
        for id in unreported {
            match self.world.fate(id) {
                Fate::Born(pid) => {
                    self.roster.identify(id, pid, now);
                    self.catch_up(id);
                }
                Fate::Nobody => self.forget_unborn(now, id),
                Fate::Unknown => {
                    if let Some(worker) = self.roster.get_mut(id) {
                        worker.leaving = worker.leaving.or(Some(Leaving::Replaced));
                    }
                    self.drain(id);
                    self.world.arm(Timer::Unclaimed, now + CLEAR_UP);
                }
            }
        }
    }

    /// Lets some orphans of a pool go, so that workers of the zygote that now serves the pool take their places.
    pub(super) fn replace_orphans(&mut self, pool: PoolId) {
        let at_work = self.generations.pool(pool);
        let ready = self
            .generations
            .group(at_work.group)
            .zygote
            .is_some_and(|zygote| zygote.is_ready());
        let serves = pool.generation == self.generations.serving().number;
        let rests = at_work.service == Service::Resting;
        if !ready || !serves || rests || self.state != State::Normal {
            return;
        }
        let orphans = at_work.workers().filter(|id| {
            self.roster
                .get(*id)
                .is_some_and(|worker| worker.zygote.is_none())
        });
        let (mut room, mut staying) = ((at_work.max_children() / 4).max(1), Vec::new());
        for id in orphans {
            match self.roster.get(id).and_then(|worker| worker.leaving) {
                Some(_) => room = room.saturating_sub(1),
                None => staying.push(id),
            }
        }
        for id in staying.into_iter().take(room as usize) {
            if let Some(worker) = self.roster.get_mut(id) {
                worker.leaving = Some(Leaving::Replaced);
            }
            self.drain(id);
        }
    }
}
