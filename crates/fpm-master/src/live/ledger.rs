//! What the master counts in the ledger.

use fpm_scoreboard::PoolLedger;

use super::Live;
use crate::pool::PoolId;
use crate::program::Program;
use crate::world::Count;

impl<P: Program> Live<P> {
    pub(super) fn count_in_ledger(&self, count: Count) {
        let daemon = self.generations.get(&self.serving);
        let daemon = daemon.map(|setup| setup.ledgers.daemon());
        match count {
            Count::Spawned(pool) => {
                self.ledger(pool).inspect(|ledger| ledger.count_spawned());
            }
            Count::Departed(pool, departure) => {
                self.ledger(pool)
                    .inspect(|ledger| ledger.count_departure(departure));
            }
            Count::AccessLinesLost(pool, lines) => {
                self.ledger(pool)
                    .inspect(|ledger| ledger.count_access_lines_lost(lines));
            }
            Count::Reloaded(duration) => {
                daemon.inspect(|daemon| daemon.count_reload(duration));
            }
            Count::ReloadFailed => {
                daemon.inspect(|daemon| daemon.count_failed_reload());
            }
            Count::ZygoteLost => {
                daemon.inspect(|daemon| daemon.count_lost_zygote());
            }
        }
    }

    pub(super) fn count_lost_log_lines(&self, lines: u64) {
        if let Some(setup) = self.generations.get(&self.serving) {
            setup.ledgers.daemon().count_log_lines_lost(lines);
        }
    }

    /// Returns what is measured in a pool.
    pub(super) fn ledger(&self, pool: PoolId) -> Option<&PoolLedger> {
        let setup = self.generations.get(&pool.generation)?;
        let (_, ledger) = setup.measured.get(pool.index.0 as usize)?;
        Some(ledger)
    }
}
