//! Random lives of the master among simulated processes: whatever dies in whatever order, no slot is ever given twice, no
//! pool is ever too large, calm fills the pools again, and a stop ends everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use fpm_channel::{FromZygote, SlotIndex, WorkerId};
use fpm_conf::{Config, Pool};
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, ExitStatus};
use nix::errno::Errno;
use nix::unistd::Pid;
use proptest::prelude::*;

use crate::access_logs::Reopened;
use crate::error::MasterError;
use crate::event::{Event, Timer, ZygoteId};
use crate::group::GroupId;
use crate::master::{Master, Outcome};
use crate::pool::PoolId;
use crate::systemd::Load;
use crate::world::{Activity, Audience, Birth, Fate, World};

/// What may go wrong, or right, in one step. Numbers choose among those it may happen to.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A zygote forks a worker that it was asked for.
    Fork(usize),
    /// It cannot.
    ForkFails(usize),
    /// A worker gets as far as accepting.
    Serves(usize),
    /// A worker ends.
    WorkerEnds(usize, i32),
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
    /// Time passes, in milliseconds.
    Pass(u64),
}

#[derive(Debug)]
struct Zygote {
    ready: bool,
    quitting: bool,
    orders: VecDeque<Birth>,
}

#[derive(Debug)]
struct Worker {
    zygote: Option<ZygoteId>,
    serves: bool,
    drains: bool,
}

/// Simulated processes. A worker's process has its number, a zygote's 1,000,000 more than its number.
#[derive(Debug, Default)]
struct Kernel {
    capacity: Vec<u32>,
    zygotes: BTreeMap<ZygoteId, Zygote>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Slots in use, from the order to fork to the release.
    slots: BTreeMap<(PoolId, SlotIndex), WorkerId>,
    timers: BTreeMap<Timer, Duration>,
    happened: VecDeque<Event>,
}

fn zygote_pid(id: ZygoteId) -> Pid {
    Pid::from_raw(1_000_000 + i32::try_from(id.0).unwrap())
}

fn worker_pid(id: WorkerId) -> Pid {
    Pid::from_raw(i32::try_from(id.0).unwrap())
}

impl Kernel {
    fn fork(&mut self, id: ZygoteId) -> Option<WorkerId> {
        let birth = self.zygotes.get_mut(&id)?.orders.pop_front()?;
        self.workers.insert(
            birth.worker,
            Worker {
                zygote: Some(id),
                serves: false,
                drains: false,
            },
        );
        Some(birth.worker)
    }

    fn worker_ends(&mut self, id: WorkerId, status: ExitStatus) {
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

    fn zygote_ends(&mut self, id: ZygoteId, status: ExitStatus) {
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

    fn step(&mut self, step: Step) {
        let workers: Vec<_> = self.workers.keys().copied().collect();
        let zygotes: Vec<_> = self.zygotes.keys().copied().collect();
        let choose_worker = |n: usize| (!workers.is_empty()).then(|| workers[n % workers.len()]);
        let choose_zygote = |n: usize| (!zygotes.is_empty()).then(|| zygotes[n % zygotes.len()]);
        let killed = ExitStatus::Signal {
            signal: Signal::KILL,
            core_dumped: false,
        };
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
                if let Some(worker) = choose_worker(n).and_then(|id| self.workers.get_mut(&id)) {
                    worker.serves = true;
                }
            }
            Step::WorkerEnds(n, code) => {
                if let Some(id) = choose_worker(n) {
                    self.worker_ends(id, ExitStatus::Code(code));
                }
            }
            Step::WorkerLeaves(n) => {
                if let Some(id) = choose_worker(n)
                    && self.workers[&id].drains
                {
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
                    self.zygote_ends(id, killed);
                }
            }
            Step::ZygoteKilledForking(n) => {
                if let Some(id) = choose_zygote(n) {
                    self.fork(id);
                    self.zygote_ends(id, killed);
                }
            }
            Step::Pass(_) => {}
        }
    }
}

