//! When a pool gets workers and when it gives some up: the decisions of static, dynamic and ondemand.
//!
//! Rule: everything here is a pure function of what is passed in. Time is the caller's (one [`ProcessManager::on_tick`] a
//! second), the forking too.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_perform_idle_server_maintenance`, `fpm_pctl_on_socket_accept`)

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool};

mod dynamic;
mod notice;
mod ondemand;
#[cfg(test)]
mod tests;

use dynamic::Dynamic;
pub(crate) use notice::Notice;
use ondemand::Ondemand;

/// The process manager of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessManager {
    /// Never more workers than this.
    max_children: u32,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Static,
    Dynamic(Dynamic),
    Ondemand(Ondemand),
}

/// The workers of a pool at the moment of a decision. `idle <= running`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Workers that live or are being forked, without those that were already told to leave.
    pub(crate) running: u32,
    /// Workers that were told to leave and have not gone yet; they still count for `pm.max_children`.
    pub(crate) leaving: u32,
    /// Those of `running` that wait for a connection.
    pub(crate) idle: u32,
    /// The one that has waited longest.
    pub(crate) longest_idle: Option<Idle>,
}

/// A worker that waits for a connection.
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
            kind,
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

    /// Tells whether there is anything to decide once a second.
    pub(crate) fn wants_ticks(&self) -> bool {
        !matches!(self.kind, Kind::Static)
    }

    /// Tells whether connections that wait concern the master ([`ProcessManager::on_connections`]).
    pub(crate) fn wants_connections(&self) -> bool {
        matches!(self.kind, Kind::Ondemand(_))
    }

    /// Decides what the maintenance, once a second, has to do.
    pub(crate) fn on_tick(&mut self, census: &Census) -> Decision {
        match &mut self.kind {
            Kind::Static => Decision::default(),
            Kind::Dynamic(dynamic) => {
                dynamic.on_tick(census, census.room(self.max_children), self.max_children)
            }
            Kind::Ondemand(ondemand) => ondemand.on_tick(census),
        }
    }

    /// Decides what `waiting` connections mean that no worker has accepted yet.
    pub(crate) fn on_connections(&mut self, census: &Census, waiting: u32) -> Decision {
        match &mut self.kind {
            Kind::Static | Kind::Dynamic(_) => Decision::default(),
            Kind::Ondemand(ondemand) => {
                let room = census.room(self.max_children);
                ondemand.on_connections(census, waiting, room, self.max_children)
            }
        }
    }
}
