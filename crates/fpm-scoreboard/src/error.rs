//! What can go wrong with the scoreboard.

use std::io;

/// A failure to make or to find shared memory. Reading and writing never fail.
#[derive(Debug, thiserror::Error)]
pub enum ScoreboardError {
    /// The kernel refused the memory.
    #[error("the scoreboard's shared memory cannot be used: {0}")]
    Memory(#[from] io::Error),
    /// The memory is none of ours, or of a release with another layout.
    #[error(
        "the scoreboard's shared memory has layout {found:#x}, this program uses {expected:#x}"
    )]
    Layout {
        /// The number found.
        found: u64,
        /// This program's number.
        expected: u64,
    },
    /// The memory is smaller than it says.
    #[error("the scoreboard's shared memory of {len} bytes is too small for {slots} slots")]
    Size {
        /// The bytes there are.
        len: u64,
        /// The slots that should be there.
        slots: u64,
    },
    /// The memory is no area of a ledger.
    #[error("{len} bytes are no area of the ledger")]
    Area {
        /// The bytes there are.
        len: u64,
    },
    /// There is no slot with that index.
    #[error("the pool has no slot {slot}, it has {slots}")]
    NoSuchSlot {
        /// The index.
        slot: u32,
        /// How many there are.
        slots: u32,
    },
}