impl World for Kernel {
    fn start_zygote(&mut self, id: ZygoteId, _group: GroupId) -> Result<Pid, MasterError> {
        assert!(self.zygotes.is_empty(), "one zygote a group");
        self.zygotes.insert(
            id,
            Zygote {
                ready: false,
                quitting: false,
                orders: VecDeque::new(),
            },
        );
        Ok(zygote_pid(id))
    }

    fn spawn(&mut self, zygote: ZygoteId, birth: Birth) -> Result<(), Errno> {
        let before = self.slots.insert((birth.pool, birth.slot), birth.worker);
        assert_eq!(before, None, "a slot has one worker");
        assert!(
            birth.slot.0 < self.capacity[birth.pool.index.0 as usize],
            "never above pm.max_children"
        );
        // A zygote that has died without the master's knowing yet takes no orders.
        if let Some(zygote) = self.zygotes.get_mut(&zygote) {
            assert!(
                zygote.ready && !zygote.quitting,
                "only zygotes that are up fork"
            );
            zygote.orders.push_back(birth);
        }
        Ok(())
    }

    fn signal_worker(&mut self, zygote: ZygoteId, worker: WorkerId, signal: Signal) {
        if self.zygotes.contains_key(&zygote) {
            self.worker_ends(
                worker,
                ExitStatus::Signal {
                    signal,
                    core_dumped: false,
                },
            );
        }
    }

    fn quit_zygote(&mut self, zygote: ZygoteId) {
        if let Some(zygote) = self.zygotes.get_mut(&zygote) {
            zygote.quitting = true;
        }
        self.zygotes_may_end();
    }

    fn forget_zygote(&mut self, _zygote: ZygoteId) {}

    fn hear_workers(&mut self) {}

    fn signal_child(&mut self, pid: Pid, signal: Signal) {
        let status = ExitStatus::Signal {
            signal,
            core_dumped: false,
        };
        if let Some(id) = self
            .zygotes
            .keys()
            .copied()
            .find(|id| zygote_pid(*id) == pid)
        {
            self.zygote_ends(id, status);
        } else {
            self.worker_ends(WorkerId(u64::try_from(pid.as_raw()).unwrap()), status);
        }
    }

