//! Asking a worker what it is doing while it is doing it.
//!
//! A busy worker reads nothing, its control socket included. So the question is a word of its slot, and whoever answers, a
//! thread of the worker, sleeps on that word.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use fpm_os::futex;

use crate::layout::control;
use crate::pool::PoolBoard;

impl PoolBoard {
    /// Asks the worker of a slot what it is doing, busy or not; it answers if it has a watchdog. For the master.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn ask_for_stack(&self, slot: u32) {
        let asked = self.slot(slot).control(control::ASKED);
        asked.fetch_add(1, Release);
        futex::wake(asked);
    }

    /// Returns how often the worker of a slot was asked what it is doing.
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn asked(&self, slot: u32) -> u64 {
        self.slot(slot).control(control::ASKED).load(Acquire)
    }

    /// Waits until the worker of a slot is asked what it is doing more often than `answered` times, for `longest` at most. May
    /// return earlier.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn wait_to_be_asked(&self, slot: u32, answered: u64, longest: Option<Duration>) {
        let asked = self.slot(slot).control(control::ASKED);
        futex::wait(asked, answered, longest);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use crate::board::Board;
    use crate::counters::Counters;

    #[test]
    fn a_question_reaches_whoever_waits_for_it_and_no_later_worker() {
        let board = Board::create().unwrap();
        let (region, pool) = board.add_pool(2, &Counters::default()).unwrap();
        let slot = 0;
        let elsewhere = board.map(region).unwrap();
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                while elsewhere.asked(slot) == 0 {
                    elsewhere.wait_to_be_asked(slot, 0, None);
                }
            });
            pool.ask_for_stack(slot);
            worker.join().unwrap();
        });
        assert_eq!((pool.asked(slot), pool.asked(1)), (1, 0));
        pool.release(slot);
        assert_eq!(pool.asked(slot), 0);
    }
}
