//! What the master can ask of the world, done for real.
//!
//! Rule: one method is a few lines; what takes more is in the file for its subject.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use bstr::BString;
use fpm_channel::underway::Trace;
use fpm_channel::worker::ToWorker;
use fpm_channel::{Generation, Output, Spawn, ToZygote, WorkerId};
use fpm_conf::{Changes, Config, LogFormat};
use fpm_control::{Answer, PoolStatus, Scope, Status, WorkerStatus};
use fpm_events::Interest;
use fpm_os::process::kill;
use fpm_os::signal::Signal;
use fpm_os::{listener, memory, notification};
use fpm_scoreboard::{Farewell, SlotSnapshot, Stage};
use nix::errno::Errno;
use nix::unistd::Pid;

use super::company::Speaker;
use super::outlet::Outputs;
use super::pipes::Caught;
use super::{Live, LiveZygote, Pipes, Setup, Token, access_log, board, errno};
use crate::access_logs::Reopened;
use crate::capture::Requests;
use crate::company::link::Said;
use crate::error::MasterError;
use crate::event::{CallerId, Timer, ZygoteId};
use crate::group::GroupId;
use crate::pool::PoolId;
use crate::program::Program;
use crate::resting::RestingId;
use crate::sizing::Memory;
use crate::systemd::Load;
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::Decided;
use crate::world::{Activity, Audience, Birth, Count, Examination, Fate, OnDisk, World};

impl<P: Program> World for Live<P> {
    fn prepare(&mut self, next: Generation, scope: &Scope) -> Result<Config, MasterError> {
        self.set_up(next, scope)
    }

    fn prepare_again(&mut self, next: Generation) -> Result<Config, MasterError> {
        self.set_up_again(next)
    }

    fn is_carried(&self, pool: PoolId) -> bool {
        let setup = self.generations.get(&pool.generation);
        setup.is_some_and(|setup| setup.carried.contains(&pool.index))
    }

    fn carry(&mut self, from: PoolId, to: PoolId) {
        self.rename(from, to);
    }

    fn on_disk(&self) -> OnDisk {
        self.look_at_program().0
    }

    fn examine(&mut self) -> Result<Examination, Refusal> {
        self.begin_examination()
    }

    fn hand_over(&mut self, decided: Decided, waiting: &[CallerId]) -> MasterError {
        self.become_other(decided, waiting)
    }

    fn start_beside(&mut self) -> Result<Pid, MasterError> {
        self.begin_beside()
    }

    fn take_names_back(&mut self) {
        self.have_names_back();
    }

    fn pass_on(&mut self) {
        self.tell_other(&Said::Leaving);
        self.speaker = Speaker::Beside;
    }

    fn report_to_elder(&mut self) {
        if self.sockets_of_elder().is_some() {
            let version = env!("CARGO_PKG_VERSION").to_owned();
            self.tell_other(&Said::Serving { version });
        }
    }

    fn be_main(&mut self) {
        self.speaker = Speaker::Main;
        self.keep_sockets();
    }

    fn clear_up_after_elder(&mut self) {
        self.clear_up();
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
        let program = self.own_program();
        let zygote = LiveZygote::start(program, number, setup, &self.options, self.open_files)?;
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

    fn wake(&mut self, worker: WorkerId) {
        self.tell_worker(worker, ToWorker::Look);
    }

    fn drain(&mut self, worker: WorkerId, farewell: Farewell) {
        if let Some(pipes) = self.workers.get(&worker) {
            if let Some(board) = board(&self.generations, pipes.pool) {
                board.drain(pipes.slot.0, farewell);
            }
            self.tell_worker(worker, ToWorker::Look);
        }
    }

    fn served_at_socket_of(&self, pool: PoolId) -> Option<PoolId> {
        let setup = self.generations.get(&pool.generation)?;
        self.served_at(setup.relays.get(pool.index.0 as usize)?)
    }

    fn turn_away(&mut self, connection: RestingId) {
        self.close_resting(connection);
    }

    fn turn_all_away(&mut self) {
        self.close_all_resting();
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

    fn activity(&self, worker: WorkerId) -> Activity {
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
        let queued = socket.map_or(0, |socket| {
            listener::queue::of(socket).map_or(1, |queue| queue.waiting)
        });
        queued.saturating_add(self.waiting_in_relay(pool))
    }

    fn accepted(&self, pool: PoolId) -> u64 {
        board(&self.generations, pool).map_or(0, |board| board.totals().counters.accepted)
    }

    fn count(&mut self, count: Count) {
        self.count_in_ledger(count);
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

    fn count_rest(&mut self, pool: PoolId) {
        if let Some(board) = board(&self.generations, pool) {
            board.count_rest();
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
        let socket = self.options.notify_socket.as_ref();
        let Some(socket) = socket.filter(|_| self.speaker == Speaker::Main) else {
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

    fn answer_operator(&mut self, status: Status) {
        self.inform_operator(status);
    }

    fn pool_status(&self, pool: PoolId) -> PoolStatus {
        self.status_of_pool(pool)
    }

    fn tally(&self, pool: PoolId, status: &mut PoolStatus) {
        self.tally_of_pool(pool, status);
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
