//! `pm.max_children = auto`: how many workers the memory is enough for. A pure function of what was measured.
//!
//! Rule: down at once, up only when it has been the same story [`LOOKS`] times, and never more than twofold: the cost of
//! workers is known of those that have served only, and new ones become as large. A change of less than a tenth is none.

use std::fmt;

use fpm_conf::{AutoChildren, Pool, Reserve};

/// So many times in a row there must be room for more before there are more.
const LOOKS: u32 = 3;

/// Memory is short when something had to wait for it for this much of the last ten seconds, in per cent.
pub(crate) const SHORT: f32 = 10.0;

/// A worker costs at least this, in bytes: one that has only just begun to serve looks cheaper than it will be.
const LEAST: u64 = 1 << 20;

const MIB: u64 = 1 << 20;

/// What decides for one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizer {
    bounds: AutoChildren,
    reserve: Reserve,
    /// What a worker costs, in bytes; it sinks slowly, by half in about 180 looks. 0 before any has served.
    cost: u64,
    /// How many times in a row there was room for more.
    higher: u32,
}

/// The memory of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory {
    /// How much there is, in bytes.
    pub(crate) limit: u64,
    /// For how much of the last ten seconds something had to wait for it, in per cent.
    pub(crate) pressure: f32,
}

/// What workers take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// How many were measured.
    pub(crate) measured: u64,
    /// What they take together, in bytes.
    pub(crate) bytes: u64,
}

/// How things are for one pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Situation {
    /// `pm.max_children` now.
    pub(crate) children: u32,
    /// Workers there are.
    pub(crate) running: u32,
    /// What those of the pool take that have served.
    pub(crate) own: Footprint,
    /// What the workers of all pools take that have a fixed size, in bytes.
    pub(crate) others: u64,
    /// How many pools share what is left; never 0.
    pub(crate) pools: u64,
    /// The memory of all.
    pub(crate) memory: Memory,
}

/// A new `pm.max_children`, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// What it was.
    pub(crate) from: u32,
    /// What it is.
    pub(crate) to: u32,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Memory is short: no more than there are.
    Pressure {
        /// For how much of the last ten seconds something had to wait for it, in tenths of a per cent.
        waited: u32,
        running: u32,
        floor: u32,
    },
    /// So much fits.
    Fits {
        limit: u64,
        reserve: u64,
        others: u64,
        pools: u64,
        cost: u64,
        bounds: AutoChildren,
    },
}

impl Memory {
    /// Tells whether it is short.
    pub(crate) fn is_short(self) -> bool {
        self.pressure >= SHORT
    }
}

impl Footprint {
    /// Returns what the workers of several pools take together, of each what was measured and how many workers it has. Those of a
    /// pool that has not been measured yet are taken for as large as the others.
    pub(crate) fn together(pools: &[(Footprint, u64)]) -> u64 {
        let add = |all: Footprint, (one, _): &(Footprint, u64)| Footprint {
            measured: all.measured + one.measured,
            bytes: all.bytes.saturating_add(one.bytes),
        };
        let mean = pools.iter().fold(Footprint::default(), add).mean();
        let sizes = pools.iter().map(|(footprint, workers)| {
            let each = match footprint.measured {
                0 => mean,
                _ => footprint.mean(),
            };
            each.saturating_mul(*workers)
        });
        sizes.fold(0, u64::saturating_add)
    }

    fn mean(self) -> u64 {
        self.bytes.checked_div(self.measured).unwrap_or(0)
    }
}

/// From the bytes that each worker takes.
impl FromIterator<u64> for Footprint {
    fn from_iter<I: IntoIterator<Item = u64>>(workers: I) -> Footprint {
        let add = |footprint: Footprint, bytes: u64| Footprint {
            measured: footprint.measured + 1,
            bytes: footprint.bytes.saturating_add(bytes),
        };
        workers.into_iter().fold(Footprint::default(), add)
    }
}

impl Sizer {
    /// Makes what decides for a pool, if it is not of a fixed size.
    pub(crate) fn new(pool: &Pool) -> Option<Sizer> {
        Some(Sizer {
            bounds: pool.pm_auto_children?,
            reserve: pool.pm_memory_reserve,
            cost: 0,
            higher: 0,
        })
    }

    /// Goes on with what is known of the same pool before a reload, and returns how many workers it may begin with.
    pub(crate) fn inherit(&mut self, before: &Sizer, children: u32) -> u32 {
        self.cost = before.cost;
        children.clamp(self.bounds.floor, self.bounds.ceiling)
    }

    /// How many workers the pool has at least.
    pub(crate) fn floor(&self) -> u32 {
        self.bounds.floor
    }

    /// Decides whether the pool is to have another size.
    pub(crate) fn decide(&mut self, now: &Situation) -> Option<Change> {
        let change = |to, why| {
            let from = now.children;
            (to != from).then_some(Change { from, to, why })
        };
        if now.own.measured > 0 {
            // A quiet hour does not make workers cheap for good.
            self.cost = now.own.mean().max(self.cost - self.cost / 256).max(LEAST);
        }
        if now.memory.is_short() {
            self.higher = 0;
            let to = now.children.min(now.running).max(self.bounds.floor);
            let why = Why::Pressure {
                // A share of 100 % at most.
                waited: (now.memory.pressure * 10.0) as u32,
                running: now.running,
                floor: self.bounds.floor,
            };
            return change(to.min(now.children), why);
        }
        if self.cost == 0 {
            return None;
        }
        let (fits, why) = self.fits(now);
        let (fits_tenths, now_tenths) = (u64::from(fits) * 10, u64::from(now.children) * 10);
        if fits_tenths <= now_tenths.saturating_sub(u64::from(now.children)) {
            self.higher = 0;
            return change(fits, why);
        }
        if fits_tenths < now_tenths + u64::from(now.children) {
            self.higher = 0;
            return None;
        }
        self.higher += 1;
        if self.higher < LOOKS {
            return None;
        }
        self.higher = 0;
        change(fits.min(now.children.saturating_mul(2)), why)
    }

    /// How many workers there is memory for, within the bounds.
    fn fits(&self, now: &Situation) -> (u32, Why) {
        let limit = now.memory.limit;
        let reserve = self.reserve.of(limit);
        let left = limit.saturating_sub(reserve).saturating_sub(now.others) / now.pools.max(1);
        let fits = u32::try_from(left / self.cost).unwrap_or(u32::MAX);
        let why = Why::Fits {
            limit,
            reserve,
            others: now.others,
            pools: now.pools,
            cost: self.cost,
            bounds: self.bounds,
        };
        (fits.clamp(self.bounds.floor, self.bounds.ceiling), why)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { from, to, why } = self;
        write!(f, "pm.max_children is {to} now, it was {from}: ")?;
        match *why {
            Why::Pressure {
                waited,
                running,
                floor,
            } => write!(
                f,
                "memory is short ({}.{}% of 10 seconds waited for it, {SHORT}% is much), no more than the {running} there are \
                 and at least {floor}",
                waited / 10,
                waited % 10,
            ),
            Why::Fits {
                limit,
                reserve,
                others,
                pools,
                cost,
                bounds: AutoChildren { floor, ceiling },
            } => write!(
                f,
                "({} MiB - {} MiB in reserve - {} MiB of other pools) / {pools} pool(s) / {}.{} MiB a worker, \
                 {floor} to {ceiling} and at most twofold",
                limit / MIB,
                reserve / MIB,
                others / MIB,
                cost / MIB,
                cost % MIB * 10 / MIB,
            ),
        }
    }
}

#[cfg(test)]
mod tests;
