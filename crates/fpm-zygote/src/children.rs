//! Which process is which worker.

use std::collections::BTreeMap;

use fpm_channel::{SlotIndex, WorkerId};
use fpm_conf::PoolIndex;
use nix::unistd::Pid;

/// The workers that were forked and have not been reaped: their process ids cannot be anybody else's.
#[derive(Debug, Default)]
pub(crate) struct Children {
    workers: BTreeMap<Pid, Child>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) worker: WorkerId,
    pub(crate) pool: PoolIndex,
    pub(crate) slot: SlotIndex,
}

impl Children {
    pub(crate) fn add(&mut self, pid: Pid, child: Child) {
        self.workers.insert(pid, child);
    }

    /// Forgets a process that was reaped; `None` for a child that was no worker (of an extension, say).
    pub(crate) fn remove(&mut self, pid: Pid) -> Option<Child> {
        self.workers.remove(&pid)
    }

    /// Returns the process of a worker, unless it was reaped.
    pub(crate) fn process(&self, worker: WorkerId) -> Option<Pid> {
        self.workers
            .iter()
            .find_map(|(&pid, known)| (known.worker == worker).then_some(pid))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaped_worker_has_no_process() {
        let mut children = Children::default();
        let pid = Pid::from_raw(100);
        let child = Child {
            worker: WorkerId(7),
            pool: PoolIndex(0),
            slot: SlotIndex(3),
        };
        children.add(pid, child);
        assert_eq!(children.process(child.worker), Some(pid));
        assert_eq!(children.remove(Pid::from_raw(101)), None);
        assert_eq!(children.remove(pid), Some(child));
        assert_eq!(children.process(child.worker), None);
        assert!(children.is_empty());
    }
}
