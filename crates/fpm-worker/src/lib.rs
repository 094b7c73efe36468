//! One worker: accept, FastCGI, PHP, answer.

#![forbid(unsafe_code)]

mod access_log;
pub mod allowed_clients;
pub mod birth;
mod body;
mod client;
pub mod environment;
pub mod exit;
mod host;
pub mod limit_extensions;
pub mod log;
mod output;
pub mod php_messages;
mod reaction;
pub mod response_head;
pub mod script;
mod serve;
mod settings;
pub mod status;
mod timestamp;
mod watch;
