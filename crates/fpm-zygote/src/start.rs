//! The first conversation: what is to be served, and whether PHP can serve it.

use std::ffi::{CStr, CString, OsString};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use bstr::BString;
use fpm_channel::{FromZygote, Next, Parameters, Start, ToZygote, ZygoteEnd};
use fpm_conf::{LogLevel, PoolIndex};
use fpm_os::identity::Identity;
use fpm_os::process;
use fpm_os::stdio::{StandardStream, open_null};
use fpm_scoreboard::{Board, Ledger};
use fpm_worker::php_messages;
use nix::unistd::{Pid, getppid};
use sapi::{Engine, SapiError, StartOptions};

use crate::error::ZygoteError;
use crate::privileges;
use crate::standbys::Standbys;

/// Everything that is served from.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) parameters: Parameters,
    /// Not mapped here: each worker maps its own pool's area.
    pub(crate) board: Board,
    /// As the scoreboard.
    pub(crate) ledger: Ledger,
    pub(crate) listeners: Vec<OwnedFd>,
    /// For each of them.
    pub(crate) relays: Vec<OwnedFd>,
    pub(crate) standbys: Standbys,
    /// The master's process.
    pub(crate) master: Pid,
    /// This process.
    pub(crate) zygote: Pid,
    pub(crate) engine: Engine,
    /// Whom this process has become because all pools are served as that user.
    pub(crate) became: Option<Identity>,
}

impl Stage {
    /// Decides with a pool's first worker whether all of them wait for clients.
    ///
    /// # Errors
    /// When there is no room for what they are to share if not.
    pub(crate) fn decide_standby(&mut self, pool: PoolIndex) -> Result<(), ZygoteError> {
        let index = usize::try_from(pool.0).unwrap_or(usize::MAX);
        let parameters = &self.parameters;
        let known = parameters
            .pools
            .get(index)
            .zip(parameters.config.pools.get(index));
        let Some((start, pool_conf)) = known.filter(|_| !self.standbys.is_decided(pool)) else {
            return Ok(());
        };
        // Those who wait might all be bound to processors that are busy.
        let slots = match pool_conf.process_cpu_affinity {
            Some(_) => 0,
            None => self.board.slots(start.area)?,
        };
        self.standbys
            .decide(pool, slots)
            .map_err(ZygoteError::call("making shared memory or an eventfd"))
    }
}

/// Waits for the master's first message.
pub(crate) fn receive(channel: &mut ZygoteEnd) -> Result<Start, ZygoteError> {
    match channel.wait()? {
        Next::Message(ToZygote::Start(start)) => Ok(*start),
        _ => Err(ZygoteError::NotStarted),
    }
}

/// Starts PHP and tells the master how that went.
pub(crate) fn start(start: Start, channel: &mut ZygoteEnd) -> Result<Stage, ZygoteError> {
    let started = try_start(start, channel);
    match &started {
        Ok(stage) => channel.send(&FromZygote::Ready {
            php_version: stage.engine.version().to_owned(),
        })?,
        Err(error) => failed(channel, error),
    }
    started
}

fn try_start(start: Start, channel: &mut ZygoteEnd) -> Result<Stage, ZygoteError> {
    let board = Board::adopt(start.scoreboard)?;
    let ledger = Ledger::adopt(start.ledger)?;
    for pool in &start.parameters.pools {
        // A worker could not tell anybody what is wrong with it.
        board.slots(pool.area)?;
        ledger.check(pool.ledger)?;
    }
    let (engine, became) = start_php(&start.parameters, channel);
    for text in php_messages::collected() {
        tell(channel, LogLevel::Notice, text)?;
    }
    let engine = engine?;
    // What PHP has displayed so far waits in the C library's buffer. Of a PHP that does not start it is the reason, and comes out
    // when the process ends; of one that does it is nothing that anybody asked for.
    let null = open_null().map_err(ZygoteError::call("open(/dev/null)"))?;
    StandardStream::Output
        .replace(null)
        .map_err(ZygoteError::call("dup2()"))?;
    if let Ok(threads) = process::threads()
        && threads > 1
    {
        let text = format!(
            "PHP's extensions have started {} threads; they do not exist in workers",
            threads - 1
        );
        tell(channel, LogLevel::Warning, text.into())?;
    }
    Ok(Stage {
        parameters: start.parameters,
        board,
        ledger,
        listeners: start.listeners,
        relays: start.relays,
        standbys: Standbys::new(),
        master: getppid(),
        zygote: process::id(),
        engine,
        became,
    })
}

/// Starts PHP, on the way as the user that all pools share. Returns whom the process has become beside.
fn start_php(
    parameters: &Parameters,
    channel: &mut ZygoteEnd,
) -> (Result<Engine, SapiError>, Option<Identity>) {
    let shared = privileges::shared_identity(&parameters.config, &parameters.pools);
    let mut became = None;
    let mut settle = |preload_user: Option<&CStr>| {
        let Some(shared) = shared
            .as_ref()
            .filter(|shared| !privileges::preloads_as_other(shared, preload_user))
        else {
            return ControlFlow::Continue(());
        };
        match privileges::become_shared(shared) {
            Ok(()) => {
                became = Some(shared.clone());
                ControlFlow::Continue(())
            }
            Err(error) => {
                // PHP ends the process now.
                failed(channel, &error);
                ControlFlow::Break(())
            }
        }
    };
    let options = options(parameters);
    let engine = Engine::start_settled(&options, php_messages::take, &mut settle);
    (engine, became)
}

/// Tells the master that PHP cannot serve. A master that cannot be told is gone.
fn failed(channel: &mut ZygoteEnd, error: &ZygoteError) {
    let reason = error.to_string().into();
    let _untold = channel
        .send(&FromZygote::Failed { reason })
        .and_then(|()| channel.flush_wait());
}

fn tell(channel: &mut ZygoteEnd, level: LogLevel, text: BString) -> Result<(), ZygoteError> {
    channel.send(&FromZygote::Log { level, text })?;
    Ok(())
}

fn options(parameters: &Parameters) -> StartOptions {
    let php = &parameters.php;
    // An argument that a process was started with holds no NUL byte.
    let argv0 = CString::new(php.argv0.to_vec()).unwrap_or_default();
    let pools = &parameters.config.pools;
    let path = |path: &BString| OsString::from_vec(path.to_vec()).into();
    StartOptions {
        argv0,
        ini_path: php.ini_path.as_ref().map(path),
        ignore_ini: php.ignore_ini,
        defines: php.defines.clone(),
        extended_info: php.extended_info,
        limits_time: pools.iter().any(|pool| pool.request_soft_timeout > 0),
    }
}
