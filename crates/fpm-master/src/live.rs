//! The real world: zygote processes, sockets and pipes, the scoreboard and the event loop.
//!
//! Rule: nothing is decided here; [`crate::master`] decides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use fpm_channel::underway::Trace;
use fpm_channel::worker::ToWorker;
use fpm_channel::{Generation, Output, Spawn, ToZygote, WorkerId};
use fpm_conf::{Changes, Config, LogFormat};
use fpm_control::{Answer, PoolStatus, Scope, Status, WorkerStatus};
use fpm_events::{EventLoop, Interest, TimerId};
use fpm_os::clock;
use fpm_os::process::kill;
use fpm_os::signal::Signal;
use fpm_os::{listener, memory, notification};
use fpm_scoreboard::{PoolBoard, SlotSnapshot, SlotState, Stage};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::access_logs::Reopened;
use crate::capture::Requests;
use crate::error::MasterError;
use crate::event::{CallerId, Timer, ZygoteId};
use crate::group::GroupId;
use crate::pool::PoolId;
use crate::program::{Options, Program, Stream};
use crate::sizing::Memory;
use crate::systemd::Load;
use crate::upgrade::examination::Refusal;
use crate::upgrade::heritage::Whole;
use crate::upgrade::state::Decided;
use crate::world::{Activity, Audience, Birth, Examination, Fate, World};

mod callers;
mod carrying;
mod control;
mod examination;
mod generations;
mod handover;
mod inputs;
mod outlet;
mod pipes;
mod remains;
mod restraint;
mod setup;
mod status;
pub(crate) mod trial;
mod zygote;

use callers::Callers;
use examination::Identity;
use outlet::Outputs;
use pipes::Caught;
pub(crate) use pipes::Pipes;
pub(crate) use remains::Remains;
use restraint::Restraint;
pub(crate) use setup::Setup;
pub(crate) use zygote::LiveZygote;

/// Everything of the master that is not a decision.
#[derive(Debug)]
pub(crate) struct Live<P> {
    pub(crate) program: P,
    options: Options,
    /// Those that have processes, and the one that serves.
    generations: BTreeMap<Generation, Setup>,
    serving: Generation,
    /// How many files zygotes and workers may have open, when that is less than the master may.
    open_files: Option<u64>,
    events: EventLoop<Token>,
    timers: HashMap<Timer, TimerId>,
    zygotes: BTreeMap<ZygoteId, LiveZygote>,
    workers: HashMap<WorkerId, Pipes>,
    outputs: Outputs,
    callers: Callers,
    /// When the master was started, since 1970.
    started: Duration,
    /// Set while the log takes less than there is.
    log_timer: Option<TimerId>,
    restraint: Restraint,
    /// Outputs with something to read that the log has no room for yet.
    held: HashSet<(WorkerId, Stream)>,
    /// The file of the program that runs, as it was at the start.
    running: Option<Identity>,
    /// The program on disk that is being examined.
    examination: Option<examination::Examination>,
    /// The file of the one that has passed.
    examined: Option<Identity>,
    /// What a program before has left.
    remains: Remains,
}

/// Who has something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The channel of a zygote.
    Channel(ZygoteId),
    /// The standard error of a zygote.
    ZygoteStderr(ZygoteId),
    /// The control socket of a worker. As a timer: there is more to read, or to send.
    Control(WorkerId),
    /// An output of a worker. As a timer: there is more to read.
    Output(WorkerId, Stream),
    /// The log: try again what it did not take.
    Log,
    /// The socket of a pool.
    Listener(PoolId),
    /// The control socket. As a timer: try again to accept.
    Callers,
    /// A command at the control socket. As a timer: there is more to send, or to read.
    Caller(CallerId),
    /// A command has had its time.
    SlowCaller(CallerId),
    /// The program that is being examined. As a timer: it should be further by now.
    Examination,
    /// One of those that a program before has left.
    Remains(usize),
    /// A timer of the master.
    Timer(Timer),
}

impl<P: Program> World for Live<P> {
    fn prepare(&mut self, next: Generation, scope: &Scope) -> Result<Config, MasterError> {
        self.set_up(next, scope)
    }

    fn is_carried(&self, pool: PoolId) -> bool {
        let setup = self.generations.get(&pool.generation);
        setup.is_some_and(|setup| setup.carried.contains(&pool.index))
    }

    fn carry(&mut self, from: PoolId, to: PoolId) {
        self.rename(from, to);
    }

    fn examine(&mut self) -> Result<Examination, Refusal> {
        self.begin_examination()
    }

