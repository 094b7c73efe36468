//! A pool at work: its slots, its process manager and the workers it still has to get.

use std::collections::BTreeMap;
use std::time::Duration;

use bstr::BString;
use fpm_channel::{Generation, SlotIndex, WorkerId};
use fpm_conf::{Global, Pool, PoolIndex};
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::crash_budget::Account;
use crate::group::GroupId;
use crate::pm::{Looks, ProcessManager};
use crate::sizing::{Footprint, Sizer};
use crate::time_limit::TimeLimit;
use crate::upgrade::state::Size;

/// Wait this long after the first worker that died before it could serve; the wait doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Room for so many workers is made in case somebody wants more of them later. A slot that is not used costs nothing but the look
/// at it when a status is asked for.
const ELASTIC: u32 = 512;
/// Never wait longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A pool of any generation. Pools of two generations that go by the same name are two pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct PoolId {
    /// The generation.
    pub(crate) generation: Generation,
    /// The pool in it.
    pub(crate) index: PoolIndex,
}

/// One pool of a generation. `queued + taken slots - spent <= pm.max_children`.
#[derive(Clone, Debug)]
pub(crate) struct PoolAtWork {
    /// Its name, for the log.
    pub(crate) name: BString,
    /// Where its workers come from.
    pub(crate) group: GroupId,
    /// Decides how many there are.
    pub(crate) manager: ProcessManager,
    /// When the queue of its socket is looked at.
    pub(crate) looks: Looks,
    /// Whether its workers can be asked which calls their scripts are in.
    pub(crate) watched: bool,
    /// How long its requests may take.
    pub(crate) time_limit: Option<TimeLimit>,
    /// Births that were asked for and wait in the group's queue.
    pub(crate) queued: u32,
    /// Workers dying before they serve.
    pub(crate) births: Births,
    /// How many workers it is to get as soon as those of earlier generations leave room; 0 when that is settled.
    pub(crate) target: u32,
    /// Decides about `pm.max_children` where that is `auto`.
    pub(crate) sizer: Option<Sizer>,
    /// What its workers took of the memory when they were last measured.
    pub(crate) footprint: Footprint,
    /// Workers that take no client any more, have been replaced and are about to end.
    pub(crate) spent: u32,
    /// What its workers may crash.
    pub(crate) account: Option<Account>,
    /// Whether it is to have no workers for the time being.
    pub(crate) service: Service,
    max_children: u32,
    /// Whether an order has set that.
    ordered: bool,
    capacity: u32,
    /// How many workers more may be replaced before they have ended.
    spares: u32,
    slots: u32,
    /// The slots that are taken. There may be many more.
    holders: BTreeMap<SlotIndex, WorkerId>,
}

/// Whether a pool has workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Service {
    /// As its process manager wants.
    Open,
    /// It was drained: who comes waits in the queue of its socket.
    Drained,
    /// Its workers have crashed too often: those that it has serve on, and it gets no new ones.
    Resting,
}

/// Births of a pool after a worker died before it could serve: one at a time, further and further apart.
#[derive(Clone, Debug)]
pub(crate) struct Births {
    /// The growing delay.
    pub(crate) backoff: Backoff,
    /// Workers that are missing and have to wait.
    pub(crate) missing: u32,
    /// Whether nothing is tried until the delay of the last failure is over.
    pub(crate) waiting: bool,
    /// Whether one is being tried.
    pub(crate) trying: bool,
}

impl PoolAtWork {
    /// Sets up a pool without workers.
    pub(crate) fn new(pool: &Pool, global: &Global, group: GroupId) -> PoolAtWork {
        let sizer = Sizer::new(pool);
        let begin = sizer.as_ref().map(Sizer::floor);
        let mut at_work = PoolAtWork {
            name: pool.name.clone(),
            group,
            manager: ProcessManager::new(pool),
            looks: Looks::default(),
            watched: pool.watches(),
            time_limit: TimeLimit::of(pool),
            queued: 0,
            target: 0,
            births: Births {
                backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
                missing: 0,
                waiting: false,
                trying: false,
            },
            footprint: Footprint::default(),
            spent: 0,
            account: Account::new(pool.pm_crash_budget),
            service: Service::Open,
            max_children: pool.pm_max_children,
            ordered: false,
            capacity: capacity(pool, global),
            spares: spares(pool, pool.pm_max_children),
            slots: slots(pool, global),
            holders: BTreeMap::new(),
            sizer,
        };
        if let Some(floor) = begin {
            at_work.set_max_children(floor);
        }
        at_work
    }

