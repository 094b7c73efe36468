//! A reload that finds another program on disk: it is examined, and takes the place of this one if it is good.
//!
//! Rule: nothing of what serves is touched before the program has passed. What is handed over is [`Decided`]; the other program
//! begins with [`Master::adopted`] and [`Master::resume`], and then reloads.

use std::time::Duration;

use fpm_conf::Config;
use fpm_control::{Answer, Failure};
use nix::unistd::Pid;

use super::{Master, Progress};
use crate::company::Leave;
use crate::event::{CallerId, Timer};
use crate::generation::{Generation, Standing, Zygote};
use crate::generations::Generations;
use crate::pool::{PoolAtWork, Service};
use crate::reload::Phase;
use crate::roster::{Leaving, Reason, Roster, Worker};
use crate::state::{Measure, State};
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::{Decided, KnownGeneration, KnownWorker, KnownZygote};
use crate::world::{Examination, OnDisk, World};

impl<W: World> Master<W> {
    /// Puts the program on disk in the place of this one, as a reload does, if it is another one.
    pub(super) fn upgrade(&mut self, now: Duration, caller: CallerId) {
        if let Leave::Refused(pid) = self.company.may_upgrade() {
            let failure = Failure::TwoMasters(pid.as_raw());
            self.world.answer(caller, &Answer::Failed(failure));
            return;
        }
        let failure = match self.world.on_disk() {
            OnDisk::Same => Failure::SameProgram,
            OnDisk::Nothing(path) => Failure::NoProgram(path),
            OnDisk::Other => {
                self.orders.await_reload(caller);
                self.request_reload(now);
                return;
            }
        };
        self.world.answer(caller, &Answer::Failed(failure));
    }

    /// Has the program on disk examined if it is another one; tells whether the reload has to wait for that.
    pub(super) fn examine(&mut self, now: Duration) -> bool {
        match self.world.examine() {
            Ok(Examination::Unneeded) => return false,
            Ok(Examination::Begun) => {
                tracing::info!("the program on disk is another one, examining it");
                self.reload.enter(Phase::Examining);
            }
            Err(refusal) => self.refuse(now, &refusal),
        }
        true
    }

    /// The examination is over.
    pub(super) fn on_examined(&mut self, now: Duration, verdict: Result<(), Refusal>) {
        if self.reload.phase() != Phase::Examining {
            return;
        }
        match verdict {
            // Whatever has happened besides is taken in first: it would not be told again.
            Ok(()) => self.world.arm(Timer::HandOver, now),
            Err(refusal) => self.refuse(now, &refusal),
        }
    }

    /// Lets the other program take the place of this one.
    pub(super) fn hand_over(&mut self, now: Duration) {
        if self.reload.phase() != Phase::Examining {
            return;
        }
        let decided = self.decided();
        let error = self.world.hand_over(decided, &self.orders.waiting());
        tracing::error!("{error}");
        self.reload_failed(now, Failure::Reload(error.to_string()));
    }

    fn refuse(&mut self, now: Duration, refusal: &Refusal) {
        let cause = format!("the program on disk is not put to work: {refusal}");
        tracing::error!("{cause}");
        self.reload_failed(now, Failure::Reload(cause));
    }

    /// Returns all that the next program has to know.
    fn decided(&self) -> Decided {
        let generations = self.generations.numbers();
        let generations = generations
            .into_iter()
            .map(|number| self.generations.get(number));
        let workers = self.roster.iter().map(|(id, worker)| KnownWorker {
            id,
            pool: worker.pool,
            slot: worker.slot,
            zygote: worker.zygote,
            pid: worker.pid.map(Pid::as_raw),
            since: worker.since,
            reason: worker.reason,
            leaving: worker.leaving,
        });
        Decided {
            serving: self.generations.serving().number,
            last_generation: self.generations.last(),
            last_zygote: self.last_zygote,
            last_worker: self.roster.last_id(),
            generations: generations.map(known).collect(),
            workers: workers.collect(),
        }
    }