    fn hand_over(&mut self, decided: Decided, waiting: &[CallerId]) -> MasterError {
        self.become_other(decided, waiting)
    }

    fn succeed(&mut self, next: Generation) {
        self.put_in_force(next);
    }

    fn close_sockets(&mut self, generation: Generation) {
        self.close_old_sockets(generation);
    }

    fn retire(&mut self, generation: Generation) {
        self.forget(generation);
    }

    fn start_zygote(&mut self, id: ZygoteId, group: GroupId) -> Result<Pid, MasterError> {
        let number = group.generation;
        let setup = self
            .generations
            .get(&number)
            .expect("zygotes are started for generations that are set up");
        let zygote = LiveZygote::start(number, setup, &self.options, self.open_files)?;
        self.events
            .add(zygote.channel(), Interest::Both, Token::Channel(id))?;
        self.events
            .add(zygote.stderr(), Interest::Readable, Token::ZygoteStderr(id))?;
        let pid = zygote.pid;
        self.zygotes.insert(id, zygote);
        Ok(pid)
    }

    fn ini_mistake(&mut self, id: ZygoteId) -> Option<BString> {
        self.read_stderr(id);
        self.zygotes.get(&id)?.ini_mistake().cloned()
    }

    fn spawn(&mut self, id: ZygoteId, birth: Birth) -> Result<(), Errno> {
        let Some(zygote) = self.zygotes.get_mut(&id) else {
            return Err(Errno::ESRCH);
        };
        let caught = caught(&self.generations, birth.pool);
        let access_log = access_log(&self.generations, birth.pool).cloned();
        let (pipes, ends) = Pipes::create(birth, caught).map_err(|error| errno(&error))?;
        let output = ends.output.as_ref();
        let message = ToZygote::Spawn(Spawn {
            worker: birth.worker,
            pool: birth.pool.index,
            slot: birth.slot,
            control: ends.control.as_fd(),
            access_log: access_log.as_ref().map(AsFd::as_fd),
            output: output.map(|[stdout, stderr]| Output {
                stdout: stdout.as_fd(),
                stderr: stderr.as_fd(),
            }),
        });
        zygote.send(&message)?;
        self.watch(&pipes.control, Interest::Both, Token::Control(birth.worker));
        if self.outputs == Outputs::Heard {
            self.watch_outputs(birth.worker, &pipes);
        }
        self.workers.insert(birth.worker, pipes);
        Ok(())
    }

    fn signal_worker(&mut self, zygote: ZygoteId, worker: WorkerId, signal: Signal) {
        self.tell(zygote, &ToZygote::Kill { worker, signal });
    }

    fn quit_zygote(&mut self, zygote: ZygoteId) {
        self.tell(zygote, &ToZygote::Quit);
    }

    fn forget_zygote(&mut self, id: ZygoteId) {
        self.read_stderr(id);
        if let Some(zygote) = self.zygotes.remove(&id) {
            self.unwatch(zygote.channel());
            self.unwatch(zygote.stderr());
        }
    }

    fn signal_child(&mut self, pid: Pid, signal: Signal) {
        if let Err(error) = kill(pid, signal) {
            tracing::debug!("{signal} to {pid}: {error}");
        }
    }

    fn drain(&mut self, worker: WorkerId) {
        if let Some(pipes) = self.workers.get(&worker) {
            if let Some(board) = board(&self.generations, pipes.pool) {
                board.drain(pipes.slot.0);
            }
            self.tell_worker(worker, ToWorker::Look);
        }
    }

    fn release(&mut self, worker: WorkerId) {
        self.last_words(worker);
        if let Some(pipes) = self.workers.remove(&worker) {
            self.unwatch(&pipes.control);
            for (_, pipe) in pipes.outputs() {
                self.unwatch(pipe);
            }
            if let Some(board) = board(&self.generations, pipes.pool) {
                board.release(pipes.slot.0);
            }
            self.hand_on(pipes.pool);
        }
    }

    fn fate(&mut self, worker: WorkerId) -> Fate {
        let state = self.state(worker);
        let Some(pipes) = self.workers.get_mut(&worker) else {
            return Fate::Nobody;
        };
        match state {
            Some(state) => Fate::Born(state.pid),
            // Its zygote is dead: nobody but the worker itself can have the other end.
            None if pipes.control.send(ToWorker::Look).is_err() => Fate::Nobody,
            None => Fate::Unknown,
        }
    }

    fn activity(&self, worker: WorkerId, _now: Duration) -> Activity {
        match self.state(worker) {
            None => Activity::Starting,
            Some(state) => match state.stage {
                Stage::Creating => Activity::Starting,
                Stage::Accepting => Activity::Idle { since: state.since },
                Stage::Resting => Activity::Resting { since: state.since },
                Stage::ReadingHeaders | Stage::Info | Stage::Running | Stage::Finished => {
                    Activity::Busy
                }
            },
        }
    }

