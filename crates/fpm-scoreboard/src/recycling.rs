//! Workers that have served their share, and how many of them may end at once.
//!
//! A changer must know: there is no count that a killed worker could leave wrong. Each marks its slot, which the master clears,
//! and looks how many others are marked.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::departure::Departure;
use crate::layout::{control, header};
use crate::pool::PoolBoard;

impl PoolBoard {
    /// Tells whether the worker of a slot, which has served its share, may end because fewer than `most` others do. If so it is
    /// counted until its slot is free. For the worker.
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn may_recycle(&self, slot: u32, most: u32) -> bool {
        let own = self.slot(slot).control(control::RECYCLES);
        // Of two that mark themselves at the same time at least one sees the other: sequentially consistent.
        own.store(1, SeqCst);
        let marked = (0..self.slots()).map(|slot| self.slot(slot).control(control::RECYCLES));
        let marked: u64 = marked.map(|mark| mark.load(SeqCst)).sum();
        let may = marked <= u64::from(most);
        if !may {
            own.store(0, SeqCst);
        }
        may
    }

    /// Notes why the worker of a slot has served its share. For the worker.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn note_spent(&self, slot: u32, reason: Departure) {
        self.slot(slot)
            .control(control::SPENT)
            .store(reason.number(), Relaxed);
    }

    /// Counts a worker that is replaced because of `pm.max_memory`. For the worker.
    pub fn count_outgrown(&self) {
        self.header(header::OUTGROWN).fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::board::Board;
    use crate::counters::Counters;

    #[test]
    fn so_many_may_end_at_once() {
        let board = Board::create().unwrap();
        let (_, pool) = board.add_pool(3, &Counters::default()).unwrap();
        let [one, two, three] = [0, 1, 2];
        assert!(!pool.may_recycle(one, 0));
        assert!(pool.may_recycle(one, 2));
        assert!(pool.may_recycle(one, 2), "asking again changes nothing");
        assert!(pool.may_recycle(two, 2));
        assert!(!pool.may_recycle(three, 2));
        pool.release(one);
        assert!(pool.may_recycle(three, 2));
        pool.count_outgrown();
        assert_eq!(pool.totals().counters.outgrown, 1);
    }
}
