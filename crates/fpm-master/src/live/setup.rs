//! What a generation has before any of its processes: users, access logs, scoreboard, listening sockets.
//!
//! Rule: everything that can fail because of the configuration fails in [`Setup::new`], before a process is started.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use fpm_channel::underway::Trace;
use fpm_conf::{Config, Pool, PoolIndex};
use fpm_control::Scope;
use fpm_os::clock;
use fpm_os::shared::Region;
use fpm_scoreboard::{Board, Counters, PoolBoard, PoolLedger, Totals};
use nix::unistd::Pid;

use crate::access_logs::AccessLogs;
use crate::control::ControlSocket;
use crate::directory::Directory;
use crate::error::MasterError;
use crate::ledgers::Ledgers;
use crate::listeners::Listeners;
use crate::operator::Post;
use crate::owner::PoolOwner;
use crate::pool::slots;
use crate::program::Options;
use crate::relays::{self, Relays};
use crate::slow_log::{self, Heading};

mod handover;

/// The generation that serves, for the one that is set up to go on with.
#[derive(Debug)]
pub(crate) struct Predecessor<'a> {
    pub(crate) setup: &'a mut Setup,
    /// The areas that some generation still has.
    pub(crate) in_use: Vec<Region>,
}

/// Everything of a generation that is neither a decision nor a process.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) listeners: Listeners,
    /// In the order of the pools. They stay when the listeners are closed: a worker may come back with a connection.
    pub(crate) relays: Relays,
    pub(crate) access_logs: AccessLogs,
    /// Shared with the generation before when it has the same.
    pub(crate) control: Option<Rc<ControlSocket>>,
    /// As the control socket.
    pub(crate) operator: Option<Rc<Post>>,
    /// Its own, for the numbers of slots of two generations have nothing to do with each other; but the memory of the generation
    /// before when pools of that are carried.
    pub(crate) board: Board,
    /// In the order of the pools, as the next one.
    pub(crate) regions: Vec<Region>,
    pub(crate) pools: Vec<PoolBoard>,
    /// What is measured: that of the daemon, whatever the generation.
    pub(crate) ledgers: Ledgers,
    /// The pools' parts of it, in their order.
    pub(crate) measured: Vec<(Region, PoolLedger)>,
    /// What of the counters another generation has, too: the one before in the beginning, the next one in the end. In the order of
    /// the pools, as the next one.
    handed_on: Vec<Counters>,
    pub(crate) owners: Vec<PoolOwner>,
    by_name: HashMap<BString, PoolIndex>,
    /// What the reload was about that made it.
    pub(crate) scope: Scope,
    /// The pools that are to go over from the generation before as they are, with slots, numbers and all. Until this one serves they
    /// are that one's.
    pub(crate) carried: BTreeSet<PoolIndex>,
    /// The pools that the next generation has as they were: they are not counted here any more.
    pub(crate) gone: BTreeSet<PoolIndex>,
}

impl Setup {
    /// Looks up users, opens access logs, makes the scoreboard and opens the sockets that are not `known`, in this order. Pools that
    /// `before` has, too, go on counting.
    ///
    /// # Errors
    /// The first thing that fails; what was opened is closed again.
    pub(crate) fn new(
        config: Config,
        options: &Options,
        known: &[Listeners],
        before: Option<Predecessor<'_>>,
        scope: &Scope,
    ) -> Result<Setup, MasterError> {
        let control = before
            .as_ref()
            .and_then(|before| before.setup.control.clone());
        let sockets = before.as_ref().map(|before| {
            let setup = &before.setup;
            (setup.listeners.clone(), setup.relays.clone())
        });
        let operator = before
            .as_ref()
            .and_then(|before| before.setup.operator.clone());
        let mut setup = Setup::without_sockets(config, options, before, scope)?;
        if let Some(path) = &setup.config.global.control_listen {
            setup.control = Some(ControlSocket::open(path, control.as_ref())?);
        }
        if let Some(settings) = &setup.config.global.operator {
            setup.operator = Some(Post::open(settings, options.starter, operator.as_ref())?);
        }
        setup.listeners = Listeners::open(&setup.config, known)?;
        match relays::open(&setup.listeners, sockets.as_ref()) {
            Ok(relays) => setup.relays = relays,
            Err(error) => {
                setup.listeners.remove_files(known);
                return Err(MasterError::Pipe(error));
            }
        }
        Ok(setup)
    }