    fn waiting(&self, pool: PoolId) -> u32 {
        let socket = self
            .generations
            .get(&pool.generation)
            .and_then(|setup| setup.listeners.socket(pool.index));
        // Without an answer somebody waits as far as anybody knows.
        socket.map_or(0, |socket| {
            listener::queue::of(socket).map_or(1, |queue| queue.waiting)
        })
    }

    fn accepted(&self, pool: PoolId) -> u64 {
        board(&self.generations, pool).map_or(0, |board| board.totals().counters.accepted)
    }

    fn count_max_children_reached(&mut self, pool: PoolId) {
        if let Some(board) = board(&self.generations, pool) {
            board.count_max_children_reached();
        }
    }

    fn slot(&self, worker: WorkerId) -> Option<SlotSnapshot> {
        let pipes = self.workers.get(&worker)?;
        board(&self.generations, pipes.pool)?.snapshot(pipes.slot.0)
    }

    fn ask_for_stack(&self, worker: WorkerId) {
        if let Some(pipes) = self.workers.get(&worker)
            && let Some(board) = board(&self.generations, pipes.pool)
        {
            board.ask_for_stack(pipes.slot.0);
        }
    }

    fn count_timed_out_request(&mut self, pool: PoolId) {
        if let Some(board) = board(&self.generations, pool) {
            board.count_timed_out_request();
        }
    }

    fn log_slow_request(
        &mut self,
        pool: PoolId,
        pid: Pid,
        trace: &Trace,
    ) -> Result<(), MasterError> {
        let Some(setup) = self.generations.get(&pool.generation) else {
            return Ok(());
        };
        setup.log_slow_request(pool.index, pid, trace)
    }

    fn connections_wanted(&mut self, pool: PoolId) {
        if let Some(setup) = self.generations.get(&pool.generation)
            && let Some(socket) = setup.listeners.socket(pool.index)
            && let Err(error) = self
                .events
                .add(socket, Interest::Readable, Token::Listener(pool))
        {
            tracing::error!("{error}");
        }
    }

    fn arm(&mut self, timer: Timer, at: Duration) {
        let id = self.events.set_timer(at, Token::Timer(timer));
        if let Some(earlier) = self.timers.insert(timer, id) {
            self.events.cancel_timer(earlier);
        }
    }

    fn launched(&mut self) -> Result<(), MasterError> {
        self.program.launched()?;
        self.keep_sockets();
        self.take_calls();
        Ok(())
    }

    fn hear_workers(&mut self) {
        self.outputs = Outputs::Heard;
        let workers = std::mem::take(&mut self.workers);
        for (worker, pipes) in &workers {
            self.watch_outputs(*worker, pipes);
        }
        self.workers = workers;
        self.dismiss_remains();
    }

    fn notify(&mut self, state: &str) -> io::Result<Audience> {
        let Some(socket) = &self.options.notify_socket else {
            return Ok(Audience::Nobody);
        };
        notification::send(socket, state)?;
        Ok(Audience::Told)
    }

    fn load(&self) -> Load {
        let mut load = Load::default();
        for (number, setup) in &self.generations {
            if *number == self.serving {
                for pool in &setup.pools {
                    load.add(&pool.totals());
                }
            } else {
                for totals in setup.own_totals() {
                    load.add(&totals);
                }
            }
        }
        load
    }

    fn answer(&mut self, caller: CallerId, answer: &Answer) {
        self.answer_caller(caller, answer);
    }

    fn preview(&self, scope: &Scope) -> Result<Changes, MasterError> {
        self.preview_changes(scope)
    }

    fn status(&self) -> Status {
        self.daemon_status()
    }

    fn pool_status(&self, pool: PoolId) -> PoolStatus {
        self.status_of_pool(pool)
    }

    fn worker_status(&self, worker: WorkerId, now: Duration) -> Option<WorkerStatus> {
        self.status_of_worker(worker, now)
    }

    fn memory(&self) -> io::Result<Memory> {
        Ok(Memory {
            limit: memory::limit()?,
            // A kernel that does not measure it is never short of it.
            pressure: memory::pressure().unwrap_or(0.0),
        })
    }

    fn takes(&self, worker: WorkerId) -> Option<u64> {
        let state = self.state(worker).filter(|state| state.requests > 0)?;
        memory::proportional_set_size(state.pid).ok()
    }

