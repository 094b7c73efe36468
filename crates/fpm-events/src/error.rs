//! What can go wrong with the event loop.

use std::io;

/// A failure of the kernel's part of the event loop.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The loop or its signal descriptor could not be made.
    #[error("the event loop cannot be made: {0}")]
    Create(#[source] io::Error),
    /// A descriptor could not be added.
    #[error("descriptor {descriptor} cannot be watched: {source}")]
    Add {
        /// Its number.
        descriptor: i32,
        /// What the kernel says: EEXIST when it is watched already, EPERM for an ordinary file.
        source: io::Error,
    },
    /// A descriptor could not be removed.
    #[error("descriptor {descriptor} cannot be unwatched: {source}")]
    Remove {
        /// Its number.
        descriptor: i32,
        /// What the kernel says: ENOENT when it was not watched.
        source: io::Error,
    },
    /// Waiting failed.
    #[error("waiting for events failed: {0}")]
    Wait(#[source] io::Error),
}
