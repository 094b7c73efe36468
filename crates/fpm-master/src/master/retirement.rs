//! The end of a generation that no longer serves: its workers finish what they have, for as long as there is patience.
//!
//! Rule: without `worker_shutdown_timeout` and `process_control_timeout` the patience has no limit, but for the oldest of
//! too many generations: that one stands in the way of a reload.

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};
use fpm_control::Failure;
use fpm_os::signal::Signal;

use super::{Master, Progress};
use crate::event::Timer;
use crate::generation::Standing;
use crate::reload::RETIRING;
use crate::roster::Worker;
use crate::state::{Measure, State};
use crate::world::World;

/// A zygote without workers may take this long to shut PHP down.
const ZYGOTE: Duration = Duration::from_secs(3);

/// The oldest generation may take this long from the moment at which a reload waits for it.
const OLDEST: Duration = Duration::from_secs(60);

impl<W: World> Master<W> {
    /// Lets all workers go when their requests are done, and keeps the sockets; a reload brings workers back. nginx does the same.
    pub(super) fn rest(&mut self, now: Duration) {
        if self.state != State::Normal || self.progress != Progress::Serving {
            return;
        }
        tracing::info!("all children end gracefully, the sockets stay open until SIGHUP");
        if let Some(next) = self.reload.next() {
            self.world.close_sockets(next);
        }
        self.reload.forget();
        self.refuse_orders(&Failure::Resting);
        for generation in self.generations.numbers() {
            self.let_retire(now, generation);
            self.dismiss(now, generation);
            self.retired(now, generation);
        }
        self.world.turn_all_away();
    }

    /// Starts the clock of a generation whose workers were told to leave, or are about to be.
    pub(super) fn begin_patience(
        &mut self,
        now: Duration,
        generation: Generation,
        patience: Duration,
    ) {
        let retiring = self.generations.get_mut(generation);
        if retiring.escalation.last().is_some() {
            return;
        }
        if let (_, Some(patience)) = retiring.escalation.next(State::Finishing, patience) {
            self.world.arm(Timer::Patience(generation), now + patience);
        }
    }

    /// A reload waits because too many generations are about: the patience with the oldest is limited.
    pub(super) fn hurry_oldest(&mut self, now: Duration) {
        let Some(oldest) = self.generations.finishing().next() else {
            return;
        };
        let number = oldest.number;
        tracing::warn!(
            "{RETIRING} earlier generations have requests to finish, the reload waits for generation {} to end",
            number.0
        );
        if self.settings.patience.is_zero() {
            self.world.arm(Timer::Patience(number), now + OLDEST);
        }
    }

    /// The patience with the workers of a retiring generation is at its end.
    pub(super) fn on_impatience(&mut self, now: Duration, generation: Generation) {
        if self.state != State::Normal || self.generations.find(generation).is_none() {
            return;
        }
        let retiring = self.generations.get_mut(generation);
        let before = retiring.escalation.last();
        let (measure, after) = retiring.escalation.next(State::Finishing, Duration::ZERO);
        let ids: Vec<WorkerId> = retiring
            .pools
            .iter()
            .flat_map(|pool| pool.workers())
            .collect();
        if ids.is_empty() {
            return;
        }
        if let Measure::Signal(signal) = measure {
            tracing::warn!(
                "{} child(ren) of generation {} have not finished in time, sending {signal}",
                ids.len(),
                generation.0
            );
        }
        if before == Some(Measure::Signal(Signal::KILL)) {
            self.kill_zygotes(generation);
        }
        for id in ids {
            self.apply(id, measure);
        }
        if let Some(after) = after {
            self.world.arm(Timer::Patience(generation), now + after);
        }
    }

    /// A worker has ended: the generation of its zygote, which may be another one than its pool's, may have no more.
    pub(super) fn parent_retired(&mut self, now: Duration, worker: &Worker) {
        if let Some(group) = worker.zygote.and_then(|id| self.generations.group_of(id)) {
            self.retired(now, group.generation);
        }
    }

    /// A process of a generation has ended: if it retires and that was the last one, it is gone.
    pub(super) fn retired(&mut self, now: Duration, generation: Generation) {
        let Some(known) = self.generations.find(generation) else {
            return;
        };
        if self.state != State::Normal || known.standing != Standing::Retiring || !known.is_empty()
        {
            return;
        }
        let zygotes: Vec<_> = known.zygotes().map(|zygote| zygote.id).collect();
        let is_parent = |worker: &Worker| worker.zygote.is_some_and(|id| zygotes.contains(&id));
        if self.roster.iter().any(|(_, worker)| is_parent(worker)) {
            return;
        }
        for zygote in &zygotes {
            self.world.arm(Timer::Overdue(*zygote), now + ZYGOTE);
        }
        if zygotes.is_empty() && generation != self.generations.serving().number {
            tracing::debug!("generation {} has ended", generation.0);
            self.generations.remove(generation);
            // It may have ended before the reload was over.
            self.world.close_sockets(generation);
            self.world.retire(generation);
            self.go_on_if_held(now);
        }
    }
}
