//! One configuration at work: its pools, and the groups of pools that share a zygote.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{Config, PoolIndex};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::event::ZygoteId;
use crate::group::{GroupId, GroupIndex, groups};
use crate::pool::{PoolAtWork, PoolId};
use crate::roster::Reason;
use crate::settings::Settings;
use crate::state::Escalation;
use crate::systemd::Reports;

/// Wait this long before another zygote is started when the one before died at once.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Wait this long before forking is tried again.
const FIRST_FORK_WAIT: Duration = Duration::from_millis(100);
/// Never wait longer than this for either.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A configuration at work.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    /// Its number, counted from 1.
    pub(crate) number: fpm_channel::Generation,
    /// What it is there for.
    pub(crate) standing: Standing,
    /// The directives that concern the master, in force while it serves.
    pub(crate) settings: Settings,
    /// What a service manager is told while it serves.
    pub(crate) reports: Reports,
    /// How far the measures against its last workers have gone while it retires.
    pub(crate) escalation: Escalation,
    /// The pools, in the order of the configuration.
    pub(crate) pools: Vec<PoolAtWork>,
    /// The groups.
    pub(crate) groups: Vec<Group>,
    by_name: HashMap<BString, PoolIndex>,
}

/// What a generation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// It is being made, and is to serve if it can.
    Coming,
    /// It serves.
    Serving,
    /// Its workers finish what they have, and get no successors of its own.
    Retiring,
}

/// Pools that share a zygote.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Its pools.
    pub(crate) pools: Vec<PoolId>,
    /// The zygote that serves it now.
    pub(crate) zygote: Option<Zygote>,
    /// Zygotes that died at once.
    pub(crate) restarts: Backoff,
    /// Workers to be forked, in order.
    pub(crate) queue: VecDeque<(PoolId, Reason)>,
    /// Forks that failed.
    pub(crate) forks: Backoff,
    /// Whether nothing is forked until the delay of the last failure is over.
    pub(crate) fork_waits: bool,
}

/// The process that forks the workers of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zygote {
    /// Its name.
    pub(crate) id: ZygoteId,
    /// Its process.
    pub(crate) pid: Pid,
    /// When it was started.
    pub(crate) since: Duration,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Workers that were asked for and not reported yet.
    pub(crate) outstanding: u32,
}

/// The life of a zygote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// PHP is starting.
    Starting,
    /// It can fork, since then.
    Ready(Duration),
    /// It said that PHP did not start, and ends.
    Failed,
    /// It was told to end when its last worker has.
    Quitting,
}

impl Generation {
    /// Sets up a generation without processes.
    pub(crate) fn new(number: fpm_channel::Generation, config: &Config) -> Generation {
        let groups: Vec<Group> = groups(config)
            .into_iter()
            .map(|(_, pools)| Group::new(number, &pools))
            .collect();
        let with_groups = groups.iter().zip((0..).map(GroupIndex));
        let group_of: HashMap<PoolIndex, GroupIndex> = with_groups
            .flat_map(|(group, index)| group.pools.iter().map(move |id| (id.index, index)))
            .collect();
        let pools = (0..)
            .map(PoolIndex)
            .zip(&config.pools)
            .map(|(pool, described)| {
                let group = GroupId {
                    generation: number,
                    index: *group_of.get(&pool).expect("`groups` leaves no pool out"),
                };
                PoolAtWork::new(described, &config.global, group)
            });
        let pools = pools.collect();
        let names = config.pools.iter().map(|pool| pool.name.clone());
        Generation {
            number,
            standing: Standing::Coming,
            settings: Settings::new(&config.global),
            reports: Reports::new(&config.global),
            escalation: Escalation::default(),
            pools,
            groups,
            by_name: names.zip((0..).map(PoolIndex)).collect(),
        }
    }

    /// Finds a pool by its name.
    pub(crate) fn pool_named(&self, name: &BStr) -> Option<&PoolAtWork> {
        self.index_of(name).map(|index| self.pool(index))
    }

    /// Finds the index of a pool by its name.
    pub(crate) fn index_of(&self, name: &BStr) -> Option<PoolIndex> {
        self.by_name.get(name.as_bytes()).copied()
    }

    /// Tells whether it has no workers, living or asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.pools
            .iter()
            .all(|pool| pool.workers().next().is_none())
    }

    /// Forgets the births that have not been asked for.
    pub(crate) fn cancel_births(&mut self) {
        for group in &mut self.groups {
            group.queue.clear();
        }
        for pool in &mut self.pools {
            pool.cancel_births();
        }
    }

    /// Returns a pool.
    ///
    /// # Panics
    /// With an index of another generation.
    pub(crate) fn pool(&self, pool: PoolIndex) -> &PoolAtWork {
        &self.pools[pool.0 as usize]
    }

    /// Returns a pool to be changed.
    ///
    /// # Panics
    /// With an index of another generation.
    pub(crate) fn pool_mut(&mut self, pool: PoolIndex) -> &mut PoolAtWork {
        &mut self.pools[pool.0 as usize]
    }

    /// Returns a group.
    ///
    /// # Panics
    /// With an index of another generation.
    pub(crate) fn group(&self, group: GroupIndex) -> &Group {
        &self.groups[group.0]
    }

    /// Returns a group to be changed.
    ///
    /// # Panics
    /// With an index of another generation.
    pub(crate) fn group_mut(&mut self, group: GroupIndex) -> &mut Group {
        &mut self.groups[group.0]
    }

    /// Returns the names of all pools.
    pub(crate) fn pool_ids(&self) -> impl Iterator<Item = PoolId> + use<> {
        let generation = self.number;
        let indices = (0..).take(self.pools.len()).map(PoolIndex);
        indices.map(move |index| PoolId { generation, index })
    }

    /// Returns the names of all groups.
    pub(crate) fn group_ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        let generation = self.number;
        let indices = (0..self.groups.len()).map(GroupIndex);
        indices.map(move |index| GroupId { generation, index })
    }

    /// Finds the group that a zygote serves.
    pub(crate) fn group_of(&self, zygote: ZygoteId) -> Option<GroupId> {
        let serves = |group: &Group| group.zygote.is_some_and(|z| z.id == zygote);
        let index = GroupIndex(self.groups.iter().position(serves)?);
        Some(GroupId {
            generation: self.number,
            index,
        })
    }

    /// Finds a zygote to be changed.
    pub(crate) fn zygote_mut(&mut self, zygote: ZygoteId) -> Option<&mut Zygote> {
        self.groups
            .iter_mut()
            .filter_map(|group| group.zygote.as_mut())
            .find(|z| z.id == zygote)
    }

    /// Returns the zygotes that have a process.
    pub(crate) fn zygotes(&self) -> impl Iterator<Item = Zygote> {
        self.groups.iter().filter_map(|group| group.zygote)
    }
}

impl Group {
    fn new(generation: fpm_channel::Generation, pools: &[PoolIndex]) -> Group {
        let named = |&index: &PoolIndex| PoolId { generation, index };
        Group {
            pools: pools.iter().map(named).collect(),
            zygote: None,
            restarts: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            queue: VecDeque::new(),
            forks: Backoff::new(FIRST_FORK_WAIT, LONGEST_WAIT),
            fork_waits: false,
        }
    }
}

impl Zygote {
    /// Tells whether workers can be asked for.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }
}
