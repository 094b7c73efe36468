//! `fpmd status`, `fpmd reload` and their like: commands that talk to a running master over its control socket.
//!
//! Rule: a script decides by the exit code, a person reads what is printed; what went well goes to standard output, what did
//! not to standard error.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;
use fpm_control::{Answer, Detail, Request};

mod arguments;
mod changes;
mod conversation;
mod failure;
mod generated;
mod place;
mod stack;
mod status;
mod table;
mod top;
mod upgrade;
mod watch;

use self::arguments::{Arguments, Command, Form, OnePool, Reload, StatusOptions};
use self::conversation::Conversation;
use self::failure::Failure;
use crate::exit;

/// Tells whether the first argument names a command that is run here.
pub(crate) fn is_command(name: &[u8]) -> bool {
    arguments::names().any(|known| known.as_bytes() == name)
}

/// Returns the names of all commands, one after the other.
pub(crate) fn commands() -> String {
    arguments::names().collect::<Vec<_>>().join(", ")
}

/// Runs the command; `arguments` begin with the program's name. Returns the exit code, see the help text.
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Whoever closes our outputs does not want to read it.
            let _ = error.print();
            return if error.use_stderr() {
                exit::USAGE
            } else {
                exit::OK
            };
        }
    };
    match perform(&arguments) {
        Ok(()) => exit::OK,
        Err(failure) => {
            eprintln!("fpmd {}: {failure}", arguments.command.name());
            failure.exit_code()
        }
    }
}

fn perform(arguments: &Arguments) -> Result<(), Failure> {
    let call = || {
        let place = arguments.command.place().ok_or(Failure::Unexpected)?;
        Conversation::begin(&place::find(place)?, place.limit())
    };
    match &arguments.command {
        Command::Completions { shell } => print(&generated::completions(*shell)),
        Command::Man { command } => print(&generated::manual(command.as_deref())?),
        Command::Status(options) => status(call, options),
        Command::Top(options) => top::run(options),
        Command::Reload(options) => reload(&mut call()?, options),
        Command::Upgrade(options) if options.beside => {
            upgrade::beside(&mut call()?, &place::find(&options.place)?)
        }
        Command::Upgrade(_) => upgrade::in_place(call),
        Command::Reopen(_) => order(&mut call()?, &Request::Reopen),
        Command::Stop(_) => end(call()?, &Request::Stop),
        Command::Quit(_) => end(call()?, &Request::Quit),
        Command::Drain(OnePool { pool, .. }) => {
            let pool = pool.clone();
            order(&mut call()?, &Request::Drain { pool })
        }
        Command::Resume(OnePool { pool, .. }) => {
            let pool = pool.clone();
            order(&mut call()?, &Request::Resume { pool })
        }
        Command::Stack(options) => stack(&mut call()?, &options.of),
        Command::Set(options) => {
            let (pool, max_children) = (options.pool.clone(), options.max_children);
            order(&mut call()?, &Request::Set { pool, max_children })
        }
    }
}

/// Has something done that there is nothing to tell of.
fn order(daemon: &mut Conversation, request: &Request) -> Result<(), Failure> {
    match daemon.ask(request)? {
        Answer::Done => Ok(()),
        other => Err(Failure::unexpected(other)),
    }
}

/// Ends the daemon.
fn end(mut daemon: Conversation, request: &Request) -> Result<(), Failure> {
    order(&mut daemon, request)?;
    daemon.wait_for_end()
}

/// Shows the status, and if that is wanted calls again for another look: a daemon does not keep a line open for nothing.
fn status(
    call: impl Fn() -> Result<Conversation, Failure>,
    options: &StatusOptions,
) -> Result<(), Failure> {
    let detail = match options.workers {
        true => Detail::Workers,
        false => Detail::Pools,
    };
    let show = || -> Result<(), Failure> {
        let status = match call()?.ask(&Request::Status(detail))? {
            Answer::Status(status) => *status,
            other => return Err(Failure::unexpected(other)),
        };
        let text = match options.form() {
            Form::Json => status::json(&status, options.watch.is_some()),
            Form::Text => status::text(&status, fpm_os::clock::realtime()),
        };
        watch::print(&text, options)
    };
    match options.watch {
        None => show(),
        Some(seconds) => watch::again_and_again(seconds, show),
    }
}

fn reload(daemon: &mut Conversation, options: &Reload) -> Result<(), Failure> {
    if options.dry_run {
        return match daemon.ask(&Request::Preview(options.scope()))? {
            Answer::Changes(changes) => print(&changes::text(&changes)),
            other => Err(Failure::unexpected(other)),
        };
    }
    match daemon.ask(&Request::Reload(options.scope()))? {
        Answer::Reloaded { generation } => print(&format!("generation {generation} serves\n")),
        other => Err(Failure::unexpected(other)),
    }
}

fn stack(daemon: &mut Conversation, of: &str) -> Result<(), Failure> {
    match daemon.ask(&Request::Stack { of: of.to_owned() })? {
        Answer::Stacks(stacks) => print(&stack::text(&stacks)),
        other => Err(Failure::unexpected(other)),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Failure::Output)
}
