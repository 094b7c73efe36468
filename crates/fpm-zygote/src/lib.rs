//! The zygote: starts PHP once, forks workers when the master asks for one, reaps them and reports every exit.
//!
//! It decides nothing: how many workers there are, when they end and what their ends mean is the master's business. It never
//! serves a request itself. A changer must know: everything it opens is in the memory and the descriptor table of every worker,
//! so what a worker must not have is given up in the child (`worker.rs`) before anything else happens there.

#![forbid(unsafe_code)]

mod children;
mod error;
mod privileges;
mod standbys;
mod start;
mod worker;
mod zygote;

pub use error::ZygoteError;
pub use zygote::run;
