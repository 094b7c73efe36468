//! Event loop of master and zygote: descriptors, signals and timers, told as values.
//!
//! The crate decides nothing and calls nobody back: [`EventLoop::wait`] says what happened, the caller acts. Workers do
//! not use it; they wait on `fpm_os::epoll`. A changer must know: readiness is told once (edge-triggered).

#![forbid(unsafe_code)]

mod error;
mod event_loop;
mod timers;

pub use error::EventError;
pub use event_loop::{Event, EventLoop, Interest};
pub use timers::{TimerId, Timers};
