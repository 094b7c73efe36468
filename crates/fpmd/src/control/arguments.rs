//! The command line of the commands.
//!
//! Rule: what is written here is the help text, the manual page and the completions; there is no other copy.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use fpm_control::Scope;

/// What the exit codes mean, below every help text.
const EXIT_CODES: &str = "\
Exit code: 0 when it was done.
  1   the daemon could not do it, and says why
  2   no daemon takes orders there
  3   the daemon hung up, or does not speak this language
  4   the time was over; the daemon may still do it
  5   there is nothing to upgrade: the program on disk runs already
  64  the command line is wrong
  74  the output cannot be written";

/// Commands for a running fpmd. They reach it at its control socket (`control.listen`).
#[derive(Debug, Parser)]
#[command(name = "fpmd", disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show how the daemon and its pools are
    #[command(after_help = EXIT_CODES)]
    Status(StatusOptions),
    /// Show pools and workers on a terminal, as they are now
    ///
    /// Rows can be ordered and filtered, and Enter shows what the selected worker's script is doing, down to its calls. `?` tells what
    /// keys do. Where standard output is no terminal it prints what `fpmd status --workers` does, once.
    #[command(after_help = EXIT_CODES)]
    Top(TopOptions),
    /// Put the configuration as it is now to work, and wait until it is
    ///
    /// No request is lost. When the configuration cannot be used or PHP does not start with it, everything goes on as it was, and
    /// the reason is told.
    #[command(after_help = EXIT_CODES)]
    Reload(Reload),
    /// Put the program on disk in the place of the one that runs, and wait until it serves
    ///
    /// A reload does the same as this without options, which tells whether there was anything to upgrade. The process id and the sockets stay, no request is
    /// lost. A program that does not pass a test with the present command line and configuration is refused, and everything goes on
    /// as it was.
    #[command(after_help = EXIT_CODES)]
    Upgrade(Upgrade),
    /// Open the logs again under their names, after somebody has moved them away
    #[command(after_help = EXIT_CODES)]
    Reopen(Place),
    /// Stop at once, and wait for the end: requests that run are cut off
    #[command(after_help = EXIT_CODES)]
    Stop(Place),
    /// Stop when the requests that run are done, and wait for the end
    #[command(after_help = EXIT_CODES)]
    Quit(Place),
    /// Let a pool's workers go and wait for the last one; who comes meanwhile waits in the queue
    ///
    /// Workers finish their requests. There are none until `fpmd resume` or the next reload, and the socket stays open: connections
    /// wait in its queue, as many as it takes.
    #[command(after_help = EXIT_CODES)]
    Drain(OnePool),
    /// Let a pool that was drained have workers again
    #[command(after_help = EXIT_CODES)]
    Resume(OnePool),
    /// Show what a pool's workers, or one worker, are doing, down to the calls of their scripts
    ///
    /// Nobody is stopped or interrupted. The pool needs `request_stack = yes` or a slow log (`request_slowlog_timeout`).
    #[command(after_help = EXIT_CODES)]
    Stack(StackOptions),
    /// Change pm.max_children of a pool until the next reload
    ///
    /// It can be raised to four times what the configuration says, but only up to 512 in this way.
    #[command(after_help = EXIT_CODES)]
    Set(Set),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or that of a command
    Man {
        /// The command
        command: Option<String>,
    },
}

/// Where the daemon is, and how long to wait for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which daemon")]
pub(super) struct Place {
    /// The daemon's configuration file, which says where its control socket is [default: the one that fpmd would use]
    #[arg(short = 'y', long = "fpm-config", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The prefix that the daemon was started with
    #[arg(short = 'p', long, value_name = "DIR")]
    pub(super) prefix: Option<PathBuf>,
    /// The control socket itself
    #[arg(long, value_name = "PATH", conflicts_with_all = ["config", "prefix"])]
    pub(super) control: Option<PathBuf>,
    /// How long to wait for an answer, 0 for ever
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u32,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// Show each worker as well
    #[arg(short, long)]
    pub(super) workers: bool,
    /// Print JSON; with --watch a line each time
    #[arg(long)]
    json: bool,
    /// Show it again and again, every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) watch: Option<u32>,
    #[command(flatten)]
    place: Place,
}