    /// Goes on where another program has left off; [`Master::resume`] is what begins. `configs` are those of the generations.
    pub(crate) fn adopted(decided: &Decided, configs: &[&Config], world: W) -> Master<W> {
        let generations = decided.generations.iter().zip(configs);
        let generations = generations.map(|(known, config)| recalled(known, config));
        let generations = Generations::recall(
            generations.collect(),
            decided.serving,
            decided.last_generation,
        );
        let serving = configs
            .iter()
            .zip(&decided.generations)
            .find(|(_, known)| known.number == decided.serving);
        let (serving, _) = serving.expect("the state was checked: one of the generations serves");
        let mut master = Master::new(serving, world);
        master.generations = generations;
        master.progress = Progress::Serving;
        master.last_zygote = decided.last_zygote;
        for known in &decided.workers {
            let pool = master.generations.pool_mut(known.pool);
            pool.take(known.slot, known.id);
            pool.spent += u32::from(known.leaving == Some(Leaving::Spent));
        }
        let workers = decided.workers.iter().map(|known| {
            let worker = Worker {
                pool: known.pool,
                slot: known.slot,
                zygote: known.zygote,
                pid: known.pid.map(Pid::from_raw),
                since: known.since,
                reason: known.reason,
                leaving: known.leaving,
            };
            (known.id, worker)
        });
        master.roster = Roster::recall(workers, decided.last_worker);
        master
    }

    /// Takes up what the program before was about, then does what it was asked for: reload.
    /// `waiting` are the commands that wait for that.
    pub(crate) fn resume(&mut self, now: Duration, decided: &Decided, waiting: &[CallerId]) {
        for caller in waiting {
            self.orders.await_reload(*caller);
        }
        tracing::info!(
            "taken over: generation {} and {} child(ren), pid {}",
            decided.serving.0,
            decided.workers.len(),
            Pid::this()
        );
        self.clear_up(now);
        for known in &decided.generations {
            match known.standing {
                Standing::Retiring => self.go_on_retiring(now, known),
                Standing::Coming | Standing::Serving => self.go_on_serving(now, known),
            }
        }
        self.check_time_limits(now);
        self.schedule_maintenance(now);
        self.schedule_sizing(now);
        self.request_reload(now);
    }

    fn go_on_serving(&mut self, now: Duration, known: &KnownGeneration) {
        let serving = self.generations.get(known.number);
        let (pools, groups): (Vec<_>, Vec<_>) =
            (serving.pool_ids().collect(), serving.group_ids().collect());
        for (pool, missing) in pools.into_iter().zip(&known.missing) {
            if self.generations.pool(pool).manager.wants_connections() {
                self.world.connections_wanted(pool);
            }
            self.want(now, pool, Reason::Demand, *missing);
        }
        for group in groups {
            self.start_zygote(now, group);
            self.pump(now, group);
        }
    }

    fn go_on_retiring(&mut self, now: Duration, known: &KnownGeneration) {
        let patience = match known.escalation.last() {
            None | Some(Measure::Drain) => self.settings.timeout(State::Normal),
            Some(Measure::Signal(_)) => Duration::from_secs(1),
        };
        if !patience.is_zero() {
            self.world
                .arm(Timer::Patience(known.number), now + patience);
        }
        self.retired(now, known.number);
    }
}

/// Describes a generation.
fn known(generation: &Generation) -> KnownGeneration {
    let groups = generation.groups.iter();
    let zygotes = groups.map(|group| {
        group.zygote.map(|zygote| KnownZygote {
            id: zygote.id,
            pid: zygote.pid.as_raw(),
            since: zygote.since,
            phase: zygote.phase,
            outstanding: zygote.outstanding,
        })
    });
    KnownGeneration {
        number: generation.number,
        standing: generation.standing,
        escalation: generation.escalation,
        zygotes: zygotes.collect(),
        missing: generation.pools.iter().map(missing).collect(),
        services: generation.pools.iter().map(lasting).collect(),
        sizes: generation.pools.iter().map(PoolAtWork::size).collect(),
    }
}

/// Counts the workers that a pool has still to get.
fn missing(pool: &PoolAtWork) -> u32 {
    let waiting = pool.queued + pool.births.missing;
    let there = u32::try_from(pool.workers().count()).unwrap_or(u32::MAX);
    waiting.max(pool.target.saturating_sub(there))
}

/// Makes a generation as it was described.
fn recalled(known: &KnownGeneration, config: &Config) -> Generation {
    let mut generation = Generation::new(known.number, config);
    generation.standing = known.standing;
    generation.escalation = known.escalation;
    let sizes = known.services.iter().zip(&known.sizes);
    for (pool, (service, size)) in generation.pools.iter_mut().zip(sizes) {
        pool.service = *service;
        pool.recall_size(*size);
    }
    for (group, zygote) in generation.groups.iter_mut().zip(&known.zygotes) {
        group.zygote = zygote.map(|known| Zygote {
            id: known.id,
            pid: Pid::from_raw(known.pid),
            since: known.since,
            phase: known.phase,
            outstanding: known.outstanding,
        });
    }
    generation
}

/// Returns what of a pool's service outlives the program: a rest does not, for a reload follows.
fn lasting(pool: &PoolAtWork) -> Service {
    match pool.service {
        Service::Open | Service::Resting => Service::Open,
        Service::Drained => Service::Drained,
    }
}
