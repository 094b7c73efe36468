//! A world that writes down what it is asked to do, and a stage on which events are played.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use bstr::BString;
use fpm_channel::underway::Trace;
use fpm_channel::{FromZygote, Generation, WorkerId};
use fpm_conf::{Changes, Config, PoolIndex};
use fpm_control::{Answer, DaemonMeasured, PoolStatus, Scope, State, Status, WorkerStatus};
use fpm_os::error::OsError;
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, ExitStatus};
use fpm_scoreboard::{Farewell, SlotSnapshot};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::access_logs::Reopened;
use crate::error::MasterError;
use crate::event::{CallerId, Event, Timer, ZygoteId};
use crate::group::GroupId;
use crate::master::Master;
use crate::pool::PoolId;
use crate::resting::RestingId;
use crate::sizing::Memory;
use crate::systemd::Load;
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::Decided;
use crate::world::{Activity, Audience, Birth, Count, Examination, Fate, OnDisk, World};

mod log;
mod told;

use log::Log;

fn count(config: &Config) -> u32 {
    u32::try_from(config.pools.len()).unwrap()
}

/// The process of another master.
pub(super) const OTHER: Pid = Pid::from_raw(5000);

/// Process of worker n is n, of zygote n 1000 + n.
fn zygote_pid(zygote: u64) -> Pid {
    Pid::from_raw(1000 + i32::try_from(zygote).unwrap())
}

#[derive(Debug)]
pub(super) struct FakeWorld {
    calls: Vec<String>,
    pub(super) counts: Vec<Count>,
    notifications: Vec<String>,
    pub(super) timers: BTreeMap<Timer, Duration>,
    /// Workers that were asked for and not answered, with the zygote that was asked.
    asked: Vec<(ZygoteId, WorkerId)>,
    alive: BTreeSet<WorkerId>,
    pub(super) activities: BTreeMap<WorkerId, Activity>,
    pub(super) default_activity: Activity,
    pub(super) slots: BTreeMap<WorkerId, SlotSnapshot>,
    pub(super) waiting: u32,
    pub(super) accepted: u64,
    pub(super) fates: BTreeMap<WorkerId, Fate>,
    pub(super) zygotes_fail: bool,
    pub(super) spawns_fail: bool,
    pub(super) launch_fails: bool,
    /// What PHP says of php.ini.
    pub(super) ini_mistake: Option<&'static str>,
    pub(super) reopen_fails: bool,
    pub(super) slow_log_fails: bool,
    /// The paths of access logs that cannot be opened; `None` when no pool keeps one.
    pub(super) unopenable: Option<Vec<&'static str>>,
    /// What becomes of a notification.
    pub(super) audience: Option<Audience>,
    pub(super) load: Load,
    pub(super) memory: Memory,
    /// What workers take of it that have served, in bytes.
    pub(super) sizes: BTreeMap<WorkerId, u64>,
    /// How often that was asked for.
    pub(super) measured: Cell<u32>,
    /// The generation that serves, and how many pools it has.
    serving: (Generation, u32),
    /// Whether the connections that workers have left were closed.
    pub(super) all_turned_away: bool,
    /// What a reload finds; `None` is a configuration that cannot be used.
    pub(super) next: Option<Config>,
    /// The pools that it leaves as they are.
    pub(super) carried: BTreeSet<PoolIndex>,
    pub(super) examination: Result<Examination, Refusal>,
    /// What was handed over.
    pub(super) decided: Option<Decided>,
}

impl World for FakeWorld {
    fn start_zygote(&mut self, zygote: ZygoteId, _group: GroupId) -> Result<Pid, MasterError> {
        if self.zygotes_fail {
            let source = OsError::Call {
                call: "fork()",
                errno: Errno::ENOMEM,
            };
            return Err(MasterError::Zygote { source });
        }
        self.calls.push(format!("start zygote {}", zygote.0));
        Ok(zygote_pid(zygote.0))
    }

    fn is_carried(&self, pool: PoolId) -> bool {
        self.carried.contains(&pool.index)
    }

    fn carry(&mut self, from: PoolId, to: PoolId) {
        self.calls.push(format!(
            "carry pool {} from generation {} to {}",
            from.index.0, from.generation.0, to.generation.0
        ));
    }

    fn prepare(&mut self, next: Generation, _scope: &Scope) -> Result<Config, MasterError> {
        self.calls.push(format!("prepare generation {}", next.0));
        let reasons = vec!["a mistake".to_owned()];
        self.next
            .clone()
            .ok_or(MasterError::Configuration { reasons })
    }

