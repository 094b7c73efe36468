//! `pm = dynamic`: keeps the number of idle workers between `pm.min_spare_servers` and `pm.max_spare_servers`.
//!
//! Rule: under a lasting shortage every tick doubles the number of workers forked, up to `pm.max_spawn_rate`; a tick
//! without shortage starts again at 1. Better than the original in one point: a rate that is no power of two is not
//! overshot.

use fpm_conf::Pool;

use super::{Census, Decision, Notice, Step};

/// A shortage that has lasted until this rate is worth a warning.
const BUSY_RATE: u32 = 8;

/// State of a dynamic pool. `1 <= pressure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dynamic {
    start: u32,
    min_spare: u32,
    max_spare: u32,
    max_rate: u32,
    /// Doubles with each tick of a shortage until it is `max_rate` or more: that many workers are forked, and never more
    /// than `max_rate`.
    pressure: u32,
}

impl Dynamic {
    pub(super) fn new(pool: &Pool) -> Dynamic {
        Dynamic {
            start: pool.pm_start_servers,
            min_spare: pool.pm_min_spare_servers,
            max_spare: pool.pm_max_spare_servers,
            max_rate: pool.pm_max_spawn_rate,
            pressure: 1,
        }
    }

    /// `pm.start_servers`.
    pub(super) fn initial(&self) -> u32 {
        self.start
    }

    /// How many workers the next tick with a shortage forks at most.
    pub(super) fn rate(&self) -> u32 {
        self.pressure.min(self.max_rate)
    }

    pub(super) fn on_tick(&mut self, census: &Census, room: u32, max_children: u32) -> Decision {
        let missing = self.min_spare.saturating_sub(census.idle + census.starting);
        if missing == 0 {
            self.pressure = 1;
            let surplus = census.longest_idle.filter(|_| census.idle > self.max_spare);
            return Decision {
                step: surplus.map_or(Step::Keep, |idle| Step::Retire(idle.worker)),
                ..Decision::default()
            };
        }
        if room == 0 {
            self.pressure = 1;
            return Decision {
                notice: Some(Notice::MaxChildrenDynamic { max_children }),
                ..Decision::default()
            };
        }
        let rate = self.rate();
        let busy = Notice::SeemsBusy {
            rate,
            idle: census.idle,
            running: census.running + census.leaving,
        };
        let notice = (self.pressure >= BUSY_RATE).then_some(busy);
        if self.pressure < self.max_rate {
            self.pressure *= 2;
        }
        Decision {
            step: Step::Spawn(rate.min(missing).min(room)),
            notice,
            look_again: None,
        }
    }
}
