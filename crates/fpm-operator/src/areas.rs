//! The scoreboards as far as the master has shown them: which pool has slots where.

use std::collections::HashMap;

use fpm_channel::operator::Scoreboards;
use fpm_scoreboard::{
    Board, DaemonFigures, DaemonLedgerView, LedgerView, PoolFigures, PoolLedgerView, PoolView,
    ScoreboardError,
};

/// The slots of a pool in one generation.
#[derive(Debug)]
pub(crate) struct PoolArea {
    pub(crate) generation: u64,
    pub(crate) view: PoolView,
}

/// All pools of all generations, and what has been measured of them.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    slots: HashMap<String, Vec<PoolArea>>,
    daemon: Option<DaemonLedgerView>,
    parts: HashMap<String, PoolLedgerView>,
}

impl Areas {
    /// Maps all that is shown.
    ///
    /// # Errors
    /// When it is no scoreboard of this release.
    pub(crate) fn map(shown: Scoreboards) -> Result<Areas, ScoreboardError> {
        let boards: Result<Vec<_>, _> = shown.boards.into_iter().map(Board::adopt).collect();
        let boards = boards?;
        let ledger = LedgerView::adopt(shown.ledger)?;
        let mut areas = Areas::default();
        for part in shown.parts {
            areas.parts.insert(part.pool, ledger.pool(part.region)?);
        }
        areas.daemon = Some(ledger.close());
        for area in shown.areas {
            if let Some(board) = boards.get(area.board as usize) {
                let view = board.view(area.region)?;
                let of_pool = areas.slots.entry(area.pool).or_default();
                of_pool.push(PoolArea {
                    generation: area.generation,
                    view,
                });
            }
        }
        Ok(areas)
    }

    /// Returns the areas of the pool of this name.
    pub(crate) fn of(&self, pool: &str) -> &[PoolArea] {
        self.slots.get(pool).map_or(&[], Vec::as_slice)
    }

    /// Reads what has been measured of the pool of this name.
    pub(crate) fn figures(&self, pool: &str) -> Option<PoolFigures> {
        self.parts.get(pool).map(PoolLedgerView::figures)
    }

    /// Reads what the daemon has measured of itself.
    pub(crate) fn daemon(&self) -> Option<DaemonFigures> {
        self.daemon.as_ref().map(DaemonLedgerView::figures)
    }
}
