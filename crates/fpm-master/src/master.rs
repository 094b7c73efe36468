//! The master: what happens, and what follows from it.
//!
//! Rule: no processes, descriptors or clocks in here; what is to be done goes through [`World`], what happens comes in
//! as an [`Event`] with the time at which it happened. [`Master::on_event`] is the table of contents.
//!
//! Original: sapi/fpm/fpm/fpm_events.c, fpm_process_ctl.c, fpm_children.c

use std::collections::VecDeque;
use std::time::Duration;

use fpm_channel::FromZygote;
use fpm_conf::{Config, PoolIndex};
use fpm_os::signal::Signal;

use crate::company::Company;
use crate::emergency::Crashes;
use crate::error::MasterError;
use crate::event::{Event, Timer, ZygoteId};
use crate::generations::Generations;
use crate::journal::line;
use crate::orders::Orders;
use crate::pool::PoolId;
use crate::reload::Reload;
use crate::roster::Roster;
use crate::settings::Settings;
use crate::stacks::Inquiries;
use crate::state::{Escalation, State};
use crate::systemd::Reports;
use crate::world::World;

mod carrying;
mod company;
mod crash_budgets;
mod demand;
mod ends;
mod maintenance;
mod notifications;
mod orders;
mod pool_orders;
mod proof;
mod recycling;
mod reload;
mod reopening;
mod replacement;
mod resting;
mod retirement;
mod sizes;
mod stacks;
mod status;
mod stop;
#[cfg(test)]
mod tests;
mod time_limits;
mod upgrade;
mod words;
mod workers;
mod zygotes;

/// Everything the master knows.
#[derive(Debug)]
pub(crate) struct Master<W> {
    world: W,
    settings: Settings,
    generations: Generations,
    roster: Roster,
    state: State,
    escalation: Escalation,
    progress: Progress,
    reload: Reload,
    /// Pools that may still be served by workers of earlier generations, while a reload replaces those.
    replacing: VecDeque<PoolId>,
    orders: Orders,
    reports: Reports,
    time_limits: time_limits::Looks,
    inquiries: Inquiries,
    outcome: Option<Outcome>,
    /// Whether there is another master.
    company: Company,
    last_zygote: u64,
    /// Whether `process.max` stood in the way of a worker and that was reported.
    full_reported: bool,
    crashes: Crashes,
    /// The pool whose workers' memory is to be measured first at the next look, when it was not enough for all.
    measured_next: Option<PoolIndex>,
    /// Whether the timer of the next maintenance is armed.
    maintaining: bool,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A signal asked for it.
    Stopped,
    /// It never got as far as serving.
    Failed(MasterError),
}

/// How far the start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// PHP is starting in the zygotes.
    Launching,
    /// The first workers are being forked.
    Filling,
    /// `ready to handle connections` has been said.
    Serving,
}

impl<W: World> Master<W> {
    /// Sets up the master for a configuration; [`Master::start`] is what begins.
    pub(crate) fn new(config: &Config, world: W) -> Master<W> {
        Master {
            world,
            settings: Settings::new(&config.global),
            generations: Generations::first(config),
            roster: Roster::default(),
            state: State::Normal,
            escalation: Escalation::default(),
            progress: Progress::Launching,
            reload: Reload::default(),
            replacing: VecDeque::new(),
            orders: Orders::default(),
            reports: Reports::new(&config.global),
            time_limits: time_limits::Looks::default(),
            inquiries: Inquiries::default(),
            outcome: None,
            company: Company::Alone,
            last_zygote: 0,
            full_reported: false,
            crashes: Crashes::default(),
            measured_next: None,
            maintaining: false,
        }
    }

    /// Starts the zygotes of all groups.
    pub(crate) fn start(&mut self, now: Duration) {
        for group in self.generations.serving().group_ids() {
            self.start_zygote(now, group);
        }
    }

    /// Does all that follows from `event`, which happened at `now`.
    pub(crate) fn on_event(&mut self, now: Duration, event: Event) {
        match event {
            Event::Signal(signal) => self.on_signal(now, signal),
            Event::ServiceStops(signal) => self.on_service_stop(now, signal),
            Event::Said(zygote, said) => self.on_said(now, zygote, said),
            Event::HungUp(zygote) => self.on_hung_up(now, zygote),
            Event::WorkerSaid(worker, said) => self.on_worker_said(now, worker, &said),
            Event::Asked(caller, request) => self.on_asked(now, caller, &request),
            Event::CallerGone(caller) => {
                self.orders.forget(caller);
                self.inquiries.forget(caller);
            }
            Event::OperatorAsked => {
                let outline = self.outline();
                self.world.answer_operator(outline);
            }
            Event::Reaped(exit) => self.on_reaped(now, exit),
            Event::Due(timer) => self.on_due(now, timer),
            Event::FromOther(said) => self.on_other(now, said),
            Event::Examined(verdict) => self.on_examined(now, verdict),
            Event::Rests(worker, connection) => self.on_resting(worker, connection),
            Event::Connection(pool) => self.on_connection(now, pool),
        }
    }

    /// Returns how it ended, once it has.
    pub(crate) fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Returns the world, for the loop that waits for its events.
    pub(crate) fn world(&mut self) -> &mut W {
        &mut self.world
    }

    fn on_signal(&mut self, now: Duration, signal: Signal) {
        tracing::debug!("received {}", signal.name());
        match signal {
            Signal::TERM if self.is_term_graceful() => self.finish(now),
            Signal::TERM | Signal::INT => self.terminate(now),
            Signal::QUIT => self.finish(now),
            Signal::WINCH => self.rest(now),
            // What went wrong is in the log.
            Signal::USR1 => drop(self.reopen_logs()),
            Signal::USR2 | Signal::HUP => {
                tracing::info!("Reloading in progress ...");
                self.request_reload(now);
            }
            _ => {}
        }
    }

    fn on_said(&mut self, now: Duration, zygote: ZygoteId, said: FromZygote) {
        match said {
            FromZygote::Ready { php_version } => self.on_ready(now, zygote, &php_version),
            FromZygote::Failed { reason } => self.on_failed(now, zygote, reason),
            FromZygote::Spawned { worker, pid } => self.on_spawned(now, zygote, worker, pid),
            FromZygote::SpawnFailed { worker, errno } => {
                self.on_spawn_failed(now, zygote, worker, errno);
            }
            FromZygote::Exited {
                worker,
                pid: _,
                status,
            } => self.on_worker_ended(now, worker, status),
            FromZygote::Log { level, text } => line(level, format_args!("{text}")),
        }
    }

    fn on_due(&mut self, now: Duration, timer: Timer) {
        match timer {
            Timer::Maintenance => self.maintain(now),
            Timer::Look(pool) => self.look_again(now, pool),
            Timer::Report => self.report(now),
            Timer::Size => self.size_pools(now),
            Timer::Escalate => self.escalate(now),
            Timer::Revive(pool) => self.revive(now, pool),
            Timer::Rest(pool) => self.end_rest(now, pool),
            Timer::Fork(group) => self.fork_again(now, group),
            Timer::Restart(group) => self.start_zygote(now, group),
            Timer::Overdue(zygote) => self.on_overdue(zygote),
            Timer::HandOver => self.hand_over(now),
            Timer::Beside => self.on_beside_overdue(),
            Timer::Unclaimed => self.clear_up(now),
            Timer::Stacks => self.end_inquiries(now),
            Timer::TimeLimits => self.check_time_limits(now),
            Timer::Turnover => self.proceed(now),
            Timer::Patience(generation) => self.on_impatience(now, generation),
        }
    }
}
