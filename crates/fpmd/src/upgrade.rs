//! The program takes part in an upgrade: it shows that it could take the place of a running one, or does, or serves beside it.
//!
//! Rule: whoever examines a program must not believe it by accident, so the word that is expected goes to descriptor 3, which no
//! other program knows.

use std::ffi::OsString;
use std::io::IoSlice;
use std::os::fd::RawFd;

use fpm_conf::Purpose;
use fpm_master::company::Beside;
use fpm_master::upgrade::{Heritage, introduction};
use fpm_os::seqpacket::{self, Patience};

use crate::cli::{self, Command, Options, Tested};
use crate::role::begin_log;
use crate::{exit, serve};

/// Says which state it could take over, and tests configuration and PHP as a start with this command line would find them.
pub(crate) fn examined(arguments: &[OsString]) -> u8 {
    let said = seqpacket::inherited().and_then(|socket| {
        let word = introduction();
        seqpacket::send(
            &socket,
            &[IoSlice::new(word.as_bytes())],
            &[],
            Patience::AtOnce,
        )
    });
    if let Err(error) = said {
        eprintln!("fpmd: descriptor 3 is no socket ({error}); only fpmd itself examines a program");
        return exit::USAGE;
    }
    let arguments = without(arguments, 1);
    let Some(mut options) = options(&arguments) else {
        return exit::USAGE;
    };
    options.purpose = Purpose::Test;
    options.tested = Tested::Php;
    let log = begin_log();
    let code = serve::run(&options, &arguments, &log);
    log.finish();
    code
}

/// Goes on in the place of another program.
pub(crate) fn take_over(arguments: &[OsString]) -> u8 {
    let number = number(arguments);
    let arguments = without(arguments, 2);
    let (Some(number), Some(options)) = (number, options(&arguments)) else {
        return exit::USAGE;
    };
    // Before anything is opened or started that could be taken for it, or inherit it.
    let heritage = Heritage::take(number);
    let log = begin_log();
    let code = serve::take_over(&options, &arguments, heritage, &log);
    log.finish();
    code
}

/// Serves beside the master that has started this one.
pub(crate) fn beside(arguments: &[OsString]) -> u8 {
    let (Some(number), arguments) = (number(arguments), without(arguments, 2)) else {
        return exit::USAGE;
    };
    // Before anything is opened or started that could be taken for it, or inherit it.
    let beside = match Beside::take(number) {
        Ok(beside) => beside,
        Err(error) => {
            eprintln!("fpmd: {error}; only fpmd itself starts a master beside another one");
            return exit::USAGE;
        }
    };
    let Some(options) = options(&arguments) else {
        return exit::USAGE;
    };
    let log = begin_log();
    let code = serve::beside(&options, &arguments, beside, &log);
    log.finish();
    code
}

/// Returns the descriptor's number that follows the hidden argument.
fn number(arguments: &[OsString]) -> Option<RawFd> {
    arguments.get(2)?.to_str()?.parse().ok()
}

/// Returns the command line as an administrator has written it.
fn without(arguments: &[OsString], hidden: usize) -> Vec<OsString> {
    let name = arguments.iter().take(1);
    name.chain(arguments.iter().skip(1 + hidden))
        .cloned()
        .collect()
}

fn options(arguments: &[OsString]) -> Option<Box<Options>> {
    match cli::parse(arguments.iter().cloned()) {
        Command::Serve(options) => Some(options),
        Command::Usage(_) | Command::Version(_) | Command::Modules(_) | Command::Information(_) => {
            None
        }
    }
}
