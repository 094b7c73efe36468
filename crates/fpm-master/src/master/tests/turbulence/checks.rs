//! What must hold of the simulated processes at any moment.

use super::kernel::Kernel;
use crate::pool::PoolId;

impl Kernel {
    pub(super) fn capacity(&self, pool: PoolId) -> u32 {
        self.configs[&pool.generation].pools[pool.index.0 as usize].pm_max_children
    }

    /// Counts the workers of pools of this name that serve and are to go on.
    pub(super) fn serving(&self, pool: PoolId) -> usize {
        let mut of_pool = self.workers.values();
        of_pool
            .by_ref()
            .filter(|worker| worker.pool.index == pool.index && worker.serves && !worker.drains)
            .count()
    }

    pub(super) fn check_size(&self, pool: PoolId) {
        let taken = self
            .slots
            .keys()
            .filter(|(of, _)| of.index == pool.index)
            .count();
        let index = pool.index.0 as usize;
        let configs = self.configs.values();
        let capacities = configs.map(|config| config.pools[index].pm_max_children);
        let most = capacities.max().unwrap_or(0);
        // Each generation is allowed the one worker without which it would not serve.
        let ceiling = most + most.div_ceil(4) + u32::try_from(self.configs.len()).unwrap();
        assert!(
            taken <= ceiling as usize,
            "{taken} workers, {ceiling} at most"
        );
    }

    /// Beyond `process.max` there is nothing but first workers of pools.
    pub(super) fn check_all(&self, last: PoolId) {
        let process_max = self.configs[&last.generation].global.process_max as usize;
        let of_pool = self.slots.keys().filter(|(pool, _)| *pool == last);
        assert!(
            process_max == 0 || self.slots.len() <= process_max || of_pool.count() == 1,
            "{} workers, {process_max} at most",
            self.slots.len()
        );
    }
}
