//! One worker: accept, FastCGI, PHP, answer.
//!
//! A zygote forks a process and calls [`birth::live`], which comes back with the exit code. In the order of a worker's life:
//! `birth` sets it up (limits, identity, environment, PHP's settings), `watch` waits for clients and for being told to end, `standby` has
//! only as many of a pool's idle workers wait for clients as can run and one more,
//! `serve` reads requests, `script` finds out what they mean, `reaction` decides what is done about them, `host` is what PHP sees
//! of the world meanwhile, and `body`, `output`, `response_head` and `client` carry bytes. In pools that keep a slow log, have a
//! `request_soft_timeout` or `request_stack` the `watchdog` looks on, in a thread of its own.
//!
//! Decisions are pure functions with tables of cases; only `birth`, `watch`, `watchdog`, `client` and `log` touch the system. A changer must
//! know: a request costs a dozen system calls, and each one more is measurable; what a client sends or does not send may end its
//! connection but never the worker; and the worker decides nothing about workers, which is the master's business.

#![forbid(unsafe_code)]

mod access_log;
mod allowed_clients;
pub mod birth;
mod body;
mod client;
pub mod environment;
pub mod exit;
mod host;
pub mod json;
mod limit_extensions;
pub mod log;
mod meter;
mod output;
mod overdue;
pub mod php_messages;
mod reaction;
mod request_id;
mod response_head;
mod script;
mod serve;
mod settings;
mod share;
mod soft_timeout;
pub mod standby;
pub mod status;
mod timestamp;
mod watch;
mod watchdog;
