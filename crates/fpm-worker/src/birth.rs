//! How a forked process becomes a worker of its pool: everything between the fork and the first request, in the original's order.
//!
//! The order is a matter of security: limits and root directory while the process may still set them, then the identity, and only
//! then anything that runs foreign code (extensions of `php_admin_value`) or reads what clients send. A step that fails ends the
//! process with [`exit::SOFTWARE`].
//!
//! Original: fpm_child_init in sapi/fpm/fpm/fpm_children.c, fpm_unix_init_child in sapi/fpm/fpm/fpm_unix.c.

mod apparmor;
mod confinement;
mod cpus;
mod error;
pub mod limits;
pub mod words;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use fpm_channel::worker::WorkerEnd;
use fpm_conf::{ListenAddress, LogFormat, LogLevel, Pool};
use fpm_os::identity::Identity;
use fpm_os::signal::Signal;
use fpm_os::signal::quit::QuitFlag;
use fpm_os::signal::set::{Disposition, SignalSet, set_disposition};
use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::title::ProcessTitle;
use fpm_os::{clock, environment as process_environment, process};
use fpm_scoreboard::{Birth, PoolBoard, PoolLedger};
use nix::unistd::Pid;
use sapi::{Engine, IniAccess, IniError};

pub use self::error::BirthError;
use self::words::FirstWords;
use crate::access_log::AccessLog;
use crate::allowed_clients::{self, AllowedClients};
use crate::environment::{self, Account};
use crate::exit;
use crate::log::{FlushMarks, Log};
use crate::php_messages;
use crate::serve::Worker;
use crate::share::Share;
use crate::standby::{Marks, Place};
use crate::status::Reported;
use crate::watch::{Sources, Watch};
use crate::watchdog::Watchdog;

/// What a zygote gives to a worker.
#[derive(Debug)]
pub struct Assignment {
    /// The pool it works for.
    pub pool: Pool,
    /// The pool's part of the scoreboard.
    pub board: PoolBoard,
    /// Its part of the ledger.
    pub ledger: PoolLedger,
    /// Its slot there.
    pub slot: u32,
    /// The pool's place among all pools.
    pub index: u32,
    /// The generation of the configuration.
    pub generation: u64,
    /// The pool's listening socket.
    pub listener: Arc<OwnedFd>,
    /// Where connections come from that other workers had ([`fpm_os::relay`]).
    pub relay: Arc<OwnedFd>,
    /// What it shares with the pool's other workers, so that not all of them wait for clients; nothing when all do.
    pub standby: Option<Marks>,
    /// The zygote's process.
    pub zygote: Pid,
    /// Its end of its control socket.
    pub control: OwnedFd,
    /// Where its output goes (`catch_workers_output`); nothing means /dev/null.
    pub output: Option<Output>,
    /// Whom it runs as.
    pub runs_as: RunsAs,
    /// For USER and HOME.
    pub account: Account,
    /// Its access log, open for appending.
    pub access_log: Option<OwnedFd>,
    /// The pool whose status its status page shows.
    pub reported: Reported,
    /// The master's process.
    pub master: Pid,
    /// `log_level` and `log_limit`.
    pub log: Log,
    /// `log_format`.
    pub log_format: LogFormat,
    /// Takes what goes wrong before the first request, when the worker's output is not caught.
    pub first_words: io::PipeWriter,
}

/// Whom a worker runs as.
#[derive(Debug)]
pub enum RunsAs {
    /// Who the zygote is.
    Same,
    /// Who the zygote has become, because all its pools are served as that user. What is left is to make sure.
    Zygote(Identity),
    /// Somebody else than the zygote, which is root.
    Other(Identity),
}

/// The write ends of the pipes that take a worker's output.
#[derive(Debug)]
pub struct Output {
    /// For its standard output.
    pub stdout: OwnedFd,
    /// For its standard error.
    pub stderr: OwnedFd,
}

