//! The command line, as php-fpm's own parser understands it.
//!
//! Rule: options are acted on in their order: `-h`, `-v` and `-m` end the reading, what comes after them is not even
//! looked at.
//!
//! Original: sapi/fpm/fpm/fpm_main.c (`OPTIONS`, main/getopt.c)

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use bstr::BString;
use fpm_channel::PhpOptions;
use fpm_conf::{Background, Purpose};
use lexopt::Arg::{Long, Short, Value};
use lexopt::Parser;

#[cfg(test)]
mod tests;
mod text;

pub(crate) use text::{OPTIONS, program, usage};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// To be told how the program is called: because somebody asked, or because the command line is wrong.
    Usage(Asked),
    /// `-v`: PHP's version.
    Version(PhpOptions),
    /// `-m`: PHP's modules.
    Modules(PhpOptions),
    /// `-i`: `phpinfo()`.
    Information(PhpOptions),
    /// To serve, or to test the configuration.
    Serve(Box<Options>),
}

/// Whether the usage text was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By `-h`.
    Yes,
    /// No: the command line is wrong.
    No,
}

/// Options of the daemon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// `-y`: the configuration file.
    pub(crate) config: Option<BString>,
    /// `-p`: the global prefix.
    pub(crate) prefix: Option<BString>,
    /// `-g`: the pid file.
    pub(crate) pid: Option<BString>,
    /// `-t`, `-tt`.
    pub(crate) purpose: Purpose,
    /// `--test-php`: what is tested.
    pub(crate) tested: Tested,
    /// `-R`: pools may run as root.
    pub(crate) root: Root,
    /// `-D` or `-F`.
    pub(crate) background: Option<Background>,
    /// `-O`: where the log goes in the foreground.
    pub(crate) stderr: Stderr,
    /// `-c`, `-n`, `-d`, `-e`.
    pub(crate) php: PhpOptions,
}

/// What is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tested {
    /// The configuration.
    #[default]
    Configuration,
    /// That PHP starts with it as well.
    Php,
}

/// Whether pools may run as root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Root {
    /// They may not.
    #[default]
    Refused,
    /// `-R`.
    Allowed,
}

/// Where the log goes when the daemon stays in the foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// To stderr when that is a terminal, else to the error log.
    #[default]
    IfTerminal,
    /// `-O`: to stderr.
    Always,
    /// To the error log, as in the background: a daemon that has gone there has no terminal to come back to, whatever it is told
    /// by a reload.
    Never,
}

/// Reads the command line; `arguments` begin with the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Command {
    let mut arguments = arguments.into_iter();
    let mut options = Options::new(arguments.next().unwrap_or_default());
    let mut parser = Parser::from_args(arguments);
    match read(&mut parser, &mut options) {
        Ok(Some(command)) => command,
        Ok(None) => Command::Serve(Box::new(options)),
        Err(_) => Command::Usage(Asked::No),
    }
}

/// Reads options until the end or until one settles it.
fn read(parser: &mut Parser, options: &mut Options) -> Result<Option<Command>, lexopt::Error> {
    let mut information = false;
    while let Some(argument) = parser.next()? {
        let form = if matches!(argument, Long(_)) {
            Form::Long
        } else {
            Form::Short
        };
        match argument {
            Short('h' | '?') | Long("help" | "usage") => {
                return Ok(Some(Command::Usage(Asked::Yes)));
            }
            Short('v') | Long("version") => return Ok(Some(Command::Version(options.php.clone()))),
            Short('m') | Long("modules") => return Ok(Some(Command::Modules(options.php.clone()))),
            Short('i') | Long("info") => information = true,
            Short('c') | Long("php-ini") => options.php.ini_path = Some(value(parser, form)?),
            Short('n') | Long("no-php-ini") => options.php.ignore_ini = true,
            Short('d') | Long("define") => options.php.defines.push(value(parser, form)?),
            Short('e') | Long("profile-info") => options.php.extended_info = true,
            // An empty name is none: the default applies.
            Short('y') | Long("fpm-config") => {
                options.config = Some(value(parser, form)?).filter(|name| !name.is_empty());
            }
            Short('p') | Long("prefix") => options.prefix = Some(value(parser, form)?),
            Short('g') | Long("pid") => options.pid = Some(value(parser, form)?),
            Short('t') | Long("test") => options.purpose = more(options.purpose),
            Long("test-php") => options.tested = Tested::Php,
            Short('R') | Long("allow-to-run-as-root") => options.root = Root::Allowed,
            Short('D') | Long("daemonize") => options.background = Some(Background::Daemonize),
            Short('F') | Long("nodaemonize") => options.background = Some(Background::Foreground),
            Short('O') | Long("force-stderr") => options.stderr = Stderr::Always,
            Short(_) | Long(_) | Value(_) => return Ok(Some(Command::Usage(Asked::No))),
        }
        if form == Form::Long {
            // A long option that takes no value may have one; it is not looked at.
            parser.optional_value();
        }
    }
    // To test PHP is to test, with or without `-t`.
    if options.tested == Tested::Php && options.purpose == Purpose::Run {
        options.purpose = Purpose::Test;
    }
    Ok(information.then(|| Command::Information(options.php.clone())))
}

/// How an option was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As `-y`.
    Short,
    /// As `--fpm-config`.
    Long,
}

/// Takes the value of an option. `--name=` has none, while `-n ''` has an empty one.
fn value(parser: &mut Parser, form: Form) -> Result<BString, lexopt::Error> {
    let joined = match form {
        Form::Short => None,
        Form::Long => parser.optional_value(),
    };
    let value = match joined {
        Some(empty) if empty.is_empty() => {
            return Err(lexopt::Error::MissingValue { option: None });
        }
        Some(value) => value,
        None => parser.value()?,
    };
    Ok(value.into_vec().into())
}

/// Counts `-t`.
fn more(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::Run => Purpose::Test,
        Purpose::Test | Purpose::TestAndDump => Purpose::TestAndDump,
    }
}

impl Options {
    /// Makes options that name a configuration and nothing else.
    pub(crate) fn of_configuration(config: Option<BString>, prefix: Option<BString>) -> Options {
        Options {
            config,
            prefix,
            ..Options::new(OsString::new())
        }
    }

    fn new(argv0: OsString) -> Options {
        Options {
            config: None,
            prefix: None,
            pid: None,
            purpose: Purpose::Run,
            tested: Tested::default(),
            root: Root::default(),
            background: None,
            stderr: Stderr::default(),
            php: PhpOptions {
                argv0: argv0.into_vec().into(),
                ..PhpOptions::default()
            },
        }
    }
}