    /// Forgets the births that have not been asked for.
    pub(crate) fn cancel_births(&mut self) {
        (self.queued, self.births.missing, self.target) = (0, 0, 0);
    }

    /// Finds a slot that nobody has.
    pub(crate) fn free_slot(&self) -> Option<SlotIndex> {
        let taken = self.holders.keys().map(|slot| Some(slot.0));
        let mut slots = (0..self.slots).zip(taken.chain(std::iter::repeat(None)));
        slots
            .find(|(index, taken)| *taken != Some(*index))
            .map(|(index, _)| SlotIndex(index))
    }

    /// Gives a slot to a worker.
    pub(crate) fn take(&mut self, slot: SlotIndex, worker: WorkerId) {
        if slot.0 < self.slots {
            self.holders.insert(slot, worker);
        }
    }

    /// Takes a slot back.
    pub(crate) fn free(&mut self, slot: SlotIndex) {
        self.holders.remove(&slot);
    }

    /// Returns the workers of the pool in the order of their slots.
    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> {
        self.holders.values().copied()
    }

    /// Tells whether it has workers, or is to get some.
    pub(crate) fn is_inhabited(&self) -> bool {
        self.queued > 0 || self.births.missing > 0 || self.workers().next().is_some()
    }

    /// Returns how many workers can still be asked for.
    pub(crate) fn room(&self) -> u32 {
        let taken = u32::try_from(self.workers().count()).unwrap_or(u32::MAX);
        self.max_children
            .saturating_sub(taken.saturating_sub(self.spent))
            .saturating_sub(self.queued)
            .saturating_sub(self.births.missing)
    }

    /// Returns how many workers more may be replaced before they have ended.
    pub(crate) fn spare(&self) -> u32 {
        self.spares.saturating_sub(self.spent)
    }

    /// Returns `pm.max_children`, or what it was set to.
    pub(crate) fn max_children(&self) -> u32 {
        self.max_children
    }

    /// Returns the highest that `pm.max_children` can be set to.
    pub(crate) fn most_children(&self) -> u32 {
        self.capacity
    }

    /// Returns `pm.max_children`, and where it comes from.
    pub(crate) fn size(&self) -> Size {
        match self.ordered {
            true => Size::Ordered(self.max_children),
            false => Size::Configured(self.max_children),
        }
    }

    /// Goes on with the size that it had.
    pub(crate) fn recall_size(&mut self, size: Size) {
        match size {
            Size::Configured(max_children) => self.set_max_children(max_children),
            Size::Ordered(max_children) => {
                self.obey();
                self.set_max_children(max_children);
            }
        }
    }

    /// `pm.max_children` is what an order says from now on, whatever the memory says.
    pub(crate) fn obey(&mut self) {
        (self.ordered, self.sizer) = (true, None);
    }

    /// Changes `pm.max_children`.
    pub(crate) fn set_max_children(&mut self, max_children: u32) {
        self.max_children = max_children;
        self.manager.set_max_children(max_children);
    }
}

/// Returns how many workers a pool can ever have: `pm.max_children`, and where that can be changed by an order four times as
/// many, up to [`ELASTIC`].
fn capacity(pool: &Pool, global: &Global) -> u32 {
    let max_children = pool.pm_max_children;
    match global.control_listen {
        None => max_children,
        Some(_) => max_children.max(max_children.saturating_mul(4).min(ELASTIC)),
    }
}

/// Returns how many slots a pool needs: one for each worker, and where workers come and go one in four for those that have
/// been replaced and have not ended.
pub(crate) fn slots(pool: &Pool, global: &Global) -> u32 {
    let capacity = capacity(pool, global);
    capacity.saturating_add(spares(pool, capacity))
}

fn spares(pool: &Pool, workers: u32) -> u32 {
    match (pool.pm_max_requests, pool.pm_max_memory) {
        (0, 0) => 0,
        _ => workers.div_ceil(4),
    }
}
