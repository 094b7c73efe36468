//! Which pools of a generation that is being made have to show that they can serve, before it does.
//!
//! Rule: all that start with workers, or have some. A daemon with thousands of ondemand pools that nobody asks for would fork as
//! many workers for nothing, at every reload; of those only a few are tried.

use std::time::Duration;

use fpm_channel::Generation;

use super::Master;
use crate::pool::PoolId;
use crate::world::{Activity, World};

/// So many pools without work are tried.
const SAMPLE: usize = 32;

impl<W: World> Master<W> {
    /// Returns the pools of `next` that one worker each is forked for.
    pub(super) fn on_trial(&self, next: Generation) -> Vec<PoolId> {
        let coming = self.generations.get(next);
        let before = self.generations.serving();
        let mut sample = 0;
        let pools = coming.pool_ids().zip(&coming.pools);
        let tried = pools.filter(|(id, pool)| {
            if self.world.is_carried(*id) {
                return false;
            }
            let works = pool.manager.initial() > 0
                || before
                    .pool_named(pool.name.as_ref())
                    .is_some_and(|namesake| namesake.workers().next().is_some());
            sample += usize::from(!works);
            works || sample <= SAMPLE
        });
        tried.map(|(id, _)| id).collect()
    }

    /// Tells whether a worker of each pool that was to show it serves.
    pub(super) fn is_proven(&self, next: Generation, now: Duration) -> bool {
        let pools = &self.generations.get(next).pools;
        let mut tried = pools.iter().filter(|pool| pool.is_inhabited());
        tried.all(|pool| {
            pool.workers()
                .any(|worker| self.world.activity(worker, now) != Activity::Starting)
        })
    }
}
