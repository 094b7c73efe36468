//! What the workers of each pool share so that not all of them wait for clients ([`Standby`]), in one memory file.
//!
//! A pool gets it with its first worker: there may be thousands that never have one. All workers wait for clients in pools that have
//! no more of them than may wait, and where this cannot be had.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

use fpm_channel::SlotIndex;
use fpm_conf::PoolIndex;
use fpm_os::descriptor::close_all;
use fpm_os::limits;
use fpm_os::shared::SharedFile;
use fpm_worker::standby::{Marks, Standby, places};

/// So many descriptors are left for what else the zygote is to take, such as the sockets and logs of a worker that it is to fork.
const SPARE: u64 = 64;

/// Those of all pools.
#[derive(Debug)]
pub(crate) struct Standbys {
    /// Made for the first pool.
    memory: Option<SharedFile>,
    /// How many workers of a pool may wait.
    places: u32,
    /// Nothing for a pool whose workers all wait.
    pools: BTreeMap<PoolIndex, Option<Standby>>,
}

impl Standbys {
    /// As many may wait as the processors that this process may use can run, and one more.
    pub(crate) fn new() -> Standbys {
        Standbys {
            memory: None,
            places: places(thread::available_parallelism().map_or(1, usize::from)),
            pools: BTreeMap::new(),
        }
    }

    /// Tells whether it was decided what a pool has.
    pub(crate) fn is_decided(&self, pool: PoolIndex) -> bool {
        self.pools.contains_key(&pool)
    }

    /// Makes it for a pool with so many slots, unless all of its workers may wait. Without descriptors to spare they may.
    ///
    /// # Errors
    /// What memfd_create(2), ftruncate(2) and eventfd(2) answer.
    pub(crate) fn decide(&mut self, pool: PoolIndex, slots: u32) -> io::Result<()> {
        // Whatever goes wrong does so once.
        let decided = self.pools.entry(pool).or_default();
        if slots <= self.places {
            return Ok(());
        }
        let memory = match &mut self.memory {
            Some(memory) => memory,
            none => none.insert(SharedFile::create("fpmd-standby")?),
        };
        let standby = Standby::create(memory, slots, self.places)?;
        // A new descriptor has the lowest number that is free.
        let taken = u64::try_from(standby.as_fd().as_raw_fd()).unwrap_or(u64::MAX);
        if taken.saturating_add(SPARE) <= limits::open_files()?.soft {
            *decided = Some(standby);
        }
        Ok(())
    }

    /// Takes out what a pool's new worker is to have, and closes all the others. For the worker.
    pub(crate) fn keep(mut self, pool: PoolIndex) -> Option<Marks> {
        let kept = self.pools.remove(&pool).flatten();
        close_all(self.pools.into_values().flatten().map(OwnedFd::from));
        kept?.open(&self.memory?).ok()
    }

    /// Removes what a worker that has ended has left.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub(crate) fn forget(&self, pool: PoolIndex, slot: SlotIndex) -> io::Result<()> {
        match (&self.memory, self.pools.get(&pool)) {
            (Some(memory), Some(Some(standby))) => standby.forget(memory, slot.0),
            _ => Ok(()),
        }
    }
}
