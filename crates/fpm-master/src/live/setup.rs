//! What a generation has before any of its processes: users, access logs, scoreboard, listening sockets.
//!
//! Rule: everything that can fail because of the configuration fails in [`Setup::new`], before a process is started.

use std::time::Duration;

use fpm_conf::{Config, Pool, PoolIndex};
use fpm_os::clock;
use fpm_os::shared::Region;
use fpm_scoreboard::{Board, Counters, PoolBoard};

use crate::access_logs::AccessLogs;
use crate::error::MasterError;
use crate::listeners::Listeners;
use crate::owner::PoolOwner;
use crate::program::Starter;

/// Everything of a generation that is neither a decision nor a process.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) listeners: Listeners,
    pub(crate) access_logs: AccessLogs,
    /// Its own: the numbers of slots of two generations have nothing to do with each other.
    pub(crate) board: Board,
    /// In the order of the pools, as the next two.
    pub(crate) regions: Vec<Region>,
    pub(crate) pools: Vec<PoolBoard>,
    pub(crate) owners: Vec<PoolOwner>,
}

impl Setup {
    /// Looks up users, opens access logs, makes the scoreboard and opens the sockets that are not `known`, in this order.
    ///
    /// # Errors
    /// The first thing that fails; what was opened is closed again.
    pub(crate) fn new(
        config: Config,
        starter: Starter,
        known: &[Listeners],
    ) -> Result<Setup, MasterError> {
        let mut setup = Setup::without_sockets(config, starter)?;
        setup.listeners = Listeners::open(&setup.config, known)?;
        Ok(setup)
    }

    /// Makes a setup that nobody can be served with.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub(super) fn without_sockets(config: Config, starter: Starter) -> Result<Setup, MasterError> {
        let owners: Result<_, _> = config
            .pools
            .iter()
            .map(|pool| PoolOwner::of(pool, starter))
            .collect();
        let owners = owners?;
        let access_logs = AccessLogs::open(&config)?;
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
        Ok(Setup {
            listeners: Listeners::default(),
            config,
            access_logs,
            board,
            regions,
            pools,
            owners,
        })
    }

    /// Returns the directives of a pool.
    pub(crate) fn pool(&self, pool: PoolIndex) -> Option<&Pool> {
        self.config.pool(pool)
    }

    /// Returns the scoreboard of a pool.
    pub(crate) fn board(&self, pool: PoolIndex) -> Option<&PoolBoard> {
        self.pools.get(pool.0 as usize)
    }
}
