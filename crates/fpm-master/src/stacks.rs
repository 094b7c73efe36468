//! Commands that want to know what workers are doing, and the answers that they still wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_control::{Doing, WorkerStack};

use crate::event::CallerId;

/// What commands have asked, and not been answered.
#[derive(Debug, Default)]
pub(crate) struct Inquiries {
    open: Vec<Inquiry>,
}

/// What one of them has asked.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// Who.
    pub(crate) caller: CallerId,
    /// Until when it waits.
    until: Duration,
    /// What is known; [`Doing::Unknown`] of those that have not answered.
    stacks: Vec<WorkerStack>,
    /// Where the answers of the workers belong that have not answered.
    missing: BTreeMap<WorkerId, usize>,
}

impl Inquiry {
    /// A command asks, and waits `until` then.
    pub(crate) fn new(caller: CallerId, until: Duration) -> Inquiry {
        Inquiry {
            caller,
            until,
            stacks: Vec::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Notes what is known of a worker.
    pub(crate) fn know(&mut self, stack: WorkerStack) {
        self.stacks.push(stack);
    }

    /// Notes a worker that was asked.
    pub(crate) fn await_answer(&mut self, worker: WorkerId, pool: String, pid: i32) {
        self.missing.insert(worker, self.stacks.len());
        self.stacks.push(WorkerStack {
            pool,
            pid,
            doing: Doing::Unknown,
        });
    }

    /// Tells whether there is nothing to wait for.
    pub(crate) fn is_answered(&self) -> bool {
        self.missing.is_empty()
    }

    /// Returns what has become known.
    pub(crate) fn into_stacks(self) -> Vec<WorkerStack> {
        self.stacks
    }
}

impl Inquiries {
    /// Takes in one that has to wait.
    pub(crate) fn add(&mut self, inquiry: Inquiry) {
        self.open.push(inquiry);
    }

    /// A worker says what it is doing; returns the inquiries that need no more.
    pub(crate) fn answer(&mut self, worker: WorkerId, doing: &Doing) -> Vec<Inquiry> {
        for inquiry in &mut self.open {
            if let Some(place) = inquiry.missing.remove(&worker) {
                inquiry.stacks[place].doing = doing.clone();
            }
        }
        let done = self.open.extract_if(.., |inquiry| inquiry.is_answered());
        done.collect()
    }

    /// Returns when the next one has waited long enough.
    pub(crate) fn next_end(&self) -> Option<Duration> {
        self.open.iter().map(|inquiry| inquiry.until).min()
    }

    /// Takes those out that have waited long enough.
    pub(crate) fn take_overdue(&mut self, now: Duration) -> Vec<Inquiry> {
        let overdue = self.open.extract_if(.., |inquiry| inquiry.until <= now);
        overdue.collect()
    }

    /// A command has hung up.
    pub(crate) fn forget(&mut self, caller: CallerId) {
        self.open.retain(|inquiry| inquiry.caller != caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry(caller: u64, workers: &[u64]) -> Inquiry {
        let mut inquiry = Inquiry::new(CallerId(caller), Duration::from_secs(caller));
        for worker in workers {
            let pid = i32::try_from(*worker).unwrap();
            inquiry.await_answer(WorkerId(*worker), "www".to_owned(), pid);
        }
        inquiry
    }

    #[test]
    fn an_inquiry_is_over_when_everybody_has_answered() {
        let mut inquiries = Inquiries::default();
        inquiries.add(inquiry(1, &[1, 2]));
        inquiries.add(inquiry(2, &[2]));
        let done = inquiries.answer(WorkerId(2), &Doing::Nothing);
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].caller, CallerId(2));
        assert!(inquiries.answer(WorkerId(2), &Doing::Unknown).is_empty());
        let mut done = inquiries.answer(WorkerId(1), &Doing::Nothing);
        let stacks = done.remove(0).into_stacks();
        assert!(stacks.iter().all(|stack| stack.doing == Doing::Nothing));
        assert_eq!(inquiries.next_end(), None);
    }

    #[test]
    fn who_does_not_answer_is_unknown_and_who_hangs_up_forgotten() {
        let mut inquiries = Inquiries::default();
        inquiries.add(inquiry(1, &[1, 2]));
        inquiries.add(inquiry(2, &[1]));
        inquiries.forget(CallerId(2));
        assert!(inquiries.answer(WorkerId(1), &Doing::Nothing).is_empty());
        let mut overdue = inquiries.take_overdue(Duration::from_secs(1));
        let stacks = overdue.remove(0).into_stacks();
        let doing: Vec<_> = stacks.into_iter().map(|stack| stack.doing).collect();
        assert_eq!(doing, [Doing::Nothing, Doing::Unknown]);
    }

    #[test]
    fn each_waits_for_its_own_time() {
        let mut inquiries = Inquiries::default();
        inquiries.add(inquiry(2, &[1]));
        inquiries.add(inquiry(1, &[1]));
        assert_eq!(inquiries.next_end(), Some(Duration::from_secs(1)));
        let overdue = inquiries.take_overdue(Duration::from_secs(1));
        assert_eq!((overdue.len(), overdue[0].caller), (1, CallerId(1)));
        assert_eq!(inquiries.next_end(), Some(Duration::from_secs(2)));
    }
}