    fn prepare_again(&mut self, next: Generation) -> Result<Config, MasterError> {
        self.calls
            .push(format!("prepare generation {} as before", next.0));
        self.next.clone().ok_or(MasterError::Configuration {
            reasons: Vec::new(),
        })
    }

    fn start_beside(&mut self) -> Result<Pid, MasterError> {
        self.calls.push("start another master".to_owned());
        if self.zygotes_fail {
            return Err(MasterError::Process(io::Error::other("no")));
        }
        Ok(OTHER)
    }

    fn take_names_back(&mut self) {
        self.calls.push("take the names back".to_owned());
    }

    fn pass_on(&mut self) {
        self.calls.push("pass on".to_owned());
    }

    fn report_to_elder(&mut self) {}

    fn be_main(&mut self) {
        self.calls.push("be the service".to_owned());
    }

    fn clear_up_after_elder(&mut self) {
        self.calls.push("clear up after the old master".to_owned());
    }

    fn on_disk(&self) -> OnDisk {
        match self.examination {
            Ok(Examination::Unneeded) => OnDisk::Same,
            _ => OnDisk::Other,
        }
    }

    fn examine(&mut self) -> Result<Examination, Refusal> {
        self.examination.clone()
    }

    fn hand_over(&mut self, decided: Decided, _waiting: &[CallerId]) -> MasterError {
        self.calls.push("hand over".to_owned());
        self.decided = Some(decided);
        MasterError::HandOver {
            program: "/fpmd".into(),
            reason: "no".to_owned(),
        }
    }

    fn succeed(&mut self, next: Generation) {
        self.serving = (next, self.next.as_ref().map_or(0, count));
        self.calls.push(format!("generation {} serves", next.0));
    }

    fn close_sockets(&mut self, generation: Generation) {
        self.calls.push(format!(
            "close sockets that only generation {} has",
            generation.0
        ));
    }

    fn retire(&mut self, generation: Generation) {
        self.calls
            .push(format!("forget generation {}", generation.0));
    }

    fn spawn(&mut self, zygote: ZygoteId, birth: Birth) -> Result<(), Errno> {
        if self.spawns_fail {
            return Err(Errno::EMFILE);
        }
        self.calls.push(format!(
            "spawn worker {} of pool {} in slot {} by zygote {}",
            birth.worker.0, birth.pool.index.0, birth.slot.0, zygote.0
        ));
        self.asked.push((zygote, birth.worker));
        Ok(())
    }

    fn signal_worker(&mut self, zygote: ZygoteId, worker: WorkerId, signal: Signal) {
        let (worker, zygote) = (worker.0, zygote.0);
        let call = format!("{signal} to worker {worker} through zygote {zygote}");
        self.calls.push(call);
    }

    fn quit_zygote(&mut self, zygote: ZygoteId) {
        self.calls.push(format!("quit zygote {}", zygote.0));
    }

    fn forget_zygote(&mut self, zygote: ZygoteId) {
        self.asked.retain(|(asked, _)| *asked != zygote);
    }

    fn signal_child(&mut self, pid: Pid, signal: Signal) {
        self.calls.push(format!("{signal} to child {pid}"));
    }

    fn wake(&mut self, worker: WorkerId) {
        self.calls.push(format!("wake worker {}", worker.0));
    }

    fn drain(&mut self, worker: WorkerId, farewell: Farewell) {
        let closing = match farewell {
            Farewell::HandOver => "",
            Farewell::Close => ", closing",
        };
        self.calls
            .push(format!("drain worker {}{closing}", worker.0));
    }

    fn served_at_socket_of(&self, pool: PoolId) -> Option<PoolId> {
        let (generation, pools) = self.serving;
        (pool.index.0 < pools).then_some(PoolId { generation, ..pool })
    }

    fn turn_away(&mut self, connection: RestingId) {
        self.calls.push(format!("turn away {}", connection.0));
    }

    fn turn_all_away(&mut self) {
        self.all_turned_away = true;
    }

    fn release(&mut self, worker: WorkerId) {
        self.alive.remove(&worker);
        self.calls.push(format!("release worker {}", worker.0));
    }

    fn fate(&mut self, worker: WorkerId) -> Fate {
        self.fates.get(&worker).copied().unwrap_or(Fate::Nobody)
    }

    fn activity(&self, worker: WorkerId) -> Activity {
        self.activities
            .get(&worker)
            .copied()
            .unwrap_or(self.default_activity)
    }

    fn slot(&self, worker: WorkerId) -> Option<SlotSnapshot> {
        self.slots.get(&worker).cloned()
    }

    fn ask_for_stack(&self, worker: WorkerId) {
        assert!(self.alive.contains(&worker), "only who lives is asked");
    }

    fn count(&mut self, count: Count) {
        self.counts.push(count);
    }

