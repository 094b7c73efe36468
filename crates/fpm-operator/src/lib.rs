//! The operator process: shows over HTTP how the daemon is, to people and to programs that watch it.
//!
//! It reads the scoreboard, which it cannot write, and asks the master for the little that is not there, when somebody asks. It
//! decides nothing and changes nothing. A changer must know: strangers talk to it, so every one of them costs it a bounded amount
//! of memory and time, and nothing that it does may matter to the master, the zygotes and the workers.
//!
//! Pure: `status`, `readiness`, `metrics`, `request`. With effects: `desk`, which talks to the master, `door`, `answers`.

#![forbid(unsafe_code)]

mod answers;
mod areas;
mod desk;
mod door;
mod error;
mod events;
mod metrics;
mod page;
mod process;
mod readiness;
mod recent;
mod request;
mod status;

pub use error::OperatorError;
pub use process::run;