/// Options of `top`.
#[derive(Debug, Args)]
pub(super) struct TopOptions {
    /// How often to ask the daemon
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(super) interval: u32,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Options of `reload`.
#[derive(Debug, Args)]
pub(super) struct Reload {
    /// Change nothing; print what would change, pool by pool
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Only this pool; may be given more than once. The other pools keep their workers, and global settings stay as they are
    #[arg(long = "pool", value_name = "NAME")]
    pools: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Options of `upgrade`.
#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// Start it as a second master beside the one that runs, and leave it to you which of the two is ended (`fpmd quit`)
    ///
    /// Both serve at the same sockets. The new one has the pid file and the control socket, the old one has them with .oldbin behind
    /// their names until it is alone again, as with nginx.
    #[arg(long)]
    pub(super) beside: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

/// A pool.
#[derive(Debug, Args)]
pub(super) struct OnePool {
    /// The pool's name
    pub(super) pool: String,
    #[command(flatten)]
    place: Place,
}

/// Options of `stack`.
#[derive(Debug, Args)]
pub(super) struct StackOptions {
    /// The pool's name, or the worker's process id
    #[arg(value_name = "POOL|PID")]
    pub(super) of: String,
    #[command(flatten)]
    place: Place,
}

/// Options of `set`.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The pool's name
    pub(super) pool: String,
    /// The new value
    #[arg(value_name = "pm.max_children=N", value_parser = max_children)]
    pub(super) max_children: u32,
    #[command(flatten)]
    place: Place,
}

/// Reads `pm.max_children=N`.
fn max_children(text: &str) -> Result<u32, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "it has the form NAME=VALUE".to_owned())?;
    if name.trim() != "pm.max_children" {
        return Err("only pm.max_children can be set".to_owned());
    }
    let value = value.trim().parse();
    value.map_err(|error| format!("pm.max_children: {error}"))
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Command {
    /// Returns the command's name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Command::Status(_) => "status",
            Command::Top(_) => "top",
            Command::Reload(_) => "reload",
            Command::Upgrade(_) => "upgrade",
            Command::Reopen(_) => "reopen",
            Command::Stop(_) => "stop",
            Command::Quit(_) => "quit",
            Command::Drain(_) => "drain",
            Command::Resume(_) => "resume",
            Command::Stack(_) => "stack",
            Command::Set(_) => "set",
            Command::Completions { .. } => "completions",
            Command::Man { .. } => "man",
        }
    }

    /// Returns which daemon is meant, if one is.
    pub(super) fn place(&self) -> Option<&Place> {
        Some(match self {
            Command::Completions { .. } | Command::Man { .. } => return None,
            Command::Status(options) => &options.place,
            Command::Top(options) => &options.place,
            Command::Reload(options) => &options.place,
            Command::Upgrade(options) => &options.place,
            Command::Reopen(place) | Command::Stop(place) | Command::Quit(place) => place,
            Command::Drain(options) | Command::Resume(options) => &options.place,
            Command::Stack(options) => &options.place,
            Command::Set(options) => &options.place,
        })
    }
}

impl Place {
    /// Returns how long to wait for an answer; `None` for ever.
    pub(super) fn limit(&self) -> Option<Duration> {
        (self.timeout > 0).then(|| Duration::from_secs(self.timeout.into()))
    }
}

impl Reload {
    /// Returns what is to be reloaded.
    pub(super) fn scope(&self) -> Scope {
        match self.pools.is_empty() {
            true => Scope::All,
            false => Scope::Pools(self.pools.iter().cloned().collect()),
        }
    }
}

impl StatusOptions {
    /// Returns how the status is printed.
    pub(super) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Returns the names of all commands.
pub(super) fn names() -> impl Iterator<Item = String> {
    let line = Arguments::command();
    let names: Vec<_> = line
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_makes_sense() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn each_command_goes_by_its_name() {
        for name in names() {
            let operands = match &*name {
                "drain" | "resume" | "stack" => " www",
                "set" => " www pm.max_children=5",
                "completions" => " bash",
                _ => "",
            };
            let arguments = parsed(&format!("fpmd {name}{operands}")).unwrap();
            assert_eq!(arguments.command.name(), name);
        }
    }

    #[test]
    fn php_fpms_options_are_nobodys_command() {
        for name in ["-y", "--fpm-config", "-t", "", "help", "request", "zygote"] {
            assert!(!names().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn places_and_times() {
        let place = |line: &str| match parsed(line).unwrap().command {
            Command::Reload(options) => options.place,
            other => panic!("{other:?}"),
        };
        let named = place("fpmd reload -y /etc/f.conf -p /srv --timeout 5");
        assert_eq!(named.config, Some("/etc/f.conf".into()));
        assert_eq!(named.prefix, Some("/srv".into()));
        assert_eq!(named.limit(), Some(Duration::from_secs(5)));
        let named = place("fpmd reload --control /run/c --timeout 0");
        assert_eq!(
            (named.control.clone(), named.limit()),
            (Some("/run/c".into()), None)
        );
        assert!(parsed("fpmd reload --control /run/c -y /etc/f.conf").is_err());
    }

    #[test]
    fn only_one_thing_can_be_set() {
        let set = |setting: &str| {
            let arguments = Arguments::try_parse_from(["fpmd", "set", "www", setting]);
            arguments.map(|arguments| match arguments.command {
                Command::Set(options) => options.max_children,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(set("pm.max_children=5").unwrap(), 5);
        assert_eq!(set("pm.max_children = 5").unwrap(), 5);
        for wrong in [
            "pm=static",
            "pm.max_children",
            "pm.max_children=",
            "pm.max_children=-1",
        ] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn watching() {
        let watch = |line: &str| match parsed(line).unwrap().command {
            Command::Status(options) => options.watch,
            other => panic!("{other:?}"),
        };
        assert_eq!(watch("fpmd status"), None);
        assert_eq!(watch("fpmd status --watch"), Some(2));
        assert_eq!(watch("fpmd status --watch 5 --json"), Some(5));
        assert!(parsed("fpmd status --watch 0").is_err());
    }
}