    /// Makes a setup that nobody can be served with.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub(super) fn without_sockets(
        config: Config,
        options: &Options,
        mut before: Option<Predecessor<'_>>,
        scope: &Scope,
    ) -> Result<Setup, MasterError> {
        let directory = Directory::default();
        let owners: Result<_, _> = config
            .pools
            .iter()
            .map(|pool| PoolOwner::of(pool, options.starter, &directory))
            .collect();
        let owners = owners?;
        let is_carried = |pool: &Pool| !is_about(scope, config.subject(pool));
        let access_logs = AccessLogs::open(&config, options.stderr.as_ref(), |index| {
            let pool = config.pool(index).filter(|pool| is_carried(pool))?;
            let before = &before.as_ref()?.setup;
            before
                .access_logs
                .of(*before.by_name.get(&pool.name)?)
                .cloned()
        })?;
        let mut counted = before
            .as_mut()
            .map(|before| before.setup.hand_on_all())
            .unwrap_or_default();
        let mut ledgers = match &before {
            Some(before) => before.setup.ledgers.clone(),
            None => Ledgers::create()?,
        };
        let measured: Result<_, _> = config
            .pools
            .iter()
            .map(|pool| {
                let known = before.as_ref();
                let known = known.and_then(|before| before.setup.measured_of(&pool.name));
                known.map_or_else(|| ledgers.pool(&pool.name), Ok)
            })
            .collect();
        let measured = measured?;
        let before = before.filter(|_| *scope != Scope::All);
        let mut in_use = before.as_ref().map(|before| before.in_use.clone());
        let before = before.as_ref().map(|before| &*before.setup);
        let board = match before {
            Some(before) => before.board.share()?,
            None => Board::create()?,
        };
        let zero = Counters {
            started: Duration::from_secs(clock::realtime().as_secs()),
            ..Counters::default()
        };
        let (mut regions, mut pools, mut handed_on) = (Vec::new(), Vec::new(), Vec::new());
        let mut carried = BTreeSet::new();
        for (index, pool) in (0..).map(PoolIndex).zip(&config.pools) {
            if let Some((region, area)) = before
                .filter(|_| is_carried(pool))
                .and_then(|before| before.area_of(&pool.name))
            {
                carried.insert(index);
                regions.push(region);
                pools.push(area);
                handed_on.push(Counters::default());
                continue;
            }
            let counters = counted.remove(&pool.name).unwrap_or(zero);
            let slots = slots(pool, &config.global);
            let (region, area) = match &mut in_use {
                Some(in_use) => {
                    let (region, area) = board.add_pool_beside(in_use, slots, &counters)?;
                    in_use.push(region);
                    (region, area)
                }
                None => board.add_pool(slots, &counters)?,
            };
            pools.push(area);
            regions.push(region);
            handed_on.push(counters);
        }
        let names = config.pools.iter().map(|pool| pool.name.clone());
        Ok(Setup {
            listeners: Listeners::default(),
            relays: Relays::new(),
            by_name: names.zip((0..).map(PoolIndex)).collect(),
            config,
            access_logs,
            control: None,
            operator: None,
            board,
            regions,
            pools,
            ledgers,
            measured,
            handed_on,
            owners,
            scope: scope.clone(),
            carried,
            gone: BTreeSet::new(),
        })
    }

    /// Returns where the pool of this name has its slots.
    fn area_of(&self, name: &BString) -> Option<(Region, PoolBoard)> {
        let index = self.by_name.get(name)?.0 as usize;
        self.regions
            .get(index)
            .copied()
            .zip(self.pools.get(index).cloned())
    }

    /// Returns where what the pool of this name costs is added up.
    fn measured_of(&self, name: &BString) -> Option<(Region, PoolLedger)> {
        let index = self.by_name.get(name)?.0 as usize;
        self.measured.get(index).cloned()
    }

    /// Returns all that the pools have counted; it is handed on with this.
    fn hand_on_all(&mut self) -> HashMap<BString, Counters> {
        let counted: Vec<_> = self
            .pools
            .iter()
            .map(|pool| pool.totals().counters)
            .collect();
        self.handed_on.clone_from(&counted);
        let names = self.config.pools.iter().map(|pool| pool.name.clone());
        names.zip(counted).collect()
    }

    /// Adds to the pool of this name that serves what has been counted in this one and is not known there.
    pub(crate) fn hand_on(&mut self, pool: PoolIndex, serving: &Setup) {
        if !self.is_own(pool) {
            return;
        }
        let index = pool.0 as usize;
        let Some((board, handed_on)) = self.pools.get(index).zip(self.handed_on.get_mut(index))
        else {
            return;
        };
        let counted = board.totals().counters;
        let name = &self.config.pools[index].name;
        if let Some(to) = serving.by_name.get(name).and_then(|to| serving.board(*to)) {
            to.add(&counted.since(handed_on));
        }
        *handed_on = counted;
    }

    /// Returns what its pools do, without what is counted elsewhere, too.
    pub(crate) fn own_totals(&self) -> impl Iterator<Item = Totals> {
        let pools = (0..).map(PoolIndex).zip(&self.pools).zip(&self.handed_on);
        pools
            .filter(move |((index, _), _)| self.is_own(*index))
            .map(|((_, pool), handed_on)| {
                let mut totals = pool.totals();
                totals.counters = totals.counters.since(handed_on);
                totals
            })
    }

    /// Counts a slow request of a pool and writes to its slow log what it was doing.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub(super) fn log_slow_request(
        &self,
        index: PoolIndex,
        pid: Pid,
        trace: &Trace,
    ) -> Result<(), MasterError> {
        let Some((pool, board)) = self.pool(index).zip(self.board(index)) else {
            return Ok(());
        };
        // Workers of other pools have no watchdog: it is not true.
        let Some(path) = pool
            .slowlog
            .as_ref()
            .filter(|_| pool.request_slowlog_timeout > 0)
        else {
            return Ok(());
        };
        board.count_slow_request();
        let heading = Heading {
            time: clock::realtime(),
            level: self.config.global.log_level,
            pool: pool.name.as_ref(),
            pid,
        };
        let written = slow_log::append(path.as_ref(), &slow_log::entry(heading, trace));
        written.map_err(|source| MasterError::SlowLog {
            path: path.clone(),
            source,
        })
    }

    /// Returns what the pool of this name has counted and not handed on.
    pub(crate) fn own_counters(&self, name: &BStr) -> Option<Counters> {
        let index = self.by_name.get(name.as_bytes())?;
        if !self.is_own(*index) {
            return None;
        }
        let index = index.0 as usize;
        let (board, handed_on) = self.pools.get(index).zip(self.handed_on.get(index))?;
        Some(board.totals().counters.since(handed_on))
    }

    /// Tells whether a pool is this generation's, and not, as it is, that of the one before or after.
    fn is_own(&self, pool: PoolIndex) -> bool {
        !self.gone.contains(&pool) && !self.carried.contains(&pool)
    }

    /// Returns the indices of all pools.
    pub(crate) fn indices(&self) -> impl Iterator<Item = PoolIndex> + use<> {
        (0..).take(self.pools.len()).map(PoolIndex)
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

/// Tells whether a reload is about the pool of this name.
fn is_about(scope: &Scope, name: &BString) -> bool {
    match scope {
        Scope::All => true,
        Scope::Pools(names) => names.contains(&*name.to_str_lossy()),
    }
}