/// Lives the life of a worker in the process that was just forked, with all signals blocked and none caught. Returns its exit
/// code.
///
/// The caller has closed what is not the worker's.
pub fn live(assignment: Box<Assignment>, engine: Engine, title: Option<&mut ProcessTitle>) -> u8 {
    be_born(assignment, engine, title).map_or(exit::SOFTWARE, |worker| worker.serve())
}

/// Makes a worker of this process, or says why it cannot be one.
///
/// What happens here needs stack that serving does not: it is given back before PHP runs.
#[inline(never)]
fn be_born(
    assignment: Box<Assignment>,
    engine: Engine,
    title: Option<&mut ProcessTitle>,
) -> Option<Box<Worker>> {
    let log = assignment.log;
    let name = assignment.pool.name.clone();
    let zygote = match assignment.output {
        Some(_) => None,
        None => assignment.first_words.try_clone().ok(),
    };
    let mut words = FirstWords::new(log, zygote);
    match set_up(*assignment, engine, title, &mut words) {
        Ok(worker) => Some(worker),
        Err(error) => {
            let name = name.as_bstr();
            words.say(LogLevel::Error, &said_of(name, &error.to_string()));
            words.say(
                LogLevel::Error,
                &said_of(name, "child failed to initialize"),
            );
            None
        }
    }
}

fn set_up(
    assignment: Assignment,
    mut engine: Engine,
    title: Option<&mut ProcessTitle>,
    words: &mut FirstWords,
) -> Result<Box<Worker>, BirthError> {
    let pool = &assignment.pool;
    let own = Reported {
        name: pool.name.clone(),
        manager: pool.pm,
        board: assignment.board.clone(),
        listener: Arc::clone(&assignment.listener),
        relay: Arc::clone(&assignment.relay),
    };
    let slot = assignment.board.claim(
        assignment.slot,
        Birth {
            pid: process::id(),
            generation: assignment.generation,
            started: clock::realtime(),
        },
    )?;
    let flush_marks = match (&assignment.output, assignment.log_format) {
        (Some(_), LogFormat::Fpm) => FlushMarks::Written,
        (Some(_), LogFormat::Json) => FlushMarks::Named,
        (None, _) => FlushMarks::None,
    };
    let seed = process::id().as_raw().unsigned_abs();
    let share = Share::new(pool, assignment.board.clone(), assignment.slot, seed);
    let share = share.map_err(BirthError::Memory)?;
    replace_stdio(assignment.output).map_err(BirthError::Stdio)?;
    cpus::bind(pool, assignment.index, assignment.slot, words);
    confinement::confine(pool, &assignment.runs_as, words)?;
    let quit = set_signals().map_err(BirthError::Signals)?;
    if let Some(title) = title {
        title.set(&[b"php-fpm: pool ", pool.name.as_slice()].concat());
    }
    set_environment(pool, &assignment.account)?;
    set_php_values(pool, &mut engine, words)?;
    for message in php_messages::collected() {
        words.say(LogLevel::Notice, &message);
    }
    php_messages::write_to_stderr(assignment.log);
    let allowed = allowed_clients(pool, words);
    let access_log = assignment
        .access_log
        .and_then(|file| AccessLog::new(file, pool, assignment.generation, assignment.master));
    let control = WorkerEnd::adopt(assignment.control);
    if let Err(error) = watch_requests(
        pool,
        &mut engine,
        (assignment.board, assignment.slot),
        &control,
    ) {
        let text = format!("failed to start the watchdog: {error}");
        words.say(LogLevel::Warning, &said_of(pool.name.as_bstr(), &text));
    }
    let sources = Sources::new(assignment.listener, assignment.relay);
    let place = assignment
        .standby
        .map(|marks| Place::new(marks, assignment.slot, assignment.zygote))
        .transpose()
        .map_err(BirthError::Watch)?;
    let watch = Watch::new(sources, place, control, quit, access_log).map_err(BirthError::Watch)?;
    SignalSet::empty().set_mask().map_err(BirthError::Signals)?;
    engine.after_fork();
    Ok(Box::new(Worker {
        pool: assignment.pool,
        own,
        reported: assignment.reported,
        engine,
        watch,
        slot,
        ledger: assignment.ledger,
        allowed,
        log: assignment.log,
        flush_marks,
        share,
    }))
}

