//! When a pool gets workers and when it gives some up: the decisions of static, dynamic and ondemand.
//!
//! Rule: everything here is a pure function of what is passed in. Time is the caller's (one [`ProcessManager::on_tick`] a
//! second, a look at the queue when a connection arrives or a decision asks for it), the forking too.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_perform_idle_server_maintenance`, `fpm_pctl_on_socket_accept`)

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool};

mod dynamic;
mod looks;
mod notice;
mod ondemand;
#[cfg(test)]
mod tests;

use dynamic::Dynamic;
pub(crate) use looks::{Arrival, Look, Looks};
pub(crate) use notice::{Account, Notice};
use ondemand::Ondemand;

/// The process manager of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessManager {
    /// Never more workers than this.
    max_children: u32,
    /// Whether anybody wants to hear that the limit was reached; nobody does of the pool behind `pm.status_listen`.
    saturation: Saturation,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Static,
    Dynamic(Dynamic),
    Ondemand(Ondemand),
}

/// Whether `pm.max_children` stands in the way; it is reported once until a worker could be forked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saturation {
    /// Reaching the limit is news.
    News,
    /// It was reported.
    Reported,
    /// It is never reported.
    Secret,
}

/// The workers of a pool at the moment of a decision. `starting + idle <= running`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Workers that live or are being forked, without those that were already told to leave.
    pub(crate) running: u32,
    /// Workers that were told to leave and have not gone yet; they still count for `pm.max_children`.
    pub(crate) leaving: u32,
    /// Those of `running` that have not got as far as accepting connections.
    pub(crate) starting: u32,
    /// Those of `running` that wait for a connection. One that holds a kept connection is not among them: it waits for
    /// that client's next request and takes nobody else's.
    pub(crate) idle: u32,
    /// The idle one that has waited longest.
    pub(crate) longest_idle: Option<Idle>,
    /// The one that has rested longest on a kept connection.
    pub(crate) longest_resting: Option<Idle>,
    /// Requests that all workers of the pool have accepted so far.
    pub(crate) accepted: u64,
}

/// A worker that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Idle {
    /// Which one.
    pub(crate) worker: WorkerId,
    /// For how long it has been waiting.
    pub(crate) since: Duration,
}

/// What is to be done, and what the log says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// What is to be done.
    pub(crate) step: Step,
    /// What the log says.
    pub(crate) notice: Option<Notice>,
    /// After what time the queue is to be looked at again ([`Look::Again`]).
    pub(crate) look_again: Option<Duration>,
}

/// One step of a process manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// All is well.
    #[default]
    Keep,
    /// Fork this many workers more; never 0.
    Spawn(u32),
    /// Let this idle worker go.
    Retire(WorkerId),
    /// Let all workers go that have been idle, or resting, for longer than this.
    RetireIdle(Duration),
}

impl Idle {
    /// Returns the one of two that has waited longer.
    pub(crate) fn longer(known: Option<Idle>, other: Idle) -> Option<Idle> {
        Some(
            known
                .filter(|known| known.since >= other.since)
                .unwrap_or(other),
        )
    }
}

impl Census {
    /// How many workers may still be forked.
    fn room(&self, max_children: u32) -> u32 {
        max_children.saturating_sub(self.running + self.leaving)
    }
}

impl ProcessManager {
    /// Makes the process manager that `pool` is configured for.
    pub(crate) fn new(pool: &Pool) -> ProcessManager {
        let kind = match pool.pm {
            Pm::Static => Kind::Static,
            Pm::Dynamic => Kind::Dynamic(Dynamic::new(pool)),
            Pm::Ondemand => Kind::Ondemand(Ondemand::new(pool)),
        };
        ProcessManager {
            max_children: pool.pm_max_children,
            saturation: match pool.status_of {
                None => Saturation::News,
                Some(_) => Saturation::Secret,
            },
            kind,
        }
    }

    /// Changes `pm.max_children`.
    pub(crate) fn set_max_children(&mut self, max_children: u32) {
        self.max_children = max_children;
        if self.saturation == Saturation::Reported {
            self.saturation = Saturation::News;
        }
    }

    /// Returns how many workers the pool starts with.
    pub(crate) fn initial(&self) -> u32 {
        match &self.kind {
            Kind::Static => self.max_children,
            Kind::Dynamic(dynamic) => dynamic.initial().min(self.max_children),
            Kind::Ondemand(_) => 0,
        }
    }

    /// Tells whether there are always as many workers as there may be.
    pub(crate) fn is_static(&self) -> bool {
        self.kind == Kind::Static
    }

    /// Tells whether there is anything to decide once a second for a pool with so many workers.
    pub(crate) fn wants_ticks(&self, workers: usize) -> bool {
        match self.kind {
            Kind::Static => false,
            Kind::Dynamic(_) => true,
            Kind::Ondemand(_) => workers > 0,
        }
    }

    /// Tells whether connections that wait concern the master ([`ProcessManager::on_queue`]).
    pub(crate) fn wants_connections(&self) -> bool {
        matches!(self.kind, Kind::Ondemand(_))
    }

    /// Decides what the maintenance, once a second, has to do.
    pub(crate) fn on_tick(&mut self, census: &Census) -> Decision {
        let room = census.room(self.max_children);
        let decision = match &mut self.kind {
            Kind::Static => Decision::default(),
            Kind::Dynamic(dynamic) => dynamic.on_tick(census, room, self.max_children),
            Kind::Ondemand(ondemand) => ondemand.on_tick(census),
        };
        self.once(decision)
    }

    /// Decides what `waiting` connections mean that no worker has accepted yet.
    pub(crate) fn on_queue(&mut self, census: &Census, waiting: u32, look: Look) -> Decision {
        let room = census.room(self.max_children);
        let decision = match &mut self.kind {
            Kind::Static | Kind::Dynamic(_) => Decision::default(),
            Kind::Ondemand(ondemand) => {
                ondemand.on_queue(census, waiting, look, room, self.max_children)
            }
        };
        self.once(decision)
    }

    /// Returns what the log says of a tick at level debug.
    pub(crate) fn account(&self, census: &Census) -> Account {
        Account {
            active: census.running.saturating_sub(census.idle),
            spare: census.idle,
            forking: match &self.kind {
                Kind::Dynamic(dynamic) => Some((census.running + census.leaving, dynamic.rate())),
                Kind::Static | Kind::Ondemand(_) => None,
            },
        }
    }

    /// Lets a report of saturation through only once until a worker can be forked again.
    fn once(&mut self, mut decision: Decision) -> Decision {
        let full = decision.notice.is_some_and(|notice| notice.is_saturation());
        match (self.saturation, decision.step) {
            (Saturation::Reported, Step::Spawn(_)) => self.saturation = Saturation::News,
            (Saturation::News, _) if full => self.saturation = Saturation::Reported,
            (Saturation::Reported | Saturation::Secret, _) if full => decision.notice = None,
            _ => {}
        }
        decision
    }
}
