//! The master's role: from the command line to the running daemon and its end.
//!
//! Rule: the order of steps is php-fpm's, because it decides which message comes first and which exit code: what fails
//! before the daemon goes into the background is seen by whoever starts it.
//!
//! Original: sapi/fpm/fpm/fpm.c (`fpm_init`), fpm_unix.c (`fpm_unix_init_main`)

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use fpm_conf::{ConfError, Config, LogFormat, Purpose, Report};
use fpm_master::company::Beside;
use fpm_master::error::MasterError;
use fpm_master::inherited::Inherited;
use fpm_master::program::{self, Starter};
use fpm_master::run::{Adopted, Prepared};
use fpm_master::store::{CAPACITY, Store};
use fpm_master::upgrade::{Extent, Heritage};
use fpm_os::environment;
use fpm_os::process::start_session;
use fpm_os::sink;
use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::title::ProcessTitle;
use nix::unistd::{Uid, getuid};

use crate::background::{Readiness, into_background};
use crate::cause::cause;
use crate::cli::{Options, Root, Stderr, Tested};
use crate::configuration::load;
use crate::daemon::{Daemon, reasons};
use crate::limits::{set_limits, set_priority};
use crate::log::{Destination, Log};
use crate::messages::show;
use crate::{executable, exit};

/// Settings by which PHP tells us what is wrong at its start, instead of showing it to nobody or writing it to a file.
const TELL_ALL: [&str; 3] = ["display_startup_errors=0", "log_errors=1", "error_log="];

/// Serves, or tests the configuration; returns the exit code.
pub(crate) fn run(options: &Options, arguments: &[OsString], log: &Log) -> u8 {
    if let Err(error) = silence() {
        tracing::error!(
            "failed to init stdio: open(\"/dev/null\"): {}",
            cause(&error)
        );
        return given_up(exit::CONFIG);
    }
    let Ok(config) = read(options, log) else {
        return given_up(exit::CONFIG);
    };
    if options.purpose != Purpose::Run && options.tested == Tested::Configuration {
        return exit::OK;
    }
    if !set_limits(&config) {
        return given_up(exit::CONFIG);
    }
    let capacity = env::var_os(CAPACITY);
    let Some(around) = around(options, arguments, capacity, stderr(&config)) else {
        return given_up(exit::CONFIG);
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

/// Goes on in the place of another program; returns the exit code.
pub(crate) fn take_over(
    options: &Options,
    arguments: &[OsString],
    heritage: Heritage,
    log: &Log,
) -> u8 {
    let capacity = heritage.stores.then(|| OsString::from("1"));
    let mut options = options.clone();
    if heritage.in_background {
        options.stderr = Stderr::Never;
    }
    let Some(around) = around(&options, arguments, capacity, heritage.stderr.clone()) else {
        return given_up(exit::CONFIG);
    };
    let loaded = heritage.config().map_or_else(
        || load(&options).map(|loaded| (loaded.config, loaded.report.level)),
        |config| Ok((config.clone(), config.global.log_level)),
    );
    let (config, level) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            report_to(log, error.report(), &options);
            return given_up(exit::CONFIG);
        }
    };
    log.set_level(level);
    let destination = Destination::of(&config.global, options.stderr);
    let opened = log.open(&config.global, destination);
    if let Err(error) = opened.and_then(|()| log.launched()) {
        tracing::error!("failed to open error_log: {}", cause(&error));
    }
    set_title(&config);
    let mut daemon = Daemon::new(&config, options, log.clone(), None);
    let outcome = match heritage.extent {
        Extent::Whole(whole) => {
            Adopted::new(around, *whole).and_then(|adopted| adopted.run(&mut daemon))
        }
        Extent::Sockets(left) => Prepared::succeeding(config, around, *left)
            .and_then(|prepared| prepared.run(&mut daemon)),
    };
    ended(&mut daemon, outcome)
}

/// Serves beside the master that has started this one; returns the exit code.
///
/// That one hears why not, besides the log.
pub(crate) fn beside(options: &Options, arguments: &[OsString], beside: Beside, log: &Log) -> u8 {
    let voice = beside.voice();
    let fail = |reasons| {
        if let Ok(voice) = &voice {
            voice.fail(reasons);
        }
    };
    if let Err(error) = silence() {
        tracing::error!("{}", cause(&error));
    }
    let config = match read(options, log) {
        Ok(config) => config,
        Err(error) => {
            fail(reasons(&error));
            return given_up(exit::CONFIG);
        }
    };
    let capacity = beside.stores.then(|| OsString::from("1"));
    let around = around(options, arguments, capacity, beside.stderr.clone());
    let (true, Some(around)) = (set_limits(&config), around) else {
        return given_up(exit::CONFIG);
    };
    set_title(&config);
    let mut daemon = Daemon::new(&config, options.clone(), log.clone(), None);
    if !set_priority(&config) {
        return given_up(exit::CONFIG);
    }
    let prepared = Prepared::beside(config, around, beside);
    let outcome = prepared.and_then(|prepared| prepared.run(&mut daemon));
    if let Err(error) = &outcome {
        fail(vec![error.to_string()]);
    }
    ended(&mut daemon, outcome)
}

/// Reads the configuration, and says what there is to say about it.
fn read(options: &Options, log: &Log) -> Result<Config, ConfError> {
    let loaded = load(options);
    let report = match &loaded {
        Ok(loaded) => &loaded.report,
        Err(error) => error.report(),
    };
    report_to(log, report, options);
    loaded.map(|loaded| loaded.config)
}

/// Puts together what the master cannot know.
fn around(
    options: &Options,
    arguments: &[OsString],
    capacity: Option<OsString>,
    stderr: Option<Arc<File>>,
) -> Option<program::Options> {
    // To be found out before the working directory or the title change.
    let executable = match executable::path(OsStr::from_bytes(&options.php.argv0)) {
        Ok(executable) => executable,
        Err(error) => {
            tracing::error!("failed to find the executable: {}", cause(&error));
            return None;
        }
    };
    let notify_socket = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty());
    Some(program::Options {
        executable,
        arguments: arguments.to_vec(),
        php: options.php.clone(),
        starter: starter(options.root),
        stderr,
        store: Store::new(notify_socket.clone(), capacity),
        notify_socket,
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
    let prepared = Prepared::new(config, around, inherited);
    let outcome = prepared.and_then(|prepared| prepared.run(&mut daemon));
    ended(&mut daemon, outcome)
}

/// Cleans up after the daemon; returns its exit code.
fn ended(daemon: &mut Daemon, outcome: Result<(), MasterError>) -> u8 {
    match outcome {
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
