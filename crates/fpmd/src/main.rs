//! fpmd: a FastCGI process manager for PHP.
//!
//! The first argument is the role: `request` (a FastCGI client), a command for a running master (`status`, `reload`, …), or one of
//! those that only a master starts (`zygote`, `operator`, and two of an upgrade); anything else is php-fpm's command line and means the master.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

mod accounts;
mod background;
mod cause;
mod cli;
mod configuration;
mod control;
mod daemon;
mod executable;
mod exit;
mod files;
mod limits;
mod log;
mod messages;
mod php;
mod pid_file;
mod request;
mod role;
mod serve;
mod unix_socket;
mod upgrade;
mod vocabulary;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(role::run(&arguments))
}
