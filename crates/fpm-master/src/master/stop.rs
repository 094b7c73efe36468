//! The way to the end: drain or signal the workers, then let the zygotes go, then say goodbye.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl`)

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};
use fpm_conf::TermMeans;
use fpm_control::Failure;
use fpm_os::signal::Signal;

use super::{Master, Outcome};
use crate::event::Timer;
use crate::generation::{Phase, Standing};
use crate::roster::Worker;
use crate::state::{Escalation, Measure, State, Transition};
use crate::world::World;

/// A zygote without workers may take this long to shut PHP down.
const PATIENCE: Duration = Duration::from_secs(3);

impl<W: World> Master<W> {
    /// Changes the state, if it may be changed.
    pub(super) fn change_state(&mut self, now: Duration, next: State) {
        match self.state.transition(next) {
            Transition::Already => {}
            Transition::Refused => {
                tracing::debug!(
                    "not switching to '{next}' state, because already in '{}' state",
                    self.state
                );
            }
            Transition::Accepted => {
                tracing::debug!("switching to '{next}' state");
                self.state = next;
                self.announce_stop(now);
                self.escalation = Escalation::default();
                self.reload.forget();
                self.world.turn_all_away();
                self.refuse_orders(&Failure::Stopping);
                for generation in self.generations.numbers() {
                    self.generations.get_mut(generation).cancel_births();
                    self.quit_zygotes(generation);
                }
                self.escalate(now);
            }
        }
    }

    /// Stops at once.
    pub(super) fn terminate(&mut self, now: Duration) {
        tracing::info!("Terminating ...");
        self.change_state(now, State::Terminating);
    }

    /// Stops when the requests that run are done.
    pub(super) fn finish(&mut self, now: Duration) {
        tracing::info!("Finishing ...");
        self.change_state(now, State::Finishing);
    }

    /// Tells whether SIGTERM asks for a graceful stop. One that comes after that hurries it.
    pub(super) fn is_term_graceful(&self) -> bool {
        self.settings.term_means == TermMeans::Graceful && self.state == State::Normal
    }

    /// Lets the zygotes of a generation end when their last workers have.
    pub(super) fn quit_zygotes(&mut self, generation: Generation) {
        for zygote in self
            .generations
            .get_mut(generation)
            .groups
            .iter_mut()
            .filter_map(|group| group.zygote.as_mut())
        {
            match std::mem::replace(&mut zygote.phase, Phase::Quitting) {
                // It reads its channel only when PHP is up, which may take long; nothing is lost with it.
                Phase::Starting => self.world.signal_child(zygote.pid, Signal::KILL),
                Phase::Ready(_) | Phase::Failed => self.world.quit_zygote(zygote.id),
                Phase::Quitting => {}
            }
        }
    }

    /// Takes the next measure against the workers that are left.
    pub(super) fn escalate(&mut self, now: Duration) {
        if self.state == State::Normal {
            return;
        }
        if self.roster.is_empty() {
            self.wind_down_if_empty(now);
            return;
        }
        let before = self.escalation.last();
        let (measure, patience) = self
            .escalation
            .next(self.state, self.settings.timeout(self.state));
        if before == Some(measure) {
            for generation in self.generations.numbers() {
                self.kill_zygotes(generation);
            }
        }
        let ids: Vec<WorkerId> = self.roster.iter().rev().map(|(id, _)| id).collect();
        for id in ids {
            self.apply(id, measure);
        }
        tracing::debug!("{} child(ren) still alive", self.roster.len());
        if let Some(patience) = patience {
            self.world.arm(Timer::Escalate, now + patience);
        }
    }

    /// Workers were killed and are still there: a zygote that does not pass it on is in the way.
    pub(super) fn kill_zygotes(&mut self, generation: Generation) {
        for zygote in self.generations.get(generation).zygotes() {
            self.world.signal_child(zygote.pid, Signal::KILL);
        }
    }

    /// Does to a worker that appeared late what was done to all others.
    pub(super) fn catch_up(&mut self, id: WorkerId) {
        let Some(worker) = self.roster.get(id) else {
            return;
        };
        let generation = self.generations.get(worker.pool.generation);
        let last = match (self.state, generation.standing) {
            (State::Normal, Standing::Retiring) => generation.escalation.last(),
            (State::Normal, Standing::Coming | Standing::Serving) => None,
            (State::Terminating | State::Finishing, _) => self.escalation.last(),
        };
        // That it is to leave has been left for it in its slot.
        if let Some(measure) =
            last.filter(|measure| self.state != State::Normal || *measure != Measure::Drain)
        {
            self.apply(id, measure);
        }
    }

    pub(super) fn apply(&mut self, id: WorkerId, measure: Measure) {
        let Some(&Worker {
            pool,
            pid: Some(pid),
            zygote,
            ..
        }) = self.roster.get(id)
        else {
            return;
        };
        let name = &self.generations.pool(pool).name;
        match (measure, zygote) {
            (Measure::Drain, _) => {
                tracing::debug!("[pool {name}] draining child {pid}");
                self.drain(id);
            }
            (Measure::Signal(signal), zygote) => {
                tracing::debug!(
                    "[pool {name}] sending signal {} {signal} to child {pid}",
                    signal.number()
                );
                match zygote {
                    Some(zygote) => self.world.signal_worker(zygote, id, signal),
                    None => self.world.signal_child(pid, signal),
                }
            }
        }
    }

    /// Goes on with the end when the last worker is gone: waits for the zygotes, then says goodbye.
    pub(super) fn wind_down_if_empty(&mut self, now: Duration) {
        if self.state == State::Normal || !self.roster.is_empty() || self.outcome.is_some() {
            return;
        }
        let mut gone = true;
        for zygote in self.generations.zygotes() {
            gone = false;
            self.world.arm(Timer::Overdue(zygote.id), now + PATIENCE);
        }
        if gone && !self.waits_for_other() {
            tracing::info!("exiting, bye-bye!");
            self.answer_ended();
            self.outcome = Some(Outcome::Stopped);
        }
    }
}
