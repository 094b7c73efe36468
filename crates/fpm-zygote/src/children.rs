//! Which process is which worker.

use std::collections::BTreeMap;

use fpm_channel::WorkerId;
use nix::unistd::Pid;

/// The workers that were forked and have not been reaped: their process ids cannot be anybody else's.
#[derive(Debug, Default)]
pub(crate) struct Children {
    workers: BTreeMap<Pid, WorkerId>,
}

impl Children {
    pub(crate) fn add(&mut self, pid: Pid, worker: WorkerId) {
        self.workers.insert(pid, worker);
    }

    /// Forgets a process that was reaped; `None` for a child that was no worker (of an extension, say).
    pub(crate) fn remove(&mut self, pid: Pid) -> Option<WorkerId> {
        self.workers.remove(&pid)
    }

    /// Returns the process of a worker, unless it was reaped.
    pub(crate) fn process(&self, worker: WorkerId) -> Option<Pid> {
        self.workers
            .iter()
            .find_map(|(&pid, &known)| (known == worker).then_some(pid))
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
        let (pid, worker) = (Pid::from_raw(100), WorkerId(7));
        children.add(pid, worker);
        assert_eq!(children.process(worker), Some(pid));
        assert_eq!(children.remove(Pid::from_raw(101)), None);
        assert_eq!(children.remove(pid), Some(worker));
        assert_eq!(children.process(worker), None);
        assert!(children.is_empty());
    }
}
