//! `cargo xtask …`: the project's own commands, one table.
//!
//! A new command is a line in [`COMMANDS`] and a module with its usage text and a `run` function.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use xshell::Shell;

mod bench;
mod build_php;
mod cache;
mod cargo;
mod check;
mod daemon;
mod debian;
mod demo;
mod packages;
mod php;
mod php_version;
mod phpt;
mod test;
mod tidy;
mod workspace;

/// One command: its name, what it does in a line, and its code.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&Shell, lexopt::Parser) -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        about: "show a page of PHP, served by fpmd behind nginx",
        run: demo::run,
    },
    Command {
        name: "test",
        about: "everything that must pass, for every supported PHP",
        run: test::run,
    },
    Command {
        name: "check",
        about: "what every commit must pass: no daemon is started",
        run: check::run,
    },
    Command {
        name: "tidy",
        about: "the rules that no compiler checks",
        run: tidy::run,
    },
    Command {
        name: "debian",
        about: "serve Debian's own configuration of php-fpm, beside the original",
        run: debian::run,
    },
    Command {
        name: "phpt",
        about: "php-src's own FPM tests on fpmd, compared with the original",
        run: phpt::run,
    },
    Command {
        name: "bench",
        about: "fpmd and the original side by side, in figures",
        run: bench::run,
    },
    Command {
        name: "build-php",
        about: "libphp, php and the original php-fpm from source",
        run: build_php::run,
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut arguments = lexopt::Parser::from_env();
    let name = match arguments.next()? {
        Some(lexopt::Arg::Value(name)) => name.to_string_lossy().into_owned(),
        None | Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => "help".to_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    if name == "help" {
        print!("{}", usage());
        return Ok(());
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("there is no command '{name}'\n\n{}", usage());
    };
    let sh = Shell::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask is in no workspace")?;
    sh.change_dir(root);
    (command.run)(&sh, arguments)
}

fn usage() -> String {
    let mut text = "cargo xtask COMMAND [options]; every command knows --help\n\n".to_owned();
    for command in COMMANDS {
        text.push_str(&format!("  {:10} {}\n", command.name, command.about));
    }
    text
}
