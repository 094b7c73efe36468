//! How long a worker serves before another one takes its place: `pm.max_requests`, `pm.max_memory`, and whose turn it is.
//!
//! Original: fcgi_finish_request in main/fastcgi.c, which knows `pm.max_requests` only.

use std::io;
use std::time::Duration;

use fpm_conf::Pool;
use fpm_os::own_memory::OwnMemory;
use fpm_scoreboard::{Departure, PoolBoard};

/// How much processor time may go by between two looks at the memory. Memory has to be zeroed before it can be had, so it cannot
/// grow by much more than a megabyte in this time; to look costs a twentieth of a short request.
const UNSEEN: Duration = Duration::from_micros(200);

/// What one worker is to serve.
#[derive(Debug)]
pub(crate) struct Share {
    /// `pm.max_requests` with its jitter; 0 means any number.
    requests: u32,
    /// `pm.max_memory`, and where to look.
    memory: Option<(u64, OwnMemory)>,
    /// Processor time since the memory was last found to be small enough; more than enough for a worker that never looked.
    unseen: Duration,
    /// How many workers may end at once.
    most: Option<u32>,
    board: PoolBoard,
    slot: u32,
    counted: Counted,
}

/// Whether the scoreboard knows that the worker has outgrown `pm.max_memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    No,
    Yes,
}

impl Share {
    /// Returns the share of the worker in this slot. Made before the worker changes its root directory; `seed` is different for
    /// workers that are forked together.
    ///
    /// # Errors
    /// When its memory cannot be looked at.
    pub(crate) fn new(pool: &Pool, board: PoolBoard, slot: u32, seed: u32) -> io::Result<Share> {
        let memory = match pool.pm_max_memory {
            0 => None,
            limit => Some((limit, OwnMemory::open()?)),
        };
        let most = pool.pm_max_recycling;
        Ok(Share {
            requests: requests(pool.pm_max_requests, pool.pm_max_requests_jitter, seed),
            memory,
            unseen: UNSEEN,
            // Nobody could ever end otherwise.
            most: most.map(|most| most.workers(pool.pm_max_children).max(1)),
            board,
            slot,
            counted: Counted::No,
        })
    }

    /// Tells, after a request that took so much processor time, whether the worker is to end now that it has served so many.
    pub(crate) fn is_over(&mut self, served: u32, cpu: Duration) -> bool {
        let outgrown = self.is_outgrown(cpu);
        if !outgrown && !(1..=served).contains(&self.requests) {
            return false;
        }
        let over = self
            .most
            .is_none_or(|most| self.board.may_recycle(self.slot, most));
        if over {
            let reason = match outgrown {
                true => Departure::MaxMemory,
                false => Departure::MaxRequests,
            };
            self.board.note_spent(self.slot, reason);
        }
        if over && outgrown && self.counted == Counted::No {
            self.counted = Counted::Yes;
            self.board.count_outgrown();
        }
        over
    }

    fn is_outgrown(&mut self, cpu: Duration) -> bool {
        let Some((limit, memory)) = &self.memory else {
            return false;
        };
        self.unseen += cpu;
        if self.unseen < UNSEEN {
            return false;
        }
        let outgrown = memory.used().is_ok_and(|used| used > *limit);
        if !outgrown {
            self.unseen = Duration::ZERO;
        }
        outgrown
    }
}

/// Returns how many requests a worker serves; 0 means any number.
fn requests(max: u32, jitter: u32, seed: u32) -> u32 {
    if max == 0 {
        return 0;
    }
    // Fibonacci hashing: numbers that follow each other, as process ids do, are spread.
    let spread = u64::from(seed.wrapping_mul(2_654_435_769));
    let more = (spread * (u64::from(jitter) + 1)) >> 32;
    max.saturating_add(u32::try_from(more).unwrap_or(jitter))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fpm_conf::Portion;
    use fpm_scoreboard::{Board, Counters};
    use proptest::prelude::*;

    use super::*;

    /// How long requests take, beside [`UNSEEN`].
    const SHORT: Duration = Duration::from_micros(20);
    const LONG: Duration = Duration::from_millis(1);

    fn share(pool: &Pool, board: &PoolBoard, slot: u32) -> Share {
        Share::new(pool, board.clone(), slot, 1).unwrap()
    }

    fn board() -> PoolBoard {
        let board = Board::create().unwrap();
        board.add_pool(4, &Counters::default()).unwrap().1
    }

    #[test]
    fn a_worker_without_limits_serves_on() {
        let mut share = share(&Pool::new("www", "9000"), &board(), 0);
        assert!(!share.is_over(1, LONG) && !share.is_over(u32::MAX, LONG));
    }

    #[test]
    fn a_worker_that_needs_more_memory_has_served_its_share() {
        let mut pool = Pool::new("www", "9000");
        let board = board();
        pool.pm_max_memory = 1 << 40;
        assert!(!share(&pool, &board, 0).is_over(1, LONG));
        assert_eq!(board.totals().counters.outgrown, 0);
        pool.pm_max_memory = 1;
        let mut share = share(&pool, &board, 0);
        assert!(share.is_over(1, SHORT) && share.is_over(2, SHORT));
        assert_eq!(board.totals().counters.outgrown, 1, "it is one worker");
    }

    #[test]
    fn memory_is_looked_at_when_it_can_have_grown() {
        let mut pool = Pool::new("www", "9000");
        pool.pm_max_memory = 1 << 40;
        let mut share = share(&pool, &board(), 0);
        assert!(!share.is_over(1, SHORT));
        share.memory.as_mut().unwrap().0 = 1;
        for served in 2..10 {
            assert!(!share.is_over(served, SHORT), "nothing can have changed");
        }
        assert!(share.is_over(10, LONG));
    }

    #[test]
    fn a_worker_waits_for_its_turn() {
        let mut pool = Pool::new("www", "9000");
        pool.pm_max_requests = 3;
        pool.pm_max_children = 4;
        pool.pm_max_recycling = Some(Portion::Percent(25));
        let board = board();
        let [mut one, mut two] = [0, 1].map(|slot| share(&pool, &board, slot));
        assert!(!one.is_over(2, LONG));
        assert!(one.is_over(4, LONG));
        assert!(!two.is_over(4, LONG));
        board.release(0);
        assert!(two.is_over(5, LONG));
    }

    #[test]
    fn workers_that_are_forked_together_end_apart() {
        let shares: BTreeSet<_> = (1000..1020).map(|pid| requests(500, 100, pid)).collect();
        assert!(shares.len() >= 15, "{shares:?}");
    }

    proptest! {
        #[test]
        fn jitter_is_added_within_its_limit(max: u32, jitter: u32, seed: u32) {
            let share = requests(max, jitter, seed);
            if max == 0 {
                prop_assert_eq!(share, 0);
            } else {
                prop_assert!(share >= max && share <= max.saturating_add(jitter));
            }
        }
    }
}
