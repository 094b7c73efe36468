//! From the zygote to a worker: what the child of a fork keeps, and what it gives up before anything else happens.
//!
//! A worker runs foreign code as another user. It must not be able to speak for the zygote, to take connections or watch the
//! statistics of other pools, or to find their configuration (passwords in `env[…]`) in its memory.
//!
//! PHP runs above the frames of this file for the worker's whole life, and every page of the stack that a worker writes to is one
//! more for each worker. So what is large is boxed, and built in functions that have returned before PHP runs.

use std::ffi::CString;
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use fpm_channel::{Output, Parameters, PoolStart, RunAs, Spawn};
use fpm_conf::{Pool, PoolIndex};
use fpm_os::descriptor::close_all;
use fpm_os::identity::Identity;
use fpm_os::title::ProcessTitle;
use fpm_scoreboard::{Board, Ledger, PoolBoard, PoolLedger};
use fpm_worker::birth::{self, Assignment, RunsAs};
use fpm_worker::environment::Account;
use fpm_worker::log::Log;
use fpm_worker::status::Reported;
use nix::unistd::{Gid, Uid};
use sapi::Engine;

use crate::start::Stage;

/// What a worker of a pool takes out of the zygote's things.
struct Share {
    pool: Pool,
    start: PoolStart,
    board: PoolBoard,
    ledger: PoolLedger,
    listener: Arc<OwnedFd>,
    relay: Arc<OwnedFd>,
    reported: Reported,
}

/// Lives the life of the worker that `spawn` orders, in the process that was forked for it; returns its exit code.
pub(crate) fn live(
    stage: Box<Stage>,
    spawn: Spawn,
    first_words: PipeWriter,
    title: Option<&mut ProcessTitle>,
) -> u8 {
    // The zygote has asked `has_pool` before it forked. There may be no memory.
    let Some((assignment, engine)) = assign(stage, spawn, first_words) else {
        return fpm_worker::exit::SOFTWARE;
    };
    birth::live(assignment, engine, title)
}

/// Puts together what the worker takes; the rest is dropped.
#[inline(never)]
fn assign(
    stage: Box<Stage>,
    spawn: Spawn,
    first_words: PipeWriter,
) -> Option<(Box<Assignment>, Engine)> {
    let stage = *stage;
    let log = log(&stage.parameters);
    let log_format = stage.parameters.config.global.log_format;
    let generation = stage.parameters.generation.0;
    let index = usize::try_from(spawn.pool.0).unwrap_or(usize::MAX);
    let memory = (&stage.board, &stage.ledger);
    let sockets = (stage.listeners, stage.relays);
    let standby = stage.standbys.keep(spawn.pool);
    let share = share(index, stage.parameters, memory, sockets);
    // The files have the areas of all pools.
    drop((stage.board, stage.ledger));
    let share = share?;
    let runs_as = match (stage.became, share.start.run_as.as_ref()) {
        (Some(shared), _) => RunsAs::Zygote(shared),
        (None, Some(run_as)) => RunsAs::Other(identity(run_as)),
        (None, None) => RunsAs::Same,
    };
    let assignment = Box::new(Assignment {
        account: account(&share.start),
        pool: share.pool,
        board: share.board,
        ledger: share.ledger,
        slot: spawn.slot.0,
        index: spawn.pool.0,
        generation,
        listener: share.listener,
        relay: share.relay,
        standby,
        zygote: stage.zygote,
        access_log: spawn.access_log,
        reported: share.reported,
        master: stage.master,
        control: spawn.control,
        output: spawn
            .output
            .map(|Output { stdout, stderr }| birth::Output { stdout, stderr }),
        runs_as,
        log,
        log_format,
        first_words,
    });
    Some((assignment, stage.engine))
}

/// Tells whether a worker of this pool can be made.
pub(crate) fn has_pool(stage: &Stage, pool: PoolIndex) -> bool {
    let known = usize::try_from(pool.0).ok().and_then(|index| {
        stage
            .parameters
            .pools
            .get(index)
            .map(|start| (index, start))
    });
    known.is_some_and(|(index, start)| {
        let listener = usize::try_from(start.listener).unwrap_or(usize::MAX);
        let sockets = stage.listeners.len().min(stage.relays.len());
        index < stage.parameters.config.pools.len() && listener < sockets
    })
}

/// Takes one pool's things out; the others' are dropped.
fn share(
    index: usize,
    parameters: Parameters,
    (board, ledger): (&Board, &Ledger),
    (listeners, relays): (Vec<OwnedFd>, Vec<OwnedFd>),
) -> Option<Share> {
    let pools = &parameters.config.pools;
    // Whose status the pool's page shows: its own, unless `pm.status_listen` has made it for another's.
    let shown = match pools.get(index)?.status_of {
        Some(PoolIndex(of)) => usize::try_from(of).ok()?,
        None => index,
    };
    let (name, manager) = pools.get(shown).map(|pool| (pool.name.clone(), pool.pm))?;
    let own_board = board.map(parameters.pools.get(index)?.area).ok()?;
    let shown_board = match shown == index {
        true => own_board.clone(),
        false => board.map(parameters.pools.get(shown)?.area).ok()?,
    };
    let ledger = ledger.pool(parameters.pools.get(index)?.ledger).ok()?;
    let wanted = [index, shown].map(|pool| parameters.pools.get(pool).map(|start| start.listener));
    let [listener, shown_listener] = keep(listeners, wanted);
    let [relay, shown_relay] = keep(relays, wanted);
    let start = parameters.pools.into_iter().nth(index)?;
    Some(Share {
        pool: parameters.config.pools.into_iter().nth(index)?,
        board: own_board,
        ledger,
        listener: listener?,
        relay: relay?,
        reported: Reported {
            name,
            manager,
            board: shown_board,
            listener: shown_listener?,
            relay: shown_relay?,
        },
        start,
    })
}

/// Keeps the wanted sockets and closes the others.
fn keep<const N: usize>(
    sockets: Vec<OwnedFd>,
    wanted: [Option<u32>; N],
) -> [Option<Arc<OwnedFd>>; N] {
    let is_wanted = |number: u32| wanted.contains(&Some(number));
    let (kept, others): (Vec<_>, Vec<_>) = (0..)
        .zip(sockets)
        .partition(|(number, _)| is_wanted(*number));
    close_all(others.into_iter().map(|(_, socket)| socket));
    let kept: Vec<_> = kept
        .into_iter()
        .map(|(number, socket)| (number, Arc::new(socket)))
        .collect();
    wanted.map(|wanted| {
        let found = kept.iter().find(|(number, _)| Some(*number) == wanted);
        found.map(|(_, socket)| Arc::clone(socket))
    })
}

fn log(parameters: &Parameters) -> Log {
    let global = &parameters.config.global;
    Log {
        level: global.log_level,
        limit: usize::try_from(global.log_limit).unwrap_or(usize::MAX),
    }
}

/// Reads whom a pool's workers become as the system wants to have it.
pub(crate) fn identity(run_as: &RunAs) -> Identity {
    Identity {
        // A name with a NUL byte is in no database: it has no supplementary groups.
        user: CString::new(run_as.user.to_vec()).unwrap_or_default(),
        uid: Uid::from_raw(run_as.uid),
        gid: Gid::from_raw(run_as.gid),
    }
}

fn account(start: &PoolStart) -> Account {
    match &start.login {
        Some(login) => Account {
            user: Some(login.user.clone()),
            home: Some(login.home.clone()),
        },
        None => Account::default(),
    }
}
