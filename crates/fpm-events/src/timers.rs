//! Timers as a pure value: a moment and what is to be told then. Nothing here knows what time it is.
//!
//! A changer must know: a tree, not a heap, because timers are cancelled as often as they expire (every worker's
//! patience, every reload's) and a cancelled one must leave nothing behind.

use std::collections::BTreeMap;
use std::time::Duration;

/// Timers ordered by the moment at which they expire, and among equals by the order in which they were set.
#[derive(Clone, Debug)]
pub struct Timers<T> {
    pending: BTreeMap<TimerId, T>,
    next: u64,
}

/// One timer, to cancel it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId {
    /// Compared first: moments of the monotonic clock.
    deadline: Duration,
    /// Tells timers with the same deadline apart.
    serial: u64,
}

impl<T> Timers<T> {
    /// Returns an empty set.
    #[must_use]
    pub fn new() -> Timers<T> {
        Timers {
            pending: BTreeMap::new(),
            next: 0,
        }
    }

    /// Sets a timer that expires at `deadline`, a moment of the monotonic clock.
    pub fn set(&mut self, deadline: Duration, token: T) -> TimerId {
        let id = TimerId {
            deadline,
            serial: self.next,
        };
        self.next += 1;
        self.pending.insert(id, token);
        id
    }

    /// Cancels a timer and returns its token; `None` when it has expired or was cancelled before.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.pending.remove(&id)
    }

    /// Returns the moment at which the next timer expires.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.pending.first_key_value().map(|(id, _)| id.deadline)
    }

    /// Takes the next timer that has expired by `now`. A timer set meanwhile is taken too if it is due.
    pub fn expire(&mut self, now: Duration) -> Option<T> {
        let first = self.pending.first_entry()?;
        (first.key().deadline <= now).then(|| first.remove())
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers::new()
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_deadlines_expire_in_the_order_in_which_they_were_set() {
        let mut timers = Timers::new();
        let at = Duration::from_secs(1);
        for token in 0..3 {
            timers.set(at, token);
        }
        assert_eq!(timers.next_deadline(), Some(at));
        assert_eq!(timers.expire(at - Duration::from_nanos(1)), None);
        assert_eq!(
            iter::from_fn(|| timers.expire(at)).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(timers.next_deadline(), None);
    }

    /// A step in a timer's life.
    #[derive(Clone, Debug)]
    enum Step {
        Set(u64),
        Cancel(usize),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..50_u64).prop_map(Step::Set),
            any::<usize>().prop_map(Step::Cancel),
            (0..20_u64).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn timers_behave_as_an_unsorted_list_would(steps in vec(step(), 0..200)) {
            let mut timers = Timers::new();
            let mut ids = Vec::new();
            // Tokens are indices into `ids`; the model is a list of (deadline, token).
            let mut model: Vec<(u64, usize)> = Vec::new();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Set(delay) => {
                        let token = ids.len();
                        ids.push(timers.set(Duration::from_millis(now + delay), token));
                        model.push((now + delay, token));
                    }
                    Step::Cancel(any) if !ids.is_empty() => {
                        let token = any % ids.len();
                        let there = model.iter().position(|entry| entry.1 == token);
                        let cancelled = timers.cancel(ids[token]);
                        prop_assert_eq!(cancelled, there.map(|at| model.remove(at).1));
                    }
                    Step::Cancel(_) => {}
                    Step::Pass(time) => {
                        now += time;
                        let mut due: Vec<_> =
                            model.iter().copied().filter(|entry| entry.0 <= now).collect();
                        due.sort_unstable();
                        model.retain(|entry| entry.0 > now);
                        let expired: Vec<_> =
                            iter::from_fn(|| timers.expire(Duration::from_millis(now))).collect();
                        let due: Vec<_> = due.into_iter().map(|entry| entry.1).collect();
                        prop_assert_eq!(expired, due);
                    }
                }
                let next = model.iter().map(|entry| Duration::from_millis(entry.0)).min();
                prop_assert_eq!(timers.next_deadline(), next);
            }
        }
    }
}
