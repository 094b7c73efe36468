//! The master at work: what is set up before anything starts, and the loop.
//!
//! Rule: everything that can fail because of the configuration fails in [`Prepared::new`], before a process is started.

use std::collections::VecDeque;
use std::time::Duration;

use fpm_conf::Config;
use fpm_events::EventLoop;
use fpm_os::clock;
use fpm_os::process::become_subreaper;
use fpm_os::signal::Signal;
use fpm_os::signal::set::{Disposition, SignalSet, set_disposition};
use fpm_scoreboard::{Board, Counters};

use crate::access_logs::AccessLogs;
use crate::descriptors::make_room;
use crate::error::MasterError;
use crate::listeners::Listeners;
use crate::live::{Live, Setup, Token};
use crate::master::{Master, Outcome};
use crate::owner::PoolOwner;
use crate::program::{Options, Program};

/// What the master wants to be told.
const SIGNALS: [Signal; 7] = [
    Signal::TERM,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::HUP,
    Signal::CHLD,
];

/// A master that has all it needs: users, scoreboard, sockets.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    options: Options,
    setup: Setup,
    events: EventLoop<Token>,
}

impl Prepared {
    /// Looks up users, makes the scoreboard and opens the sockets, in this order; from here on the signals that the master
    /// listens to are blocked.
    ///
    /// # Errors
    /// The first thing that fails; what was opened is closed again.
    pub fn new(config: Config, options: Options) -> Result<Prepared, MasterError> {
        let owners: Result<_, _> = config
            .pools
            .iter()
            .map(|pool| PoolOwner::of(pool, options.starter))
            .collect();
        let owners = owners?;
        let access_logs = AccessLogs::open(&config)?;
        let open_files = make_room(&config);
        let board = Board::create()?;
        let counters = Counters {
            started: Duration::from_secs(clock::realtime().as_secs()),
            ..Counters::default()
        };
        let (mut regions, mut pools) = (Vec::new(), Vec::new());
        for pool in &config.pools {
            let region = board.add_pool(pool.pm_max_children, &counters)?;
            pools.push(board.map(region)?);
            regions.push(region);
        }
        // Workers whose zygote dies are to be ours.
        become_subreaper().map_err(MasterError::Process)?;
        set_disposition(Signal::PIPE, Disposition::Ignore).map_err(MasterError::Process)?;
        let events = EventLoop::create(&SIGNALS.into_iter().collect::<SignalSet>())?;
        let listeners = Listeners::open(&config)?;
        let setup = Setup {
            listeners,
            board,
            regions,
            pools,
            owners,
            access_logs,
            open_files,
        };
        Ok(Prepared {
            config,
            options,
            setup,
            events,
        })
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// When PHP does not start, or the program cannot be launched.
    pub fn run(self, program: impl Program) -> Result<(), MasterError> {
        let Prepared {
            config,
            options,
            setup,
            events,
        } = self;
        let live = Live::new(program, config.clone(), options, setup, events);
        let mut master = Master::new(&config, live);
        master.start(clock::monotonic());
        let outcome = work(&mut master);
        master.world().close();
        outcome
    }
}

fn work<P: Program>(master: &mut Master<Live<P>>) -> Result<(), MasterError> {
    let mut happened = VecDeque::new();
    loop {
        match master.take_outcome() {
            Some(Outcome::Stopped) => return Ok(()),
            Some(Outcome::Failed(error)) => return Err(error),
            None => {}
        }
        let now = master.world().wait(&mut happened)?;
        while let Some(event) = happened.pop_front() {
            master.on_event(now, event);
        }
    }
}
