//! Completions and manual pages, made of the same definitions as the command lines themselves.
//!
//! Rule: php-fpm's options come from the table of its usage text, the commands from `arguments`; nothing is written twice.

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::arguments::Arguments;
use super::failure::Failure;
use crate::cli::OPTIONS;
use crate::php;

/// What the daemon is, for its manual page.
const ABOUT: &str = "A FastCGI process manager for PHP";

/// What it does when it is started without a command.
const DESCRIPTION: &str = "\
Without a command, fpmd is the daemon: it takes php-fpm's options and configuration files and serves PHP to web servers. With \
a command as the first word it gives an order to a daemon that runs, or asks it something, over the control socket that \
control.listen in its configuration names. `fpmd man COMMAND` prints the page of a command.";

/// Writes what a shell has to know to complete command lines.
pub(super) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(), "fpmd", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the manual page, or that of a command.
///
/// # Errors
/// When there is no such command.
pub(super) fn manual(command: Option<&str>) -> Result<String, Failure> {
    let mut definition = definition();
    definition.build();
    let page = match command {
        None => definition,
        Some(name) => {
            let found = definition.find_subcommand(name);
            let found = found.ok_or_else(|| Failure::NoSuchCommand(name.to_owned()))?;
            let full = format!("fpmd-{name}");
            found.clone().name(full.clone()).display_name(full)
        }
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(Failure::Output)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Puts all command lines together: the daemon's options, and the commands.
fn definition() -> Command {
    let request = Command::new("request")
        .about("Ask a FastCGI application for a page; `fpmd request --help` tells how")
        .disable_help_flag(true);
    let daemon = Arguments::command()
        .about(ABOUT)
        .long_about(DESCRIPTION)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .subcommand_required(false)
        .subcommand(request);
    daemon.args(OPTIONS.iter().map(|(option, text)| argument(option, text)))
}

/// Makes an argument of a row of the usage text, such as `-y, --fpm-config <file>`.
fn argument(option: &str, text: &str) -> Arg {
    let folders = php::folders();
    let text = text
        .replace("{prefix}", &folders.prefix.to_string())
        .replace("{config}", &folders.default_file(None).to_string());
    let mut words = option.split_whitespace();
    let mut argument = Arg::new(option.to_owned())
        .help(text)
        .action(ArgAction::SetTrue);
    for word in words.by_ref() {
        let word = word.trim_end_matches(',');
        if let Some(long) = word.strip_prefix("--") {
            argument = argument.long(long.to_owned());
        } else if let Some(short) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) {
            argument = argument.short(short);
        } else {
            let value = word.replace(['<', '>'], "");
            argument = argument.value_name(value).action(ArgAction::Set);
        }
    }
    argument
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::arguments::names;

    #[test]
    fn the_definition_makes_sense() {
        definition().debug_assert();
    }

    #[test]
    fn every_shell_knows_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = completions(shell);
            for name in names().chain(["request".to_owned(), "fpm-config".to_owned()]) {
                assert!(text.contains(&name), "{shell} {name}");
            }
        }
    }

    #[test]
    fn the_manual_has_the_daemons_options_and_the_commands() {
        let text = manual(None).unwrap();
        assert!(
            text.starts_with(".ie") && text.contains(".TH fpmd 1 "),
            "{text}"
        );
        for part in [
            "fpm\\-config",
            "test\\-php",
            "fpmd\\-reload(1)",
            "fpmd\\-request(1)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn each_command_has_a_page() {
        for name in names() {
            let text = manual(Some(&name)).unwrap();
            assert!(text.contains(&format!(".TH fpmd-{name} 1 ")), "{text}");
        }
        assert!(manual(Some("restart")).is_err());
        let reload = manual(Some("reload")).unwrap();
        assert!(
            reload.contains("dry\\-run") && reload.contains("Exit code"),
            "{reload}"
        );
    }
}