    fn reopen_log(&mut self) -> io::Result<()> {
        self.program.reopen_log()
    }

    fn reopen_access_logs(&mut self) -> Reopened {
        let setups = self.generations.values_mut();
        let reopened = setups
            .map(|setup| setup.access_logs.reopen())
            .fold(Reopened::None, Reopened::and);
        self.hand_out_access_logs();
        reopened
    }
}

impl<P: Program> Live<P> {
    pub(crate) fn new(
        program: P,
        options: Options,
        first: Setup,
        open_files: Option<u64>,
        events: EventLoop<Token>,
    ) -> Live<P> {
        Live {
            program,
            running: Identity::of(&options.executable),
            options,
            generations: BTreeMap::from([(Generation(1), first)]),
            serving: Generation(1),
            open_files,
            events,
            timers: HashMap::new(),
            zygotes: BTreeMap::new(),
            workers: HashMap::new(),
            outputs: Outputs::Waiting,
            callers: Callers::default(),
            started: clock::realtime(),
            log_timer: None,
            restraint: Restraint::default(),
            held: HashSet::new(),
            examination: None,
            examined: None,
            remains: Remains::default(),
        }
    }

    /// Goes on with all that another program had.
    pub(crate) fn adopted(
        program: P,
        options: Options,
        whole: Whole,
        events: EventLoop<Token>,
    ) -> Live<P> {
        let mut live = Live {
            program,
            running: Identity::of(&options.executable),
            options,
            serving: whole.decided.serving,
            generations: whole.generations,
            open_files: whole.open_files,
            events,
            timers: HashMap::new(),
            zygotes: whole.zygotes,
            workers: HashMap::new(),
            outputs: Outputs::Heard,
            callers: Callers::default(),
            started: whole.started,
            log_timer: None,
            restraint: Restraint::default(),
            held: HashSet::new(),
            examination: None,
            examined: None,
            remains: Remains::default(),
        };
        live.watch_all(whole.workers);
        live.adopt_callers(whole.callers);
        live
    }

    /// Ends in order: removes the files of the sockets that nobody keeps.
    pub(crate) fn close(&self) {
        self.end_examination();
        if let Some(setup) = self.generations.get(&self.serving) {
            setup.listeners.leave();
        }
    }

    /// Has the service manager keep the sockets of the generation that serves, if it does such a thing.
    fn keep_sockets(&self) {
        if let Some(store) = &self.options.store
            && let Some(setup) = self.generations.get(&self.serving)
        {
            setup.listeners.keep(store);
        }
    }

    /// Sends what needs no descriptors. A zygote that does not listen is about to be found dead.
    fn tell(&mut self, zygote: ZygoteId, message: &ToZygote) {
        if let Some(zygote) = self.zygotes.get_mut(&zygote) {
            let _ = zygote.send(message);
        }
    }

    fn watch(&mut self, descriptor: impl AsFd, interest: Interest, token: Token) {
        if let Err(error) = self.events.add(descriptor, interest, token) {
            tracing::error!("{error}");
        }
    }

    /// Reads the slot of a worker; `None` before it has taken it.
    fn state(&self, worker: WorkerId) -> Option<SlotState> {
        let pipes = self.workers.get(&worker)?;
        board(&self.generations, pipes.pool)?.state(pipes.slot.0)
    }

    fn unwatch(&mut self, descriptor: impl AsFd) {
        // It may have been unwatched already because it was at its end.
        let _ = self.events.remove(descriptor);
    }
}

/// Returns the scoreboard of a pool.
fn board(generations: &BTreeMap<Generation, Setup>, pool: PoolId) -> Option<&PoolBoard> {
    generations.get(&pool.generation)?.board(pool.index)
}

/// Tells whether the outputs of a pool's workers are caught, and what is to be found in them.
fn caught(generations: &BTreeMap<Generation, Setup>, pool: PoolId) -> Caught {
    let Some(setup) = generations.get(&pool.generation) else {
        return Caught::Nothing;
    };
    match (setup.pool(pool.index), setup.config.global.log_format) {
        (Some(pool), LogFormat::Fpm) if pool.catch_workers_output => {
            Caught::Outputs(Requests::Unnamed)
        }
        (Some(pool), LogFormat::Json) if pool.catch_workers_output => {
            Caught::Outputs(Requests::Named)
        }
        _ => Caught::Nothing,
    }
}

/// Returns the access log of a pool that keeps one.
fn access_log(generations: &BTreeMap<Generation, Setup>, pool: PoolId) -> Option<&Arc<File>> {
    generations
        .get(&pool.generation)?
        .access_logs
        .of(pool.index)
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}
