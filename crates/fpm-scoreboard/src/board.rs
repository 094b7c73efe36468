//! The memory of all pools of a daemon.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fpm_os::shared::{Region, SharedFile};

use crate::counters::Counters;
use crate::error::ScoreboardError;
use crate::layout;
use crate::pool::PoolBoard;
use crate::view::PoolView;

/// One memory file with an area for each pool. It never shrinks: the area of a pool that is gone is for the next one.
#[derive(Debug)]
pub struct Board {
    file: SharedFile,
}

impl Board {
    /// Creates one without pools.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`].
    pub fn create() -> Result<Board, ScoreboardError> {
        Ok(Board {
            file: SharedFile::create("fpmd-scoreboard")?,
        })
    }

    /// Takes over one that another process has created.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is not such a file.
    pub fn adopt(file: OwnedFd) -> Result<Board, ScoreboardError> {
        Ok(Board {
            file: SharedFile::adopt(file)?,
        })
    }

    /// Opens the same memory once more.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when there are no descriptors left.
    pub fn share(&self) -> Result<Board, ScoreboardError> {
        Board::adopt(self.file.as_fd().try_clone_to_owned()?)
    }

    /// Opens the same memory once more, for a process that may only read it.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when that cannot be.
    pub fn for_reading(&self) -> Result<OwnedFd, ScoreboardError> {
        Ok(self.file.for_reading()?)
    }

    /// Adds a pool with so many slots, which has counted so much already, and maps its area into this process.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when there is not so much.
    pub fn add_pool(
        &self,
        slots: u32,
        counters: &Counters,
    ) -> Result<(Region, PoolBoard), ScoreboardError> {
        let region = self.file.grow(len(slots))?;
        let pool = PoolBoard::format(self.file.map(region)?, slots, counters);
        Ok((region, pool))
    }

    /// As [`Board::add_pool`], but where an area is that is not among those `in_use`, if there is one that fits. Nobody may have
    /// one of the others any more.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when there is not so much.
    pub fn add_pool_beside(
        &self,
        in_use: &[Region],
        slots: u32,
        counters: &Counters,
    ) -> Result<(Region, PoolBoard), ScoreboardError> {
        let region = self.file.grow_beside(len(slots), in_use)?;
        let pool = PoolBoard::format(self.file.map(region)?, slots, counters);
        Ok((region, pool))
    }

    /// Makes sure that this is the area of a pool and returns how many slots it has, without mapping it: for who has many of them.
    ///
    /// # Errors
    /// As [`Board::map`].
    pub fn slots(&self, region: Region) -> Result<u32, ScoreboardError> {
        let [version, slots] = self.file.first_words(region)?;
        PoolBoard::slots_of(version, slots, region.len)
    }

    /// Maps the area of a pool into this process.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is not in the file; [`ScoreboardError::Layout`] and
    /// [`ScoreboardError::Size`] when it is no area of a pool.
    pub fn map(&self, region: Region) -> Result<PoolBoard, ScoreboardError> {
        PoolBoard::open(self.file.map(region)?)
    }

    /// Maps the area of a pool into this process, which may only read it.
    ///
    /// # Errors
    /// As [`Board::map`].
    pub fn view(&self, region: Region) -> Result<PoolView, ScoreboardError> {
        PoolBoard::open(self.file.map_for_reading(region)?).map(PoolView::new)
    }
}

/// Returns how long the area of a pool is, in bytes.
fn len(slots: u32) -> NonZeroUsize {
    NonZeroUsize::new(layout::area_len(slots) * 8).expect("the header is not empty")
}

impl AsFd for Board {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
