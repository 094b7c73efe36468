//! The program is replaced in place: another one takes over the sockets, the processes and what is known of them.
//!
//! Rule: the program on disk is examined before anything happens (`examination`); what is handed over is a value with a version
//! (`state`); who cannot use all of it uses the sockets (`heritage`), which are never lost.

pub(crate) mod examination;
pub mod heritage;
pub(crate) mod state;

pub use heritage::{Extent, Heritage};

/// The first argument of a program that is being examined.
pub const EXAMINED: &str = "--examine-upgrade";

/// The first argument of a program that takes the place of another one; the number of the state's descriptor follows.
pub const TAKES_OVER: &str = "--take-over";

/// Returns what a program that is being examined says first, so that the running one knows whether it can be understood.
#[must_use]
pub fn introduction() -> String {
    state::head(state::FORMAT)
}