    fn count_timed_out_request(&mut self, pool: PoolId) {
        self.calls.push(format!(
            "count a timed out request of pool {}",
            pool.index.0
        ));
    }

    fn count_rest(&mut self, pool: PoolId) {
        self.calls
            .push(format!("count a rest of pool {}", pool.index.0));
    }

    fn log_slow_request(
        &mut self,
        pool: PoolId,
        pid: Pid,
        trace: &Trace,
    ) -> Result<(), MasterError> {
        let calls = trace.calls.len();
        let pool = pool.index.0;
        self.calls
            .push(format!("log {calls} calls of child {pid} of pool {pool}"));
        if self.slow_log_fails {
            return Err(MasterError::SlowLog {
                path: "/slow".into(),
                source: io::Error::from_raw_os_error(Errno::ENOENT as i32),
            });
        }
        Ok(())
    }

    fn waiting(&self, _pool: PoolId) -> u32 {
        self.waiting
    }

    fn accepted(&self, _pool: PoolId) -> u64 {
        self.accepted
    }

    fn count_max_children_reached(&mut self, pool: PoolId) {
        self.calls.push(format!(
            "count max children reached of pool {}",
            pool.index.0
        ));
    }

    fn connections_wanted(&mut self, pool: PoolId) {
        self.calls
            .push(format!("watch the sockets of pool {}", pool.index.0));
    }

    fn arm(&mut self, timer: Timer, at: Duration) {
        self.timers.insert(timer, at);
    }

    fn launched(&mut self) -> Result<(), MasterError> {
        if self.launch_fails {
            return Err(MasterError::Launch {
                text: "Unable to write to the PID file.".to_owned(),
            });
        }
        self.calls.push("launched".to_owned());
        Ok(())
    }

    fn ini_mistake(&mut self, _zygote: ZygoteId) -> Option<BString> {
        self.ini_mistake.map(Into::into)
    }

    fn hear_workers(&mut self) {
        self.calls.push("hear workers".to_owned());
    }

    fn notify(&mut self, state: &str) -> io::Result<Audience> {
        let master = format!("MAINPID={}", Pid::this());
        let state = state.replace(&master, "MAINPID=(master)");
        self.notifications.push(state.replace('\n', "; "));
        self.audience.ok_or_else(|| io::Error::other("no"))
    }

    fn load(&self) -> Load {
        self.load
    }

    fn answer(&mut self, caller: CallerId, answer: &Answer) {
        self.calls.push(match answer {
            Answer::Status(status) => {
                format!("answer caller {}: {}", caller.0, status.state.name())
            }
            answer => format!("answer caller {}: {answer:?}", caller.0),
        });
    }

    fn preview(&self, _scope: &Scope) -> Result<Changes, MasterError> {
        let reasons = vec!["a mistake".to_owned()];
        let next = self.next.as_ref();
        let next = next.ok_or(MasterError::Configuration { reasons })?;
        Ok(Changes::between(next, next))
    }

    fn status(&self) -> Status {
        Status {
            beside: None,
            pid: 1,
            version: String::new(),
            configuration: String::new(),
            started_at: 0,
            state: State::Serving,
            reload_failure: None,
            measured: DaemonMeasured::default(),
            generations: Vec::new(),
            pools: Vec::new(),
        }
    }

    fn answer_operator(&mut self, _status: Status) {}

    fn pool_status(&self, pool: PoolId) -> PoolStatus {
        PoolStatus {
            generation: pool.generation.0,
            ..PoolStatus::default()
        }
    }

    fn tally(&self, _pool: PoolId, _status: &mut PoolStatus) {}

    fn worker_status(&self, _worker: WorkerId, _now: Duration) -> Option<WorkerStatus> {
        None
    }

    fn memory(&self) -> io::Result<Memory> {
        Ok(self.memory)
    }

    fn takes(&self, worker: WorkerId) -> Option<u64> {
        self.measured.update(|times| times + 1);
        self.sizes.get(&worker).copied()
    }

    fn reopen_log(&mut self) -> io::Result<()> {
        if self.reopen_fails {
            Err(io::Error::other("no"))
        } else {
            Ok(())
        }
    }

    fn reopen_access_logs(&mut self) -> Reopened {
        let missing = |path: &&str| MasterError::AccessLog {
            path: (*path).into(),
            source: io::Error::from_raw_os_error(Errno::ENOENT as i32),
        };
        match &self.unopenable {
            None => Reopened::None,
            Some(paths) if paths.is_empty() => Reopened::All,
            Some(paths) => Reopened::NotAll(paths.iter().map(missing).collect()),
        }
    }
}