    fn drain(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.drains = true;
        }
    }

    fn release(&mut self, worker: WorkerId) {
        assert!(
            !self.workers.contains_key(&worker),
            "only slots of workers that are gone are freed"
        );
        self.slots.retain(|_, holder| *holder != worker);
    }

    fn fate(&mut self, worker: WorkerId) -> Fate {
        match self.workers.get(&worker) {
            Some(known) if known.serves => Fate::Born(worker_pid(worker)),
            Some(_) => Fate::Unknown,
            None => Fate::Nobody,
        }
    }

    fn activity(&self, worker: WorkerId, _now: Duration) -> Activity {
        match self.workers.get(&worker) {
            Some(worker) if !worker.serves => Activity::Starting,
            _ => Activity::Busy,
        }
    }

    fn waiting(&self, _pool: PoolId) -> u32 {
        0
    }

    fn accepted(&self, _pool: PoolId) -> u64 {
        0
    }

    fn count_max_children_reached(&mut self, _pool: PoolId) {}

    fn connections_wanted(&mut self, _pool: PoolId) {}

    fn arm(&mut self, timer: Timer, at: Duration) {
        self.timers.insert(timer, at);
    }

    fn launched(&mut self) -> Result<(), MasterError> {
        Ok(())
    }

    fn notify(&mut self, _state: &str) -> io::Result<Audience> {
        Ok(Audience::Told)
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn reopen_log(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reopen_access_logs(&mut self) -> Reopened {
        Reopened::None
    }
}

/// A master among simulated processes, and the clock.
struct Life {
    master: Master<Kernel>,
    now: Duration,
}

impl Life {
    fn new(capacity: &[u32]) -> Life {
        let pools = (0..).zip(capacity).map(|(index, max_children)| {
            let mut pool = Pool::new(&format!("pool{index}"), &format!("/run/{index}.sock"));
            pool.pm_max_children = *max_children;
            pool
        });
        let config = Config {
            pools: pools.collect(),
            ..Config::default()
        };
        let kernel = Kernel {
            capacity: capacity.to_vec(),
            ..Kernel::default()
        };
        let mut life = Life {
            master: Master::new(&config, kernel),
            now: Duration::from_secs(1000),
        };
        life.master.start(life.now);
        life.play(Step::ZygoteReady(0));
        life
    }

    fn kernel(&mut self) -> &mut Kernel {
        self.master.world()
    }

    fn play(&mut self, step: Step) {
        self.kernel().step(step);
        self.deliver();
        if let Step::Pass(milliseconds) = step {
            let end = self.now + Duration::from_millis(milliseconds);
            while let Some((timer, at)) = self.due(end) {
                self.kernel().timers.remove(&timer);
                self.now = self.now.max(at);
                self.master.on_event(self.now, Event::Due(timer));
                self.deliver();
            }
            self.now = end;
        }
    }

    fn due(&mut self, end: Duration) -> Option<(Timer, Duration)> {
        let first = self
            .kernel()
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at));
        first.filter(|(_, at)| *at <= end)
    }

    fn deliver(&mut self) {
        while let Some(event) = self.kernel().happened.pop_front() {
            self.master.on_event(self.now, event);
        }
    }

    /// Everything works and nothing dies for some minutes.
    fn calm(&mut self) {
        for _ in 0..400 {
            self.play(Step::ZygoteReady(0));
            while self
                .kernel()
                .zygotes
                .values()
                .any(|zygote| !zygote.orders.is_empty())
            {
                self.play(Step::Fork(0));
            }
            for n in 0..self.kernel().workers.len() {
                self.play(Step::Serves(n));
            }
            let leaving: Vec<_> = self
                .kernel()
                .workers
                .iter()
                .filter(|(_, worker)| worker.drains)
                .map(|(id, _)| *id)
                .collect();
            for id in leaving {
                self.kernel().worker_ends(id, ExitStatus::Code(0));
                self.deliver();
            }
            self.play(Step::Pass(500));
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<usize>;
    let step = prop_oneof![
        6 => any().prop_map(Step::Fork),
        1 => any().prop_map(Step::ForkFails),
        4 => any().prop_map(Step::Serves),
        3 => (any(), prop::sample::select(vec![0, 70, 255])).prop_map(|(n, code)| Step::WorkerEnds(n, code)),
        2 => any().prop_map(Step::WorkerLeaves),
        3 => any().prop_map(Step::ZygoteReady),
        1 => any().prop_map(Step::ZygoteFails),
        1 => any().prop_map(Step::ZygoteKilled),
        1 => any().prop_map(Step::ZygoteKilledForking),
        4 => (0_u64..3000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn calm_after_any_turbulence_fills_the_pools_and_a_stop_ends_everything(
        capacity in prop::collection::vec(1_u32..9, 1..4),
        steps in steps(),
        signal in prop::sample::select(vec![Signal::TERM, Signal::QUIT]),
        late in prop::collection::vec(prop::bool::ANY, 1..3),
    ) {
        let mut life = Life::new(&capacity);
        for step in steps {
            life.play(step);
        }
        if late[0] {
            life.calm();
            let kernel = life.kernel();
            let expected: u32 = kernel.capacity.iter().sum();
            prop_assert_eq!(kernel.workers.len(), expected as usize);
            prop_assert!(kernel.workers.values().all(|worker| worker.zygote.is_some()), "orphans were replaced");
        }
        life.master.on_event(life.now, Event::Signal(signal));
        life.deliver();
        life.calm();
        prop_assert!(matches!(life.master.take_outcome(), Some(Outcome::Stopped)));
        prop_assert!(life.kernel().workers.is_empty() && life.kernel().zygotes.is_empty());
        prop_assert!(life.kernel().slots.is_empty());
    }
}
