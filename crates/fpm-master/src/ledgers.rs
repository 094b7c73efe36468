//! The daemon's ledger, and which part of it is whose.
//!
//! Rule: pools go by their names. A pool that a reload takes away keeps its part, and goes on with it when it comes back; there is
//! nothing to be carried over between generations.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use bstr::BString;
use fpm_os::shared::Region;
use fpm_scoreboard::{DaemonLedger, Ledger, PoolLedger, ScoreboardError};

use crate::error::MasterError;
use crate::upgrade::state::LedgerFile;

/// The ledger and its parts. Clones are the same memory.
#[derive(Clone, Debug)]
pub(crate) struct Ledgers {
    file: Rc<Ledger>,
    daemon: Rc<DaemonLedger>,
    pools: BTreeMap<BString, Region>,
}

impl Ledgers {
    /// Makes one in which nothing has been counted.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn create() -> Result<Ledgers, MasterError> {
        Ok(Ledgers::new(Ledger::create()?, BTreeMap::new())?)
    }

    /// Goes on with that of another program.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn adopted(
        file: OwnedFd,
        pools: Vec<(BString, Region)>,
    ) -> Result<Ledgers, MasterError> {
        Ok(Ledgers::new(
            Ledger::adopt(file)?,
            pools.into_iter().collect(),
        )?)
    }

    fn new(file: Ledger, pools: BTreeMap<BString, Region>) -> Result<Ledgers, ScoreboardError> {
        Ok(Ledgers {
            daemon: Rc::new(file.daemon()?),
            file: Rc::new(file),
            pools,
        })
    }

    /// Returns the part of the pool of this name, which is made if there is none.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn pool(&mut self, name: &BString) -> Result<(Region, PoolLedger), MasterError> {
        let region = match self.pools.get(name) {
            Some(region) => *region,
            None => self.file.add_pool()?,
        };
        self.pools.insert(name.clone(), region);
        Ok((region, self.file.pool(region)?))
    }

    /// Opens the file once more, for a process that may only read it.
    ///
    /// # Errors
    /// When that cannot be.
    pub(crate) fn for_reading(&self) -> Result<OwnedFd, MasterError> {
        Ok(self.file.for_reading()?)
    }

    /// Returns the daemon's own part.
    pub(crate) fn daemon(&self) -> &DaemonLedger {
        &self.daemon
    }

    /// Describes it for another program.
    pub(crate) fn describe(&self) -> LedgerFile {
        let pools = self.pools.iter();
        LedgerFile {
            descriptor: self.file.as_fd().as_raw_fd(),
            pools: pools
                .map(|(name, region)| (name.clone(), *region))
                .collect(),
        }
    }
}

impl AsFd for Ledgers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_goes_on_where_it_was() {
        let mut ledgers = Ledgers::create().unwrap();
        let (www, blog) = (BString::from("www"), BString::from("blog"));
        let (first, ledger) = ledgers.pool(&www).unwrap();
        ledger.count_spawned();
        assert_ne!(ledgers.pool(&blog).unwrap().0, first);

        let described = ledgers.describe();
        let file = ledgers.as_fd().try_clone_to_owned().unwrap();
        let mut adopted = Ledgers::adopted(file, described.pools).unwrap();
        let (region, ledger) = adopted.pool(&www).unwrap();
        assert_eq!((region, ledger.figures().spawned), (first, 1));
        adopted.daemon().serves(7);
        assert_eq!(ledgers.daemon().figures().generation, 7);
    }
}
