//! The workers the master knows, by their id and by their process.
//!
//! Rule: a worker is on the roster from the moment it is asked for until its end is known; its slot is taken for as long.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fpm_channel::{SlotIndex, WorkerId};
use fpm_conf::PoolIndex;
use nix::unistd::Pid;

use crate::event::ZygoteId;

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its pool.
    pub pool: PoolIndex,
    /// Its slot.
    pub slot: SlotIndex,
    /// Its parent; `None` for an orphan, which is a child of the master.
    pub zygote: Option<ZygoteId>,
    /// Its process; `None` until it is reported. Set through [`Roster::identify`] only.
    pub pid: Option<Pid>,
    /// When it was asked for, then when it was reported.
    pub since: Duration,
    /// Why it was asked for.
    pub reason: Reason,
    /// Whether it was told to leave.
    pub leaving: Option<Leaving>,
}

/// Why a worker is forked; decides how loudly its start is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The process manager wants it.
    Demand,
    /// Another one ended.
    Replacement,
}

/// Why a worker was told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The process manager has no use for it: it gets no replacement.
    Retired,
    /// It is an orphan of a dead zygote: a worker of the new one takes its place.
    Replaced,
}

/// All workers.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    workers: BTreeMap<WorkerId, Worker>,
    by_pid: HashMap<Pid, WorkerId>,
    last_id: u64,
}

impl Roster {
    /// Takes in a worker and names it.
    pub fn add(&mut self, worker: Worker) -> WorkerId {
        self.last_id += 1;
        let id = WorkerId(self.last_id);
        if let Some(pid) = worker.pid {
            self.by_pid.insert(pid, id);
        }
        self.workers.insert(id, worker);
        id
    }

    /// Takes note of a worker's process and of the time at which it was reported.
    pub fn identify(&mut self, id: WorkerId, pid: Pid, now: Duration) -> Option<&mut Worker> {
        let worker = self.workers.get_mut(&id)?;
        worker.pid = Some(pid);
        worker.since = now;
        self.by_pid.insert(pid, id);
        Some(worker)
    }

    /// Strikes a worker off.
    pub fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        if let Some(pid) = worker.pid {
            self.by_pid.remove(&pid);
        }
        Some(worker)
    }

    /// Finds a worker by its process.
    #[must_use]
    pub fn by_pid(&self, pid: Pid) -> Option<WorkerId> {
        self.by_pid.get(&pid).copied()
    }

    /// Returns a worker.
    #[must_use]
    pub fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// Returns a worker to be changed.
    pub fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    /// Returns all workers, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (WorkerId, &Worker)> {
        self.workers.iter().map(|(id, worker)| (*id, worker))
    }

    /// Returns how many workers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }
}
