//! Another master beside this one: asked for, heard of, and what is done when one of the two goes.
//!
//! Rule: [`crate::company`] says what follows; here is who hears of it, and who is asked to do it.

use std::time::Duration;

use fpm_control::{Answer, Beside, Failure};
use fpm_os::signal::Signal;
use nix::unistd::Pid;

use super::{Master, Progress};
use crate::company::{Company, Happening, Leave, Step, Workers};
use crate::event::{CallerId, FromOther, Timer};
use crate::generation::Standing;
use crate::obituary::Ending;
use crate::reload::Phase;
use crate::state::State;
use crate::systemd;
use crate::world::World;

/// Another master may take this long until it serves: PHP starts in it, and preloading takes its time.
const START: Duration = Duration::from_secs(300);

/// The process of the init of a container.
const INIT: Pid = Pid::from_raw(1);

impl<W: World> Master<W> {
    /// This master was started beside another one.
    pub(crate) fn join(&mut self, elder: Pid) {
        self.company = Company::Elder(elder);
    }

    /// Starts another master beside this one. The answer comes when it serves, or does not.
    pub(super) fn begin_beside(&mut self, now: Duration, caller: CallerId) {
        let refusal = match self.company.may_upgrade() {
            Leave::Refused(pid) => Failure::TwoMasters(pid.as_raw()),
            _ if Pid::this() == INIT => Failure::Init,
            _ if self.progress != Progress::Serving || self.reload.phase() != Phase::None => {
                Failure::Busy
            }
            Leave::Granted | Leave::BringBack => match self.world.start_beside() {
                Ok(pid) => {
                    tracing::info!("another master is starting beside this one, process {pid}");
                    self.orders.await_beside(caller);
                    self.world.arm(Timer::Beside, now + START);
                    self.happens(now, Happening::Started(pid));
                    return;
                }
                Err(error) => {
                    tracing::error!("{error}");
                    Failure::NotBeside(vec![error.to_string()])
                }
            },
        };
        self.world.answer(caller, &Answer::Failed(refusal));
    }

    /// The other master says something, or is gone.
    pub(super) fn on_other(&mut self, now: Duration, said: FromOther) {
        let Some(pid) = self.company.other() else {
            return;
        };
        match said {
            FromOther::Serving(version) => {
                tracing::info!("fpmd {version} serves beside this master, process {pid}");
                self.happens(now, Happening::Serves);
                let (pid, before) = (pid.as_raw(), Pid::this().as_raw());
                self.answer_beside(&Answer::Beside {
                    pid,
                    before,
                    version,
                });
            }
            FromOther::Ended(status, causes) => {
                if let Company::Starting(_) = self.company {
                    let causes = causes.join("; ");
                    tracing::error!(
                        "the other master, process {pid}, did not start, this one goes on: {causes}"
                    );
                } else {
                    let ending = Ending(status);
                    tracing::info!(
                        "the other master, process {pid}, exited {ending}, this one goes on"
                    );
                }
                self.happens(now, Happening::YoungerGone);
                self.wind_down_if_empty(now);
                self.answer_beside(&Answer::Failed(Failure::NotBeside(causes)));
            }
            FromOther::Leaving => {
                tracing::info!("the old master, process {pid}, is on its way out");
                self.happens(now, Happening::ElderLeaves);
            }
            FromOther::Gone => {
                tracing::info!("the old master, process {pid}, is gone");
                self.happens(now, Happening::ElderGone);
            }
        }
    }

    /// The other master should serve by now.
    pub(super) fn on_beside_overdue(&mut self) {
        if let Company::Starting(pid) = self.company {
            tracing::error!(
                "the other master, process {pid}, does not serve after {} seconds, killing it",
                START.as_secs()
            );
            self.world.signal_child(pid, Signal::KILL);
        }
    }

    /// This master is about to end, and says so to whom it concerns. A service that is passed on does not stop.
    pub(super) fn announce_stop(&mut self, now: Duration) {
        self.happens(now, Happening::Leaves);
        if !matches!(self.company, Company::Successor(_)) {
            self.notify_stopping();
        }
    }

    /// The service manager ends the service by this signal: both masters are meant.
    pub(super) fn on_service_stop(&mut self, now: Duration, how: Signal) {
        self.happens_by(now, Happening::ServiceStops, how);
        self.on_signal(now, how);
    }

    /// Tells whether this master has to wait for the end of another one: with the main process's the service manager ends whatever
    /// is left of the service.
    pub(super) fn waits_for_other(&self) -> bool {
        matches!(self.company, Company::Companion(_))
    }

    /// Says no to the reload that was asked for.
    pub(super) fn refuse_reload(&mut self, other: Pid) {
        let failure = Failure::TwoMasters(other.as_raw());
        tracing::warn!("not reloading: {failure}");
        for caller in self.orders.next_refused() {
            self.world.answer(caller, &Answer::Failed(failure.clone()));
        }
    }

    /// Tells whether the workers were let go.
    pub(super) fn workers(&self) -> Workers {
        match self.generations.serving().standing {
            Standing::Retiring => Workers::LetGo,
            Standing::Coming | Standing::Serving => Workers::There,
        }
    }

    /// Tells which other master there is.
    pub(super) fn beside(&self) -> Option<Beside> {
        let pid = self.company.other()?.as_raw();
        Some(match self.company.is_old() {
            true => Beside::New(pid),
            false => Beside::Old(pid),
        })
    }

    fn happens(&mut self, now: Duration, happening: Happening) {
        self.happens_by(now, happening, Signal::TERM);
    }

    /// As [`Master::happens`]; whoever is ended with it is ended by this signal.
    fn happens_by(&mut self, now: Duration, happening: Happening, how: Signal) {
        let (company, steps) = self.company.after(happening);
        // Still in the company that they follow from: what is brought back is the old.
        for step in steps {
            self.take_step(now, *step, how);
        }
        self.company = company;
    }

    fn take_step(&mut self, now: Duration, step: Step, how: Signal) {
        match (step, self.company.other()) {
            (Step::TakeNamesBack, _) => self.world.take_names_back(),
            (Step::BringBack, _) => {
                if self.state == State::Normal && self.workers() == Workers::LetGo {
                    self.request_reload(now);
                }
            }
            (Step::Dismiss, Some(pid)) => {
                self.world.signal_child(pid, how);
                self.answer_beside(&Answer::Failed(Failure::Stopping));
            }
            (Step::PassOn, Some(pid)) => {
                if self.world.notify(&systemd::main_process(pid)).is_err() {
                    tracing::warn!("failed to notify the new main process to systemd");
                }
                self.world.pass_on();
            }
            (Step::BeMain, _) => {
                self.world.be_main();
                if self.progress == Progress::Serving && self.state == State::Normal {
                    self.notify_ready(now);
                }
            }
            (Step::ClearUp, _) => self.world.clear_up_after_elder(),
            // Both are steps of two masters.
            (Step::Dismiss | Step::PassOn, None) => {}
        }
    }

    fn answer_beside(&mut self, answer: &Answer) {
        if let Some(caller) = self.orders.beside_over() {
            self.world.answer(caller, answer);
        }
    }
}
