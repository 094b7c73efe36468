//! One worker: accept, FastCGI, PHP, answer.

#![forbid(unsafe_code)]

pub mod allowed_clients;
pub mod environment;
pub mod limit_extensions;
pub mod log;
mod output;
pub mod response_head;
pub mod script;
