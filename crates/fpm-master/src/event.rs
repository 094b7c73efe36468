//! Everything that can happen to the master.
//!
//! Rule: the enum is closed and [`Master::on_event`](crate::master::Master::on_event) is its only consumer; together
//! they are the table of contents of the master.

use fpm_channel::worker::FromWorker;
use fpm_channel::{FromZygote, Generation, WorkerId};
use fpm_control::Request;
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, ExitStatus};
use serde::{Deserialize, Serialize};

use crate::group::GroupId;
use crate::pool::PoolId;
use crate::resting::RestingId;
use crate::upgrade::examination::Refusal;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A signal arrived for the master, any but SIGCHLD.
    Signal(Signal),
    /// The same, one that ends the daemon, from the service manager.
    ServiceStops(Signal),
    /// A zygote said something.
    Said(ZygoteId, FromZygote),
    /// A zygote hung up; all that it said before has been delivered.
    HungUp(ZygoteId),
    /// A worker said something; nothing of it can be relied upon.
    WorkerSaid(WorkerId, FromWorker),
    /// A command asks for something over the control socket.
    Asked(CallerId, Request),
    /// A command that was waiting for its answer has hung up.
    CallerGone(CallerId),
    /// The operator process wants to know how the daemon is.
    OperatorAsked,
    /// A child of the master ended: a zygote, a worker whose zygote is gone, or a process that some worker left behind.
    /// All that a zygote said before its end has been delivered.
    Reaped(Exit),
    /// A timer that was armed is due.
    Due(Timer),
    /// The program on disk was examined: whether it can take the place of this one.
    Examined(Result<(), Refusal>),
    /// A worker that leaves has left a kept connection, on which no request is under way.
    Rests(WorkerId, RestingId),
    /// Another master beside this one said something, or is gone.
    FromOther(FromOther),
    /// A connection arrived at the socket of a pool that wants to know ([`crate::world::World::connections_wanted`]).
    Connection(PoolId),
}

/// What another master beside this one tells, or tells by its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FromOther {
    /// The new one: it serves; its release.
    Serving(String),
    /// The new one has ended, and why as far as that is known.
    Ended(ExitStatus, Vec<String>),
    /// The old one is on its way out.
    Leaving,
    /// The old one has ended, in order or not.
    Gone,
}

/// A zygote, unique for the life of the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ZygoteId(pub(crate) u64);

/// A command that is connected to the control socket, unique for the life of the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct CallerId(pub(crate) u64);

/// What the master has timers for. Each value is one timer: arming it again moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// Once a second, for pools that are not static.
    Maintenance,
    /// The next look at the connections that wait for the pool.
    Look(PoolId),
    /// The next report to the service manager.
    Report,
    /// The next measure against workers that have not left.
    Escalate,
    /// The pool's workers died at start: try one again, or trust the one that was tried.
    Revive(PoolId),
    /// The pool's workers have crashed too often: look whether it has rested enough.
    Rest(PoolId),
    /// Forking failed: try again.
    Fork(GroupId),
    /// The group's zygote died or did not start: start another one.
    Restart(GroupId),
    /// The zygote should have ended by now.
    Overdue(ZygoteId),
    /// A command has waited long enough for what workers say of themselves.
    Stacks,
    /// The next look at the workers of pools with `request_terminate_timeout`.
    TimeLimits,
    /// The next look at the memory, for pools with `pm.max_children = auto`.
    Size,
    /// While a reload replaces workers: look how far they are.
    Turnover,
    /// The next measure against workers of a retiring generation that have not left.
    Patience(Generation),
    /// Another program takes the place of this one.
    HandOver,
    /// The other master should serve by now.
    Beside,
    /// Workers of which it is not known whether they were born before their zygote died.
    Unclaimed,
}
