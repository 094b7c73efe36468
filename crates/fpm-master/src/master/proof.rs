//! Which pools of a generation that is being made have to show that they can serve, before it does, and whether they do.
//!
//! Rule: all that start with workers, or have some that somebody asked for. A daemon with thousands of ondemand pools that nobody
//! asks for would fork as many workers for nothing, at every reload; of those only a few are tried.

use std::time::Duration;

use fpm_channel::{Generation, WorkerId};
use fpm_os::signal::Signal;

use super::Master;
use super::reload::TICK;
use crate::event::Timer;
use crate::pool::{PoolAtWork, PoolId};
use crate::proof::{PATIENCE, Proof, Verdict};
use crate::reload::Phase;
use crate::roster::Reason;
use crate::state::Measure;
use crate::world::{Activity, World};

/// So many pools without work are tried.
const SAMPLE: usize = 8;

impl<W: World> Master<W> {
    /// Returns the pools of `next` that one worker each is forked for, and why it is.
    pub(super) fn on_trial(&self, next: Generation) -> Vec<(PoolId, Reason)> {
        let coming = self.generations.get(next);
        let before = self.generations.serving();
        let mut sample = 0;
        let pools = coming.pool_ids().zip(&coming.pools);
        let pools = pools.filter(|(id, _)| !self.world.is_carried(*id));
        let tried = pools.filter_map(|(id, pool)| {
            let namesake = before.pool_named(pool.name.as_ref());
            if pool.manager.initial() > 0 || namesake.is_some_and(|pool| self.is_asked(pool)) {
                return Some((id, Reason::Demand));
            }
            sample += 1;
            (sample <= SAMPLE).then_some((id, Reason::Trial))
        });
        tried.collect()
    }

    /// Tells whether a pool has workers for another reason than to be tried.
    fn is_asked(&self, pool: &PoolAtWork) -> bool {
        let mut workers = pool.workers().filter_map(|id| self.roster.get(id));
        workers.any(|worker| worker.reason != Reason::Trial)
    }

    /// Looks how many of the pools that were to show that they can serve have not, and decides whether that is the end of the reload.
    pub(super) fn look_at_proof(&mut self, now: Duration, next: Generation, mut proof: Proof) {
        let pools = &self.generations.get(next).pools;
        let serves = |pool: &PoolAtWork| {
            let mut workers = pool.workers();
            workers.any(|worker| self.world.activity(worker) != Activity::Starting)
        };
        let tried = pools.iter().filter(|pool| pool.is_inhabited());
        let missing: Vec<_> = tried.filter(|pool| !serves(pool)).collect();
        match (proof.look(missing.len(), now), missing.first()) {
            (Verdict::Overdue, Some(first)) => {
                let cause = format!(
                    "[pool {}] no child of generation {} has got as far as serving for {} seconds, {} pool(s) have none",
                    first.name,
                    next.0,
                    PATIENCE.as_secs(),
                    missing.len()
                );
                self.end_proof(now, next, &cause);
            }
            (Verdict::Wait, _) => {
                self.reload.enter(Phase::Proving { next, proof });
                self.world.arm(Timer::Turnover, now + TICK);
            }
            (Verdict::Proven | Verdict::Overdue, _) => self.succeed(now, next),
        }
    }

    /// Gives up a generation whose workers hang. They have no request that could be waited for, and would never look whether they
    /// are to leave.
    fn end_proof(&mut self, now: Duration, next: Generation, cause: &str) {
        let pools = self.generations.get(next).pools.iter();
        let mut hung: Vec<_> = pools.flat_map(|pool| pool.workers()).collect();
        hung.retain(|id| self.world.activity(*id) == Activity::Starting);
        let is_unborn = |id: &WorkerId| {
            let worker = self.roster.get(*id);
            worker.is_some_and(|worker| worker.pid.is_none())
        };
        let zygotes_hang = hung.iter().any(is_unborn);
        self.give_up(now, &cause);
        for id in hung {
            self.apply(id, Measure::Signal(Signal::KILL));
        }
        if zygotes_hang {
            self.kill_zygotes(next);
        }
    }
}