/// A master, its fake world, a clock and the lines it logged.
pub(super) struct Stage {
    master: Master<FakeWorld>,
    now: Duration,
    log: Log,
}

impl Stage {
    pub(super) fn new(config: &Config) -> Stage {
        let now = Duration::from_secs(1000);
        let world = FakeWorld {
            calls: Vec::new(),
            counts: Vec::new(),
            notifications: Vec::new(),
            timers: BTreeMap::new(),
            asked: Vec::new(),
            alive: BTreeSet::new(),
            activities: BTreeMap::new(),
            default_activity: Activity::Idle { since: now },
            slots: BTreeMap::new(),
            waiting: 0,
            accepted: 0,
            fates: BTreeMap::new(),
            zygotes_fail: false,
            spawns_fail: false,
            launch_fails: false,
            ini_mistake: None,
            reopen_fails: false,
            slow_log_fails: false,
            unopenable: None,
            audience: Some(Audience::Nobody),
            load: Load::default(),
            memory: Memory {
                limit: 1 << 30,
                pressure: 0.0,
            },
            sizes: BTreeMap::new(),
            measured: Cell::new(0),
            serving: (Generation(1), count(config)),
            all_turned_away: false,
            next: Some(config.clone()),
            carried: BTreeSet::new(),
            examination: Ok(Examination::Unneeded),
            decided: None,
        };
        Stage {
            master: Master::new(config, world),
            now,
            log: Log::default(),
        }
    }

    /// Another program takes the place of this one, in the same world.
    pub(super) fn hand_over(self, config: &Config) -> Stage {
        let Stage { master, now, log } = self;
        let mut world = master.world;
        let decided = world.decided.take().expect("something was handed over");
        world.calls.clear();
        let mut master = Master::adopted(&decided, &[config], world);
        tracing::subscriber::with_default(log.clone(), || master.resume(now, &decided, &[]));
        Stage { master, now, log }
    }

    pub(super) fn world(&mut self) -> &mut FakeWorld {
        self.master.world()
    }

    pub(super) fn join(&mut self, elder: Pid) {
        self.master.join(elder);
    }

    pub(super) fn start(&mut self) {
        let log = self.log.clone();
        tracing::subscriber::with_default(log, || self.master.start(self.now));
    }

    pub(super) fn play(&mut self, event: Event) {
        let log = self.log.clone();
        tracing::subscriber::with_default(log, || self.master.on_event(self.now, event));
    }

    pub(super) fn said(&mut self, zygote: u64, said: FromZygote) {
        self.play(Event::Said(ZygoteId(zygote), said));
    }

    pub(super) fn ready(&mut self, zygote: u64) {
        self.said(
            zygote,
            FromZygote::Ready {
                php_version: "8.2.32".to_owned(),
            },
        );
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.play(Event::Signal(signal));
    }

    pub(super) fn reaped(&mut self, pid: i32, status: ExitStatus) {
        self.play(Event::Reaped(Exit {
            pid: Pid::from_raw(pid),
            status,
        }));
    }

    /// A connection has arrived at the first pool's socket.
    pub(super) fn connection(&mut self) {
        self.play(Event::Connection(PoolId {
            generation: Generation(1),
            index: PoolIndex(0),
        }));
    }

    /// The zygotes fork all that they are asked for, until nothing more is asked.
    pub(super) fn settle(&mut self) {
        while !self.world().asked.is_empty() {
            let (zygote, worker) = self.world().asked.remove(0);
            self.world().alive.insert(worker);
            let pid = Pid::from_raw(i32::try_from(worker.0).unwrap());
            self.said(zygote.0, FromZygote::Spawned { worker, pid });
        }
    }

    /// The zygote answers the next request by saying that it cannot fork.
    pub(super) fn fork_fails(&mut self, errno: Errno) {
        let (zygote, worker) = self.world().asked.remove(0);
        self.said(
            zygote.0,
            FromZygote::SpawnFailed {
                worker,
                errno: errno as i32,
            },
        );
    }

    /// A worker ends and its zygote, number 1 unless it was replaced, says so.
    pub(super) fn worker_ends(&mut self, worker: u64, status: ExitStatus) {
        let pid = Pid::from_raw(i32::try_from(worker).unwrap());
        self.said(
            1,
            FromZygote::Exited {
                worker: WorkerId(worker),
                pid,
                status,
            },
        );
    }

    /// The workers that were told to leave do.
    pub(super) fn obey(&mut self) {
        let calls = self.calls();
        let told = calls
            .lines()
            .filter_map(|call| call.strip_prefix("drain worker "));
        for worker in told {
            self.worker_ends(worker.parse().unwrap(), ExitStatus::Code(0));
        }
    }
}
