//! Messages between the master and its zygotes, each worker, and the operator process: typed, over SOCK_SEQPACKET pairs, with
//! descriptors.
//!
//! The crate knows what is said, not what it means: no process is forked and no configuration looked into here.
//! A changer must know: both ends may come from different builds of the program (a package upgrade between a start
//! and a respawn), so every packet begins with a version and `Start` names the release.

#![forbid(unsafe_code)]

mod dismissal;
mod end;
mod error;
mod link;
mod message;
pub mod operator;
pub mod underway;
mod wire;
pub mod worker;

pub use dismissal::dismiss;
pub use end::{MasterEnd, Next, ZygoteEnd};
pub use error::ChannelError;
pub use link::Flushed;
pub use message::{
    FromZygote, Generation, Login, Output, Parameters, PhpOptions, PoolStart, RunAs, SlotIndex,
    Spawn, Start, ToZygote, WorkerId,
};
pub use wire::{RELEASE, VERSION};
