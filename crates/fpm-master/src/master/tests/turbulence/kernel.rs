//! Simulated processes: what the master asks of the world happens to them, sooner or later or not at all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use fpm_channel::{FromZygote, Generation, SlotIndex, WorkerId};
use fpm_conf::Config;
use fpm_control::{Answer, Request, Scope};
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, ExitStatus};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::event::{CallerId, Event, Timer, ZygoteId};
use crate::obituary::killed;
use crate::pool::PoolId;
use crate::resting::RestingId;
use crate::upgrade::state::Decided;
use crate::world::Birth;

use super::config;

mod world;

/// What may go wrong, or right, in one step. Numbers choose among those it may happen to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A zygote forks a worker that it was asked for.
    Fork(usize),
    /// It cannot.
    ForkFails(usize),
    /// A worker gets as far as accepting.
    Serves(usize),
    /// A worker ends.
    WorkerEnds(usize, ExitStatus),
    /// A worker that was told to leave does.
    WorkerLeaves(usize),
    /// PHP is up in a zygote.
    ZygoteReady(usize),
    /// PHP does not start in one.
    ZygoteFails(usize),
    /// A zygote is killed, having told all that it has done.
    ZygoteKilled(usize),
    /// A zygote is killed between a fork and telling of it.
    ZygoteKilledForking(usize),
    /// Somebody asks for a reload.
    Reload,
    /// There is another program on disk from now on, for the next reload to find.
    Install,
    /// A command asks for one, perhaps of one pool only, and waits for the outcome.
    Order(Option<usize>),
    /// The configuration changes: pools may have so many workers. None means that it has a mistake.
    Edit(Option<u32>),
    /// Time passes, in milliseconds.
    Pass(u64),
}

#[derive(Debug)]
pub(super) struct Zygote {
    pub(super) generation: Generation,
    pub(super) ready: bool,
    pub(super) quitting: bool,
    pub(super) orders: VecDeque<Birth>,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pool: PoolId,
    pub(super) zygote: Option<ZygoteId>,
    pub(super) serves: bool,
    pub(super) drains: bool,
}

/// Simulated processes. A worker's process has its number, a zygote's 1,000,000 more than its number.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// What a reload would find; `None` is a mistake.
    pub(super) edited: Option<Config>,
    /// The configurations of the generations that are there.
    pub(super) configs: BTreeMap<Generation, Config>,
    pub(super) serving: Option<Generation>,
    pub(super) stopping: bool,
    /// Workers that have got as far as accepting, of those that have ended, too: their slots say so.
    pub(super) served: BTreeSet<WorkerId>,
    /// Workers that are to leave: their slots say so even before they are born.
    pub(super) told: BTreeSet<WorkerId>,
    pub(super) zygotes: BTreeMap<ZygoteId, Zygote>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    /// Slots in use, from the order to fork to the release.
    pub(super) slots: BTreeMap<(PoolId, SlotIndex), WorkerId>,
    pub(super) timers: BTreeMap<Timer, Duration>,
    pub(super) happened: VecDeque<Event>,
    /// What the reloads were about that made the generations.
    pub(super) scopes: BTreeMap<Generation, Scope>,
    /// Whether another program is on disk.
    pub(super) installed: bool,
    /// What the program before has left, and who was waiting for its reload.
    pub(super) left: Option<(Decided, Vec<CallerId>)>,
    /// Commands that have asked.
    pub(super) asked: Vec<CallerId>,
    /// What they were answered.
    pub(super) answers: Vec<(CallerId, Answer)>,
}

pub(super) fn zygote_pid(id: ZygoteId) -> Pid {
    Pid::from_raw(1_000_000 + i32::try_from(id.0).unwrap())
}

pub(super) fn worker_pid(id: WorkerId) -> Pid {
    Pid::from_raw(i32::try_from(id.0).unwrap())
}

impl Kernel {
    /// A mistake in the configuration is taken back.
    pub(super) fn mend(&mut self) {
        let serving = self
            .serving
            .and_then(|serving| self.configs.get(&serving).cloned());
        self.edited = self.edited.take().or(serving);
    }

    pub(super) fn fork(&mut self, id: ZygoteId) -> Option<WorkerId> {
        let birth = self.zygotes.get_mut(&id)?.orders.pop_front()?;
        self.workers.insert(
            birth.worker,
            Worker {
                pool: birth.pool,
                zygote: Some(id),
                serves: false,
                drains: self.told.contains(&birth.worker),
            },
        );
        Some(birth.worker)
    }

    /// Returns who has been answered; who was twice is in there twice.
    pub(super) fn answered(&self) -> Vec<CallerId> {
        let mut callers: Vec<_> = self.answers.iter().map(|(caller, _)| *caller).collect();
        callers.sort();
        callers
    }

    pub(super) fn worker_ends(&mut self, id: WorkerId, status: ExitStatus) {
        let Some(worker) = self.workers.remove(&id) else {
            return;
        };
        let pid = worker_pid(id);
        self.happened.push_back(match worker.zygote {
            Some(zygote) => Event::Said(
                zygote,
                FromZygote::Exited {
                    worker: id,
                    pid,
                    status,
                },
            ),
            None => Event::Reaped(Exit { pid, status }),
        });
        self.zygotes_may_end();
    }

