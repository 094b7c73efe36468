//! Statistics in shared memory: what every worker does, and what each pool has done since its start.
//!
//! A worker publishes into its own slot and nobody else does; the master and the status pages read. There is no lock:
//! each slot holds two copies of its state, the worker writes the one that is not in force and then puts it in
//! force with one store. So a worker that is killed anywhere, in the middle of a write too, leaves what it
//! published last. A changer must know: the memory is shared with processes of other generations, so every change of
//! the layout raises the version in `layout.rs`.
//!
//! What is measured of requests, and counted over all generations, is in the [`Ledger`].
//!
//! Original: sapi/fpm/fpm/fpm_scoreboard.c (which locks, and whose locks survive a killed worker)

#![forbid(unsafe_code)]

mod board;
mod counters;
mod departure;
mod error;
mod farewell;
mod figures;
mod histogram;
mod layout;
mod ledger;
mod pool;
mod question;
mod recycling;
mod sharing;
mod slot;
mod stage;
mod text;
mod view;
mod writer;

pub use board::Board;
pub use counters::Counters;
pub use departure::Departure;
pub use error::ScoreboardError;
pub use farewell::Farewell;
pub use figures::{DaemonFigures, PoolFigures};
pub use histogram::{Bucket, Histogram, Scale};
pub use layout::VERSION;
pub use ledger::{DaemonLedger, Ledger, PoolLedger, Served};
pub use pool::{ListenQueue, PoolBoard, Totals};
pub use slot::{SlotSnapshot, SlotState};
pub use stage::Stage;
pub use view::{DaemonLedgerView, LedgerView, PoolLedgerView, PoolView};
pub use writer::{Birth, Description, Finished, SlotWriter};
