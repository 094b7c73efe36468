//! The workers the master knows, by their id and by their process.
//!
//! Rule: a worker is on the roster from the moment it is asked for until its end is known; its slot is taken for as long.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fpm_channel::{SlotIndex, WorkerId};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::event::ZygoteId;
use crate::pool::PoolId;

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    /// Its pool.
    pub(crate) pool: PoolId,
    /// Its slot.
    pub(crate) slot: SlotIndex,
    /// Its parent; `None` for an orphan, which is a child of the master.
    pub(crate) zygote: Option<ZygoteId>,
    /// Its process; `None` until it is reported. Set through [`Roster::identify`] only.
    pub(crate) pid: Option<Pid>,
    /// When it was asked for, then when it was reported.
    pub(crate) since: Duration,
    /// Why it was asked for.
    pub(crate) reason: Reason,
    /// Whether it was told to leave, or is about to.
    pub(crate) leaving: Option<Leaving>,
}

/// Why a worker is forked; decides how loudly its start is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reason {
    /// The process manager wants it.
    Demand,
    /// Another one ended.
    Replacement,
    /// Its generation is to show that it can serve. Nobody has asked for it.
    Trial,
}

/// Why a worker was told to leave, or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Leaving {
    /// The process manager has no use for it: it gets no replacement.
    Retired,
    /// It is an orphan of a dead zygote: a worker of the new one takes its place.
    Replaced,
    /// It has served its share and ends by itself: it has been replaced.
    Spent,
    /// Its generation retires. It was told so then.
    Superseded(Duration),
}

/// All workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    workers: BTreeMap<WorkerId, Worker>,
    by_pid: HashMap<Pid, WorkerId>,
    last_id: u64,
}

impl Roster {
    /// Makes the roster of another program.
    pub(crate) fn recall(
        workers: impl Iterator<Item = (WorkerId, Worker)>,
        last_id: u64,
    ) -> Roster {
        let workers: BTreeMap<_, _> = workers.collect();
        let known = workers.iter();
        let by_pid = known.filter_map(|(id, worker)| Some((worker.pid?, *id)));
        Roster {
            by_pid: by_pid.collect(),
            workers,
            last_id,
        }
    }

    /// Returns the number of the name that was given last.
    pub(crate) fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Takes in a worker and names it.
    pub(crate) fn add(&mut self, worker: Worker) -> WorkerId {
        self.last_id += 1;
        let id = WorkerId(self.last_id);
        if let Some(pid) = worker.pid {
            self.by_pid.insert(pid, id);
        }
        self.workers.insert(id, worker);
        id
    }

    /// Takes note of a worker's process and of the time at which it was reported.
    pub(crate) fn identify(
        &mut self,
        id: WorkerId,
        pid: Pid,
        now: Duration,
    ) -> Option<&mut Worker> {
        let worker = self.workers.get_mut(&id)?;
        worker.pid = Some(pid);
        worker.since = now;
        self.by_pid.insert(pid, id);
        Some(worker)
    }

    /// Strikes a worker off.
    pub(crate) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        if let Some(pid) = worker.pid {
            self.by_pid.remove(&pid);
        }
        Some(worker)
    }

    /// Finds a worker by its process.
    pub(crate) fn by_pid(&self, pid: Pid) -> Option<WorkerId> {
        self.by_pid.get(&pid).copied()
    }

    /// Returns a worker.
    pub(crate) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// Returns a worker to be changed.
    pub(crate) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    /// Returns all workers, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (WorkerId, &Worker)> {
        self.workers.iter().map(|(id, worker)| (*id, worker))
    }

    /// Returns how many workers there are.
    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Tells whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }
}