/// Starts the watchdog of a pool that wants one. All signals are blocked until the worker is born, and stay so there.
fn watch_requests(
    pool: &Pool,
    engine: &mut Engine,
    (board, slot): (PoolBoard, u32),
    control: &WorkerEnd,
) -> io::Result<()> {
    if !pool.watches() {
        return Ok(());
    }
    let reminder = match pool.request_soft_timeout {
        0 => None,
        _ => Some(engine.reminder()?),
    };
    let php = (engine.stack(), reminder);
    Watchdog::new(pool, php, board, slot, control.sender()?).start()
}

/// Puts the pool's name in front of a message.
fn said_of(pool: &BStr, text: &str) -> Vec<u8> {
    [b"[pool ", pool.as_bytes(), b"] ", text.as_bytes()].concat()
}

fn replace_stdio(output: Option<Output>) -> io::Result<()> {
    match output {
        Some(output) => {
            StandardStream::Output.replace(output.stdout)?;
            StandardStream::Error.replace(output.stderr)
        }
        None => {
            let null = open_null()?;
            StandardStream::Output.replace(&null)?;
            StandardStream::Error.replace(&null)
        }
    }
}

/// What ends a process by default does so again, whatever the daemon was started with; SIGQUIT only asks for the end.
fn set_signals() -> io::Result<QuitFlag> {
    for signal in [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::USR1,
        Signal::USR2,
        Signal::CHLD,
    ] {
        set_disposition(signal, Disposition::Default)?;
    }
    QuitFlag::install(Signal::QUIT)
}

fn set_environment(pool: &Pool, account: &Account) -> Result<(), BirthError> {
    let master = |name: &[u8]| {
        let value = std::env::var_os(OsStr::from_bytes(name))?;
        Some(BString::from(value.into_vec()))
    };
    let plan = environment::plan(pool, account, master);
    let variables = plan
        .set
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()));
    process_environment::replace(plan.inherited, variables)?;
    Ok(())
}

/// `php_value` and `php_admin_value`; what PHP does not know is told and ignored.
fn set_php_values(
    pool: &Pool,
    engine: &mut Engine,
    words: &mut FirstWords,
) -> Result<(), BirthError> {
    for (values, access, directive) in [
        (&pool.php_value, IniAccess::User, "php_value"),
        (&pool.php_admin_value, IniAccess::System, "php_admin_value"),
    ] {
        for (key, value) in values {
            match engine.set_ini(key, value, access) {
                Ok(()) => {}
                // What it should forbid may not be forbidden.
                Err(error @ IniError::Failed { .. }) => return Err(error.into()),
                Err(IniError::Unknown { .. } | IniError::NulByte { .. }) => {
                    let text = [b"Unable to set ", directive.as_bytes(), b" '", key, b"'"].concat();
                    words.say(LogLevel::Error, &text);
                }
            }
        }
    }
    engine.finish_ini();
    Ok(())
}

/// `listen.allowed_clients`, which only means something for TCP.
fn allowed_clients(pool: &Pool, words: &mut FirstWords) -> AllowedClients {
    if let ListenAddress::Unix(_) = pool.listen {
        return AllowedClients::Anybody;
    }
    let directive = pool
        .listen_allowed_clients
        .as_ref()
        .map(|list| list.as_bstr());
    let allowed = AllowedClients::parse(directive, |entry: &BStr| {
        words.say(LogLevel::Error, &allowed_clients::wrong_address(entry));
    });
    if allowed == AllowedClients::Only(Vec::new()) {
        words.say(LogLevel::Error, allowed_clients::NO_ADDRESSES.as_bytes());
    }
    allowed
}
