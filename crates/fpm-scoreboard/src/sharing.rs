//! Whose the listening socket of a pool is: a daemon's alone, or that of two daemons, one of which is to take over from the other.
//!
//! A worker whose master is gone looks here before it refuses all clients at the socket.

use std::sync::atomic::Ordering::{Acquire, Release};

use crate::layout::header;
use crate::pool::PoolBoard;
use crate::writer::SlotWriter;

impl PoolBoard {
    /// Notes that another daemon may serve at the pool's socket, too. For the master.
    pub fn share_socket(&self) {
        self.header(header::SHARED).store(1, Release);
    }

    /// Notes that no other daemon serves at the pool's socket. For the master.
    pub fn own_socket(&self) {
        self.header(header::SHARED).store(0, Release);
    }

    /// Tells whether another daemon may serve at the pool's socket, too.
    #[must_use]
    pub fn is_socket_shared(&self) -> bool {
        self.header(header::SHARED).load(Acquire) != 0
    }
}

impl SlotWriter {
    /// Tells whether another daemon may serve at the socket of the worker's pool, too.
    #[must_use]
    pub fn is_socket_shared(&self) -> bool {
        self.pool().is_socket_shared()
    }
}
