//! What the clients of a load saw, each for itself and all together.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;

use crate::Result;

/// A client that fails this often gives up: the load is broken, and the report is long enough.
pub(super) const MOST_FAILURES: usize = 50;

/// How many failures a message shows.
const SHOWN: usize = 10;

/// A request without its right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was sent, from the start of the load.
    pub at: Duration,
    /// What was wrong.
    pub what: String,
}

/// What all clients of a load saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Number of answers that were right.
    pub answers: u64,
    /// The longest that a client waited for one.
    pub longest: Duration,
    /// How often a kept connection was found closed before anything of the answer came; the request was sent again then, as web
    /// servers do.
    pub reopened: u64,
    /// All requests that had no right answer, the earliest first.
    pub failures: Vec<Failure>,
}

/// What one client saw.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answers: u64,
    pub(super) longest: Duration,
    pub(super) reopened: u64,
    pub(super) failures: Vec<Failure>,
}

/// How far all clients are, and whether they should end.
#[derive(Debug, Default)]
pub(super) struct Progress {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    answers: u64,
    /// What went wrong last.
    failure: Option<String>,
    is_stopped: bool,
}

impl LoadReport {
    /// Adds up.
    pub(super) fn of(outcomes: impl Iterator<Item = Outcome>) -> Self {
        let mut report = outcomes.fold(Self::default(), |mut sum, one| {
            sum.answers += one.answers;
            sum.longest = sum.longest.max(one.longest);
            sum.reopened += one.reopened;
            sum.failures.extend(one.failures);
            sum
        });
        report.failures.sort_by_key(|failure| failure.at);
        report
    }

    /// Makes sure that every request had its right answer.
    ///
    /// # Errors
    /// Fails with the first requests that had not.
    pub fn all_good(&self) -> Result<&Self> {
        let shown: Vec<String> = self
            .failures
            .iter()
            .take(SHOWN)
            .map(|failure| format!("{:?}: {}", failure.at, failure.what))
            .collect();
        ensure!(
            shown.is_empty(),
            "{} of {} requests failed:\n{}",
            self.failures.len(),
            self.answers + self.failures.len() as u64,
            shown.join("\n")
        );
        Ok(self)
    }
}

impl Progress {
    pub(super) fn answered(&self) {
        self.shared().answers += 1;
        self.changed.notify_all();
    }

    pub(super) fn failed(&self, what: &str) {
        self.shared().failure = Some(what.to_owned());
    }

    /// What went wrong last, if anything did.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared().failure.clone()
    }

    pub(super) fn answers(&self) -> u64 {
        self.shared().answers
    }

    /// Waits for so many answers in all, and returns how many there are.
    pub(super) fn wait_until(&self, answers: u64, patience: Duration) -> u64 {
        self.changed
            .wait_timeout_while(self.shared(), patience, |shared| shared.answers < answers)
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .answers
    }

    pub(super) fn stop(&self) {
        self.shared().is_stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.shared().is_stopped
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_added_up() {
        let one = |seconds, what: &str| Outcome {
            answers: 2,
            longest: Duration::from_secs(seconds),
            reopened: 1,
            failures: vec![Failure {
                at: Duration::from_secs(seconds),
                what: what.to_owned(),
            }],
        };
        let report = LoadReport::of([one(3, "late"), one(1, "early")].into_iter());
        assert_eq!((report.answers, report.reopened), (4, 2));
        assert_eq!(report.longest, Duration::from_secs(3));
        assert_eq!(report.failures[0].what, "early");
        let text = report.all_good().unwrap_err().to_string();
        assert_eq!(text, "2 of 6 requests failed:\n1s: early\n3s: late");
        assert!(LoadReport::default().all_good().is_ok());
    }
}
