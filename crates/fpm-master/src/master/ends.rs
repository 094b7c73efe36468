//! Ends of processes: who it was, what the log says, who takes the place.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_bury`)

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};
use fpm_conf::LogLevel;
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, ExitStatus};
use nix::unistd::Pid;

use super::Master;
use crate::departure::End;
use crate::generation::Standing;
use crate::journal::line;
use crate::obituary::{Ending, Lifetime};
use crate::pool::PoolId;
use crate::reload::Phase;
use crate::roster::{Leaving, Reason, Worker};
use crate::state::State;
use crate::world::{Activity, Count, World};

impl<W: World> Master<W> {
    /// A child of the master itself ended.
    pub(super) fn on_reaped(&mut self, now: Duration, exit: Exit) {
        tracing::debug!("received SIGCHLD");
        let zygote = self
            .generations
            .zygotes()
            .find(|zygote| zygote.pid == exit.pid);
        if let Some(zygote) = zygote {
            self.on_zygote_ended(now, &zygote, exit.status);
        } else if let Some(worker) = self.roster.by_pid(exit.pid) {
            self.on_worker_ended(now, worker, exit.status);
        } else {
            // The master is a child subreaper: what a script left behind ends here. The original says the same as init.
            let (pid, ending) = (exit.pid, Ending(exit.status));
            let init = if Pid::this() == Pid::from_raw(1) {
                " (master process is the init process)"
            } else {
                ""
            };
            tracing::debug!(
                "unknown child ({pid}) exited {ending} - most likely an orphan process{init}"
            );
            self.clear_up(now);
        }
    }

    /// A worker ended, whoever reaped it.
    pub(super) fn on_worker_ended(&mut self, now: Duration, id: WorkerId, status: ExitStatus) {
        // Its slot still shows how far it came.
        let activity = self.world.activity(id);
        let served = activity != Activity::Starting;
        let spent = self.world.slot(id).and_then(|slot| slot.spent);
        let struck = self.was_struck(id);
        let Some(worker) = self.strike_off(id) else {
            return;
        };
        self.log_end(now, &worker, status);
        if self.state != State::Normal {
            self.wind_down_if_empty(now);
            return;
        }
        if let (Activity::Idle { .. }, LogLevel::Warning) = (activity, Ending(status).level()) {
            self.wake_others(worker.pool);
        }
        self.note_crash(now, worker.pool.generation, status);
        self.account_for(now, (id, &worker), status);
        let room = self.generations.pool(worker.pool).room() > 0;
        let standing = self.generations.get(worker.pool.generation).standing;
        let end = End {
            status,
            leaving: worker.leaving,
            standing,
            spent,
            struck,
        };
        self.world
            .count(Count::Departed(worker.pool, end.departure()));
        match (standing, worker.leaving) {
            (Standing::Retiring, _)
            | (_, Some(Leaving::Retired | Leaving::Spent | Leaving::Superseded(_))) => {}
            (Standing::Coming, _) if !served => {
                let cause = format!(
                    "[pool {}] the first child of generation {} ended before it could serve",
                    self.generations.pool(worker.pool).name,
                    worker.pool.generation.0
                );
                self.give_up(now, &cause);
            }
            (_, None) if room && !served => self.birth_failed(now, worker.pool),
            _ => self.want(now, worker.pool, Reason::Replacement, 1),
        }
        if worker.leaving == Some(Leaving::Retired) {
            self.refill(now, worker.pool);
        }
        // It may have been let go just when a connection arrived that it should have taken.
        if self
            .generations
            .pool(worker.pool)
            .manager
            .wants_connections()
        {
            self.on_connection(now, worker.pool);
        }
        self.made_way(now, worker.pool);
        self.parent_retired(now, &worker);
    }

    /// A worker of a pool, or one that was to be, is no more: whoever waits for its place, or for its end, goes on.
    pub(super) fn made_way(&mut self, now: Duration, pool: PoolId) {
        self.succeed_to(now, pool);
        self.succeed_to_anybody(now);
        // All groups: the one that ended may have stood in the way of `process.max`.
        for group in self.generations.group_ids() {
            self.pump(now, group);
        }
        let name = self.generations.pool(pool).name.clone();
        self.retired(now, pool.generation);
        self.answer_drained(name.as_ref());
    }

    /// A worker died while it waited for clients: those who stood by because it did are to wait now.
    fn wake_others(&mut self, pool: PoolId) {
        for id in self.generations.pool(pool).workers() {
            self.world.wake(id);
        }
    }

    /// Reloads when too many workers of the generation that serves have crashed, unless it is being replaced already.
    fn note_crash(&mut self, now: Duration, generation: Generation, status: ExitStatus) {
        if let Some(threshold) = self.settings.emergency
            && generation == self.generations.serving().number
            && self.reload.phase() == Phase::None
            && self.crashes.reach(threshold, status, now)
        {
            tracing::warn!("{threshold}");
            self.request_reload(now);
        }
    }

    fn log_end(&self, now: Duration, worker: &Worker, status: ExitStatus) {
        let pool = &self.generations.pool(worker.pool).name;
        let pid = worker.pid.unwrap_or(Pid::from_raw(0));
        let ending = Ending(status);
        let lifetime = Lifetime(now.saturating_sub(worker.since));
        let quietly = match status {
            ExitStatus::Code(code) => code == 0,
            ExitStatus::Signal { signal, .. } => signal == Signal::QUIT,
        };
        if let (Some(Leaving::Superseded(_)), true) = (worker.leaving, quietly) {
            tracing::debug!("[pool {pool}] child {pid} exited {ending} {lifetime}");
        } else if worker.leaving == Some(Leaving::Retired) && quietly {
            tracing::debug!(
                "[pool {pool}] child {pid} has been killed by the process management {lifetime}"
            );
        } else {
            let level = if self.state == State::Normal {
                ending.level()
            } else {
                LogLevel::Debug
            };
            line(
                level,
                format_args!("[pool {pool}] child {pid} exited {ending} {lifetime}"),
            );
        }
    }

    /// A worker that was asked for was never born, or is gone without a trace.
    pub(super) fn forget_unborn(&mut self, now: Duration, id: WorkerId) {
        let Some(worker) = self.strike_off(id) else {
            return;
        };
        let standing = self.generations.get(worker.pool.generation).standing;
        if self.state != State::Normal {
            self.wind_down_if_empty(now);
        } else if standing == Standing::Retiring || worker.leaving == Some(Leaving::Retired) {
            self.vacated(now, worker.pool);
        } else {
            self.want(now, worker.pool, worker.reason, 1);
            self.pump(now, self.generations.pool(worker.pool).group);
            self.parent_retired(now, &worker);
        }
    }

    /// A worker that was asked for and told to leave before it was born never will be.
    pub(super) fn vacated(&mut self, now: Duration, pool: PoolId) {
        self.refill(now, pool);
        self.made_way(now, pool);
    }

    /// Forgets a worker and frees all that was its own.
    pub(super) fn strike_off(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.roster.remove(id)?;
        let at_work = self.generations.pool_mut(worker.pool);
        at_work.free(worker.slot);
        if worker.leaving == Some(Leaving::Spent) {
            at_work.spent -= 1;
        }
        self.world.release(id);
        Some(worker)
    }
}