    pub(super) fn zygote_ends(&mut self, id: ZygoteId, status: ExitStatus) {
        if self.zygotes.remove(&id).is_none() {
            return;
        }
        for worker in self
            .workers
            .values_mut()
            .filter(|worker| worker.zygote == Some(id))
        {
            worker.zygote = None;
        }
        self.happened.push_back(Event::HungUp(id));
        self.happened.push_back(Event::Reaped(Exit {
            pid: zygote_pid(id),
            status,
        }));
    }

    fn zygotes_may_end(&mut self) {
        let busy: BTreeSet<_> = self
            .workers
            .values()
            .filter_map(|worker| worker.zygote)
            .collect();
        let done: Vec<_> = self
            .zygotes
            .iter()
            .filter(|(id, zygote)| {
                zygote.quitting && zygote.orders.is_empty() && !busy.contains(id)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            self.zygote_ends(id, ExitStatus::Code(0));
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let workers: Vec<_> = self.workers.keys().copied().collect();
        let zygotes: Vec<_> = self.zygotes.keys().copied().collect();
        let choose_worker = |n: usize| (!workers.is_empty()).then(|| workers[n % workers.len()]);
        let choose_zygote = |n: usize| (!zygotes.is_empty()).then(|| zygotes[n % zygotes.len()]);
        let first = self.configs.values().next();
        let (pools, process_max) = first.map_or((0, 0), |first| {
            (first.pools.len(), first.global.process_max)
        });
        match step {
            Step::Fork(n) => {
                if let Some(zygote) = choose_zygote(n)
                    && let Some(worker) = self.fork(zygote)
                {
                    let said = FromZygote::Spawned {
                        worker,
                        pid: worker_pid(worker),
                    };
                    self.happened.push_back(Event::Said(zygote, said));
                }
            }
            Step::ForkFails(n) => {
                if let Some(id) = choose_zygote(n)
                    && let Some(birth) = self
                        .zygotes
                        .get_mut(&id)
                        .and_then(|zygote| zygote.orders.pop_front())
                {
                    let said = FromZygote::SpawnFailed {
                        worker: birth.worker,
                        errno: Errno::EAGAIN as i32,
                    };
                    self.happened.push_back(Event::Said(id, said));
                    self.zygotes_may_end();
                }
            }
            Step::Serves(n) => {
                if let Some(id) = choose_worker(n)
                    && let Some(worker) = self.workers.get_mut(&id)
                {
                    worker.serves = true;
                    self.served.insert(id);
                }
            }
            Step::WorkerEnds(n, status) => {
                if let Some(id) = choose_worker(n) {
                    self.worker_ends(id, status);
                }
            }
            Step::WorkerLeaves(n) => {
                if let Some(id) = choose_worker(n)
                    && self.workers[&id].drains
                {
                    // Its client keeps the connection.
                    let connection = RestingId(id.0);
                    self.happened.push_back(Event::Rests(id, connection));
                    self.worker_ends(id, ExitStatus::Code(0));
                }
            }
            Step::ZygoteReady(n) => {
                if let Some(id) = choose_zygote(n)
                    && let Some(zygote) = self.zygotes.get_mut(&id)
                    && !std::mem::replace(&mut zygote.ready, true)
                {
                    let said = FromZygote::Ready {
                        php_version: "8.4.1".to_owned(),
                    };
                    self.happened.push_back(Event::Said(id, said));
                }
            }
            Step::ZygoteFails(n) => {
                if let Some(id) = choose_zygote(n)
                    && !self.zygotes[&id].ready
                {
                    self.happened.push_back(Event::Said(
                        id,
                        FromZygote::Failed {
                            reason: "no".into(),
                        },
                    ));
                    self.zygote_ends(id, ExitStatus::Code(70));
                }
            }
            Step::ZygoteKilled(n) => {
                if let Some(id) = choose_zygote(n) {
                    self.zygote_ends(id, killed(Signal::KILL));
                }
            }
            Step::ZygoteKilledForking(n) => {
                if let Some(id) = choose_zygote(n) {
                    self.fork(id);
                    self.zygote_ends(id, killed(Signal::KILL));
                }
            }
            Step::Reload => self.happened.push_back(Event::Signal(Signal::USR2)),
            Step::Order(pool) => {
                let caller = CallerId(self.asked.len() as u64);
                self.asked.push(caller);
                let scope = match pool {
                    Some(pool) => Scope::Pools([format!("pool{}", pool % pools)].into()),
                    None => Scope::All,
                };
                self.happened
                    .push_back(Event::Asked(caller, Request::Reload(scope)));
            }
            Step::Edit(edit) => {
                self.edited =
                    edit.map(|max_children| config(&vec![max_children; pools], process_max));
            }
            Step::Install => self.installed = true,
            Step::Pass(_) => {}
        }
    }
}
