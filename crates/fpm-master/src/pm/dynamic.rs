//! `pm = dynamic`: keeps the number of idle workers between `pm.min_spare_servers` and `pm.max_spare_servers`.
//!
//! Rule: under a lasting shortage every tick doubles the number of workers forked, up to `pm.max_spawn_rate`; a tick
//! without shortage starts again at 1.

use fpm_conf::Pool;

use super::{Census, Decision, Notice, Step};

/// A shortage that has lasted until this rate is worth a warning.
const BUSY_RATE: u32 = 8;

/// State of a dynamic pool. `1 <= rate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dynamic {
    start: u32,
    min_spare: u32,
    max_spare: u32,
    max_rate: u32,
    /// How many workers the next tick with a shortage forks at most.
    rate: u32,
    /// Whether this saturation has been reported; cleared when workers could be forked again.
    reported: bool,
}

impl Dynamic {
    pub(super) fn new(pool: &Pool) -> Dynamic {
        Dynamic {
            start: pool.pm_start_servers,
            min_spare: pool.pm_min_spare_servers,
            max_spare: pool.pm_max_spare_servers,
            max_rate: pool.pm_max_spawn_rate,
            rate: 1,
            reported: false,
        }
    }

    /// `pm.start_servers`.
    pub(super) fn initial(&self) -> u32 {
        self.start
    }

    pub(super) fn on_tick(&mut self, census: &Census, room: u32, max_children: u32) -> Decision {
        let missing = self.min_spare.saturating_sub(census.idle);
        if missing == 0 {
            self.rate = 1;
            let surplus = census.longest_idle.filter(|_| census.idle > self.max_spare);
            let step = surplus.map_or(Step::Keep, |idle| Step::Retire(idle.worker));
            return Decision { step, notice: None };
        }
        if room == 0 {
            self.rate = 1;
            let first = !std::mem::replace(&mut self.reported, true);
            return Decision {
                step: Step::Keep,
                notice: first.then_some(Notice::MaxChildrenDynamic { max_children }),
            };
        }
        let busy = Notice::SeemsBusy {
            rate: self.rate,
            idle: census.idle,
            running: census.running + census.leaving,
        };
        let notice = (self.rate >= BUSY_RATE).then_some(busy);
        let count = self.rate.min(missing).min(room);
        self.reported = false;
        if self.rate < self.max_rate {
            self.rate *= 2;
        }
        Decision {
            step: Step::Spawn(count),
            notice,
        }
    }
}
