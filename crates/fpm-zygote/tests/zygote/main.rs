//! A zygote, its workers and PHP, with these tests as the master and as the web server.
//!
//! The zygote must be a process of its own with a single thread, so this program has its own `main`: with the argument `zygote`
//! it is the zygote, else it runs the tests one after the other. An argument selects the tests whose names contain it.

#![forbid(unsafe_code)]

mod clients;
mod lifecycle;
mod master;
mod requests;
mod site;
mod web_server;

use std::panic::catch_unwind;
use std::process::ExitCode;

use fpm_os::seqpacket;

/// A test and its name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let argument = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    if argument.as_deref() == Some(master::ROLE) {
        let channel = seqpacket::inherited().expect("descriptor 3 is the channel");
        return match fpm_zygote::run(channel) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("zygote: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let wanted = argument.unwrap_or_default();
    let mut failed = 0;
    for (name, test) in [requests::TESTS, lifecycle::TESTS, clients::TESTS].concat() {
        if name.contains(&wanted) {
            let passed = catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            failed += u32::from(!passed);
        }
    }
    ExitCode::from(u8::from(failed > 0))
}
