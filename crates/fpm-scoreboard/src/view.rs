//! The area of one pool in a process that may only read it.
//!
//! A changer must know: the memory is mapped without the right to write, so what is called here must only load; a store ends the
//! process.

use std::os::fd::OwnedFd;

use fpm_os::shared::{Region, SharedFile};

use crate::error::ScoreboardError;
use crate::figures::{DaemonFigures, PoolFigures};
use crate::ledger::{DaemonLedger, PoolLedger};
use crate::pool::{PoolBoard, Totals};
use crate::slot::SlotSnapshot;

/// The area of one pool, to be read. Clones are the same area.
#[derive(Clone, Debug)]
pub struct PoolView(PoolBoard);

impl PoolView {
    /// Takes an area that is mapped for reading.
    pub(crate) fn new(board: PoolBoard) -> PoolView {
        PoolView(board)
    }

    /// Adds everything up ([`PoolBoard::totals`]).
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.totals()
    }

    /// Reads all that is known of every worker, in the order of their slots.
    #[must_use]
    pub fn snapshots(&self) -> Vec<SlotSnapshot> {
        self.0.snapshots()
    }

    /// Returns how many workers were told to leave and have not left.
    #[must_use]
    pub fn leaving(&self) -> u64 {
        self.0.draining()
    }
}

/// The ledger, to be read.
#[derive(Debug)]
pub struct LedgerView {
    file: SharedFile,
    daemon: DaemonLedger,
}

/// What the daemon has in the ledger, to be read.
#[derive(Debug)]
pub struct DaemonLedgerView(DaemonLedger);

/// What one pool has in the ledger, to be read.
#[derive(Debug)]
pub struct PoolLedgerView(PoolLedger);

impl LedgerView {
    /// Takes a file that was opened for reading.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is no such file, [`ScoreboardError::Layout`] when it is that of another release.
    pub fn adopt(file: OwnedFd) -> Result<LedgerView, ScoreboardError> {
        let file = SharedFile::adopt(file)?;
        let daemon = DaemonLedger::view(&file)?;
        Ok(LedgerView { file, daemon })
    }

    /// Maps the part of a pool.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is not in the file.
    pub fn pool(&self, region: Region) -> Result<PoolLedgerView, ScoreboardError> {
        PoolLedger::view(&self.file, region).map(PoolLedgerView)
    }

    /// Closes the file; what is mapped stays, and with it the daemon's own part.
    #[must_use]
    pub fn close(self) -> DaemonLedgerView {
        DaemonLedgerView(self.daemon)
    }
}

impl DaemonLedgerView {
    /// Reads everything ([`DaemonLedger::figures`]).
    #[must_use]
    pub fn figures(&self) -> DaemonFigures {
        self.0.figures()
    }
}

impl PoolLedgerView {
    /// Reads everything ([`PoolLedger::figures`]).
    #[must_use]
    pub fn figures(&self) -> PoolFigures {
        self.0.figures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Board;
    use crate::counters::Counters;
    use crate::farewell::Farewell;
    use crate::ledger::Ledger;

    #[test]
    fn a_reader_sees_what_is_counted() {
        let board = Board::create().unwrap();
        let (region, pool) = board.add_pool(4, &Counters::default()).unwrap();
        let reader = Board::adopt(board.for_reading().unwrap()).unwrap();
        let view = reader.view(region).unwrap();
        pool.count_slow_request();
        pool.drain(0, Farewell::HandOver);
        assert_eq!(view.totals(), pool.totals());
        assert_eq!(view.totals().counters.slow_requests, 1);
        assert_eq!((view.leaving(), view.snapshots().len()), (1, 0));
        assert!(reader.map(region).is_err(), "it must not be writable");
    }

    #[test]
    fn a_reader_sees_what_is_measured() {
        let ledger = Ledger::create().unwrap();
        let region = ledger.add_pool().unwrap();
        let pool = ledger.pool(region).unwrap();
        pool.count_spawned();
        ledger.daemon().unwrap().count_failed_reload();
        let view = LedgerView::adopt(ledger.for_reading().unwrap()).unwrap();
        assert_eq!(view.pool(region).unwrap().figures(), pool.figures());
        assert_eq!(view.close().figures().failed_reloads, 1);
        assert!(Ledger::adopt(ledger.for_reading().unwrap()).is_err());
    }
}
