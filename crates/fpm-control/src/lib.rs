//! What an administrator's commands and the master say to each other over the control socket (`control.listen`).
//!
//! Values and bytes only: no socket is opened and nothing is decided here. A conversation begins with a [`greeting`] of each
//! side; then the command sends a [`Request`], the master answers with an [`Answer`], and so on, until the command hangs up.
//! A changer must know: commands and master may come from different builds, so [`VERSION`] is raised with every change of a
//! message, and a side that is greeted with another version than its own says so.

#![forbid(unsafe_code)]

mod error;
mod measured;
mod message;
mod stack;
mod status;
mod wire;

pub use error::ControlError;
pub use measured::{DaemonMeasured, Measured, Percentiles};
pub use message::{Answer, Detail, Failure, Request, Scope, Way};
pub use stack::{Doing, RequestStack, StackCall, WorkerStack};
pub use status::{
    Beside, GenerationStatus, PoolStatus, Sizing, Standing, State, Status, WorkerStage,
    WorkerStatus,
};
pub use wire::{Inbox, LONGEST_ANSWER, LONGEST_REQUEST, VERSION, encode, greeting};
