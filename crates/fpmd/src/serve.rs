//! The master's role: from the command line to the running daemon and its end.
//!
//! Rule: the order of steps is php-fpm's, because it decides which message comes first and which exit code: what fails
//! before the daemon goes into the background is seen by whoever starts it.
//!
//! Original: sapi/fpm/fpm/fpm.c (`fpm_init`), fpm_unix.c (`fpm_unix_init_main`)

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use fpm_conf::{Config, LogFormat, Purpose, Report};
use fpm_master::error::MasterError;
use fpm_master::inherited::Inherited;
use fpm_master::program::{self, Starter};
use fpm_master::run::Prepared;
use fpm_master::store::{CAPACITY, Store};
use fpm_os::environment;
use fpm_os::error::described;
use fpm_os::process::start_session;
use fpm_os::sink;
use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::title::ProcessTitle;
use nix::errno::Errno;
use nix::unistd::{Uid, getuid};

use crate::background::{Readiness, into_background};
use crate::cli::{Options, Root, Tested};
use crate::configuration::load;
use crate::daemon::Daemon;
use crate::limits::{set_limits, set_priority};
use crate::log::{Destination, Log};
use crate::messages::show;
use crate::{executable, exit};

/// Settings by which PHP tells us what is wrong at its start, instead of showing it to nobody or writing it to a file.
const TELL_ALL: [&str; 3] = ["display_startup_errors=0", "log_errors=1", "error_log="];

/// Serves, or tests the configuration; returns the exit code.
pub(crate) fn run(options: &Options, log: &Log) -> u8 {
    if let Err(error) = silence() {
        tracing::error!(
            "failed to init stdio: open(\"/dev/null\"): {}",
            cause(&error)
        );
        return given_up(exit::CONFIG);
    }
    let config = match load(options) {
        Ok(loaded) => {
            report_to(log, &loaded.report, options);
            loaded.config
        }
        Err(error) => {
            report_to(log, error.report(), options);
            return given_up(exit::CONFIG);
        }
    };
    if options.purpose != Purpose::Run && options.tested == Tested::Configuration {
        return exit::OK;
    }
    if !set_limits(&config) {
        return given_up(exit::CONFIG);
    }
    // To be found out before the working directory or the title change.
    let executable = match executable::path(OsStr::from_bytes(&options.php.argv0)) {
        Ok(executable) => executable,
        Err(error) => {
            tracing::error!("failed to find the executable: {}", cause(&error));
            return given_up(exit::CONFIG);
        }
    };
    let notify_socket = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty());
    let around = program::Options {
        executable,
        php: options.php.clone(),
        starter: starter(options.root),
        stderr: stderr(&config),
        store: Store::new(notify_socket.clone(), env::var_os(CAPACITY)),
        notify_socket,
    };
    // Systemd gives them to this process, which in the background is not the one that serves.
    let inherited = Inherited::take(|variable| env::var_os(variable));
    if let Err(error) = environment::remove(inherited.variables().chain([CAPACITY])) {
        tracing::error!("{error}");
        return given_up(exit::CONFIG);
    }
    if options.tested == Tested::Php {
        return test_php(config, around);
    }
    if !config.global.daemonize {
        return work(config, options, around, inherited, log, None);
    }
    into_background(|readiness| work(config, options, around, inherited, log, Some(readiness)))
        .unwrap_or_else(|error| {
            tracing::error!("failed to daemonize: {error}");
            given_up(exit::CONFIG)
        })
}

/// Starts PHP as a start would and ends it; returns the exit code.
fn test_php(config: Config, mut around: program::Options) -> u8 {
    around.php.defines.extend(TELL_ALL.map(Into::into));
    let write = |bytes: &[u8]| {
        // Nobody else would hear of it.
        let _ = io::stderr().write_all(bytes);
    };
    match fpm_master::try_php(config, &around, write) {
        Ok(version) => {
            tracing::info!("PHP {version} test is successful");
            exit::OK
        }
        Err(error) => {
            tracing::error!("{error}");
            given_up(exit::CONFIG)
        }
    }
}

/// Is the daemon; returns its exit code.
fn work(
    config: Config,
    options: &Options,
    around: program::Options,
    inherited: Inherited,
    log: &Log,
    readiness: Option<Readiness>,
) -> u8 {
    // The leader of a process group, as a shell's foreground job is, has to stay in its session.
    let _ = start_session();
    set_title(&config);
    let mut daemon = Daemon::new(&config, options.clone(), log.clone(), readiness);
    if !set_priority(&config) {
        daemon.failed();
        return given_up(exit::CONFIG);
    }
    match Prepared::new(config, around, inherited).and_then(|prepared| prepared.run(&mut daemon)) {
        Ok(()) => {
            daemon.ended();
            exit::OK
        }
        Err(error) => {
            tracing::error!("{error}");
            daemon.failed();
            match exit_code(&error) {
                exit::CONFIG => given_up(exit::CONFIG),
                code => code,
            }
        }
    }
}

/// Says that the daemon cannot start, as php-fpm does after whatever the reason was.
fn given_up(code: u8) -> u8 {
    tracing::error!("FPM initialization failed");
    code
}

/// Sorts out whether the configuration or something else is to blame.
fn exit_code(error: &MasterError) -> u8 {
    match error {
        MasterError::Php { .. }
        | MasterError::ZygoteEnded { .. }
        | MasterError::Zygote { .. }
        | MasterError::Channel(_)
        | MasterError::Events(_) => exit::SOFTWARE,
        _ => exit::CONFIG,
    }
}

/// Replaces standard input and output by /dev/null.
fn silence() -> io::Result<()> {
    let null = open_null()?;
    StandardStream::Input.replace(&null)?;
    StandardStream::Output.replace(&null)
}

/// Writes what there is to say about the configuration. What was said after `error_log` could be opened belongs there. Who only
/// tests it reads the answer himself: it has php-fpm's form, whatever `log_format` says.
fn report_to(log: &Log, report: &Report, options: &Options) {
    let earlier = report
        .log
        .as_ref()
        .map_or(report.messages.len(), |log| log.earlier);
    let (earlier, later) = report.messages.split_at(earlier.min(report.messages.len()));
    show(log, earlier);
    log.set_level(report.level);
    if let Some(opened) = &report.log {
        let mut global = opened.global.clone();
        if options.purpose != Purpose::Run {
            global.log_format = LogFormat::Fpm;
        }
        let destination = Destination::of(&global, options.stderr);
        if let Err(error) = log.open(&global, destination) {
            tracing::error!("failed to open error_log: {}", cause(&error));
        }
    }
    show(log, later);
}

fn set_title(config: &Config) {
    match ProcessTitle::claim() {
        Ok(mut title) => title.set(format!("php-fpm: master process ({})", config.name).as_bytes()),
        Err(error) => tracing::debug!("{error}"),
    }
}

/// Returns standard error, to be kept when the daemon stays in the foreground. That it is closed is no reason not to start.
fn stderr(config: &Config) -> Option<Arc<File>> {
    let kept = !config.global.daemonize;
    kept.then(sink::open_stderr)?.ok().map(Arc::new)
}

fn starter(root: Root) -> Starter {
    match root {
        _ if !Uid::effective().is_root() => Starter::Unprivileged(getuid()),
        Root::Refused => Starter::Root,
        Root::Allowed => Starter::RootAllowed,
    }
}

/// Formats an error as php-fpm does.
fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || error.to_string(),
        |errno| described(Errno::from_raw(errno)),
    )
}
