//! What this process is to be: the first argument decides, then php-fpm's command line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use bstr::BStr;
use fpm_master::company::STARTS_BESIDE;
use fpm_master::upgrade::{EXAMINED, TAKES_OVER};
use fpm_os::seqpacket;
use fpm_zygote::ZygoteError;
use sapi::Engine;
use tracing_subscriber::layer::SubscriberExt;

use crate::cli::{self, Asked, Command};
use crate::log::Log;
use crate::{control, exit, php, request, serve, upgrade};

/// Runs the role that the command line asks for and returns the exit code. `arguments` begin with the program's name.
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    match arguments.get(1).map(|first| first.as_bytes()) {
        Some(b"zygote") => as_zygote(),
        Some(b"operator") => as_operator(),
        Some(b"request") => request::run(&arguments[2..]),
        Some(name) if control::is_command(name) => control::run(arguments),
        Some(first) if first == EXAMINED.as_bytes() => upgrade::examined(arguments),
        Some(first) if first == STARTS_BESIDE.as_bytes() => upgrade::beside(arguments),
        Some(first) if first == TAKES_OVER.as_bytes() => upgrade::take_over(arguments),
        _ => as_php_fpm(arguments),
    }
}

/// Forks workers for the master that has started this process.
fn as_zygote() -> u8 {
    let channel = match seqpacket::inherited() {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!(
                "fpmd zygote: descriptor 3 is no channel to a master ({error}); only fpmd itself starts this role"
            );
            return exit::USAGE;
        }
    };
    match fpm_zygote::run(channel) {
        Ok(()) => exit::OK,
        // The master has heard of it and says so.
        Err(ZygoteError::Php(_)) => exit::SOFTWARE,
        Err(error) => {
            eprintln!("fpmd zygote: {error}");
            exit::SOFTWARE
        }
    }
}

/// Shows over HTTP how the daemon of the master is that has started this process.
fn as_operator() -> u8 {
    let outcome = seqpacket::inherited().map_err(|error| {
        format!(
            "descriptor 3 is no channel to a master ({error}); only fpmd itself starts this role"
        )
    });
    let outcome =
        outcome.and_then(|channel| fpm_operator::run(channel).map_err(|error| error.to_string()));
    match outcome {
        Ok(()) => exit::OK,
        Err(error) => {
            eprintln!("fpmd operator: {error}");
            exit::SOFTWARE
        }
    }
}

/// Does what php-fpm's command line means.
///
/// Not inlined: PHP has no use for its frame.
#[inline(never)]
fn as_php_fpm(arguments: &[OsString]) -> u8 {
    let log = begin_log();
    match cli::parse(arguments.iter().cloned()) {
        Command::Usage(asked) => {
            let argv0 = arguments.first().map_or(&b""[..], |argv0| argv0.as_bytes());
            usage(BStr::new(argv0), asked)
        }
        Command::Version(options) => php::print(&options, Engine::print_version),
        Command::Modules(options) => php::print(&options, Engine::print_modules),
        Command::Information(options) => php::print(&options, Engine::print_info),
        Command::Serve(options) => {
            let code = serve::run(&options, arguments, &log);
            log.finish();
            code
        }
    }
}

/// Begins to log: to stderr, until the configuration says something else.
pub(crate) fn begin_log() -> Log {
    let log = Log::to_stderr();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::set_global_default(subscriber).expect("nothing has set one before");
    log
}

fn usage(argv0: &BStr, asked: Asked) -> u8 {
    let folders = php::folders();
    let text = cli::usage(
        cli::program(argv0),
        BStr::new(&folders.prefix),
        BStr::new(&folders.default_file(None)),
        &format!("request, {}", control::commands()),
    );
    // Whoever closes our standard output does not want to read it.
    let _ = io::stdout().write_all(text.as_bytes());
    match asked {
        Asked::Yes => exit::OK,
        Asked::No => exit::USAGE,
    }
}
