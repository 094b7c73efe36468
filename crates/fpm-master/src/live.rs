//! The real world: zygote processes, sockets and pipes, the scoreboard and the event loop.
//!
//! Rule: nothing is decided here; [`crate::master`] decides. `live/world.rs` is what it can ask for, `live/inputs.rs` what it is
//! told, the other files what is behind both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use fpm_channel::{Generation, ToZygote, WorkerId};
use fpm_events::{EventLoop, Interest, TimerId};
use fpm_os::clock;
use fpm_scoreboard::{PoolBoard, SlotState};
use nix::errno::Errno;

use crate::event::{CallerId, Timer, ZygoteId};
use crate::pool::PoolId;
use crate::program::{Options, Program, Stream};
use crate::resting::RestingId;
use crate::upgrade::heritage::Whole;

mod callers;
mod carrying;
mod company;
mod control;
mod examination;
mod generations;
mod handover;
mod inputs;
mod ledger;
mod operator;
mod outlet;
mod pipes;
mod post;
mod remains;
mod resting;
mod restraint;
mod setup;
mod status;
pub(crate) mod trial;
mod world;
mod zygote;

use callers::Callers;
use company::{Other, Speaker};
use examination::Identity;
use operator::Seat;
use outlet::Outputs;
pub(crate) use pipes::Pipes;
pub(crate) use remains::Remains;
use resting::Resting;
use restraint::Restraint;
pub(crate) use setup::Setup;
pub(crate) use zygote::LiveZygote;

/// Process titles have the room of the command line and the environment, which may be nearly empty.
const PADDING: &str = "                                                                ";

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
    operator: Seat,
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
    resting: Resting,
    /// Another master beside this one.
    other: Option<Other>,
    speaker: Speaker,
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
    /// A connection that a worker has left. As a timer: pass it on.
    Resting(RestingId),
    /// The control socket. As a timer: try again to accept.
    Callers,
    /// A command at the control socket. As a timer: there is more to send, or to read.
    Caller(CallerId),
    /// A command has had its time.
    SlowCaller(CallerId),
    /// The channel of the operator process. As a timer: try again to have one.
    Operator,
    /// The standard error of the operator process. As a timer: there is more to read.
    OperatorStderr,
    /// The program that is being examined, as a timer: it should be further by now.
    Examination,
    /// What it writes. As a timer: there is more to read.
    ExaminedOutput,
    /// One of those that a program before has left. As a timer: there is more to read.
    Remains(usize),
    /// Another master beside this one.
    Other,
    /// What it writes before it has a log.
    OtherOutput,
    /// A timer of the master.
    Timer(Timer),
}

impl<P: Program> Live<P> {
    /// Makes the world of a daemon that starts with this generation.
    pub(crate) fn new(
        program: P,
        options: Options,
        first: Setup,
        open_files: Option<u64>,
        events: EventLoop<Token>,
    ) -> Live<P> {
        let number = Generation(1);
        let generations = BTreeMap::from([(number, first)]);
        Live::without_processes(program, options, (number, generations), open_files, events)
    }

    /// Goes on with all that another program had.
    pub(crate) fn adopted(
        program: P,
        options: Options,
        whole: Whole,
        events: EventLoop<Token>,
    ) -> Live<P> {
        let generations = (whole.decided.serving, whole.generations);
        let open_files = whole.open_files;
        let mut live = Live::without_processes(program, options, generations, open_files, events);
        live.started = whole.started;
        live.outputs = Outputs::Heard;
        live.zygotes = whole.zygotes;
        live.watch_all(whole.workers);
        for (socket, relay) in whole.resting {
            live.let_rest(socket, relay);
        }
        live.adopt_callers(whole.callers);
        live
    }

    /// Makes a world in which nothing has happened yet.
    fn without_processes(
        program: P,
        options: Options,
        (serving, generations): (Generation, BTreeMap<Generation, Setup>),
        open_files: Option<u64>,
        events: EventLoop<Token>,
    ) -> Live<P> {
        Live {
            program,
            running: Identity::of(&options.executable),
            options,
            generations,
            serving,
            open_files,
            events,
            timers: HashMap::new(),
            zygotes: BTreeMap::new(),
            workers: HashMap::new(),
            outputs: Outputs::Waiting,
            callers: Callers::default(),
            operator: Seat::default(),
            started: clock::realtime(),
            log_timer: None,
            restraint: Restraint::default(),
            held: HashSet::new(),
            examination: None,
            examined: None,
            remains: Remains::default(),
            resting: Resting::default(),
            other: None,
            speaker: Speaker::Main,
        }
    }

    /// Ends in order: removes the files of the sockets that nobody keeps.
    pub(crate) fn close(&mut self) {
        self.end_examination();
        match self.other.take() {
            Some(other) => self.leave_beside(other),
            None => self.leave_sockets(),
        }
    }

    /// Has the service manager keep the sockets of the generation that serves, if it does such a thing.
    fn keep_sockets(&self) {
        let store = self.options.store.as_ref();
        if let Some(store) = store.filter(|_| self.speaker == Speaker::Main)
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
