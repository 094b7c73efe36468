//! The seam between what the master decides and what is then done to processes, descriptors and the clock.
//!
//! Rule: no decisions behind this trait. [`crate::live`] does the real thing, the tests record what they are asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bstr::BString;
use fpm_channel::underway::Trace;
use fpm_channel::{Generation, SlotIndex, WorkerId};
use fpm_conf::{Changes, Config};
use fpm_control::{Answer, PoolStatus, Scope, Status, WorkerStatus};
use fpm_os::signal::Signal;
use fpm_scoreboard::{Departure, Farewell, SlotSnapshot};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::access_logs::Reopened;
use crate::error::MasterError;
use crate::event::{CallerId, Timer, ZygoteId};
use crate::group::GroupId;
use crate::pool::PoolId;
use crate::resting::RestingId;
use crate::sizing::Memory;
use crate::systemd::Load;
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::Decided;

/// What the master can do to the world outside its memory.
pub(crate) trait World {
    /// Reads the configuration anew and sets up all that a generation with this number needs before its processes: the sockets
    /// that are not open yet, too. What goes wrong in the configuration itself is in the log already. Of a reload of some pools the
    /// other pools are those of the generation that serves.
    ///
    /// # Errors
    /// When the configuration cannot be used; nothing has changed.
    fn prepare(&mut self, next: Generation, scope: &Scope) -> Result<Config, MasterError>;

    /// As [`World::prepare`] with the configuration that serves, as it was read.
    ///
    /// # Errors
    /// When what it needs cannot be had any more.
    fn prepare_again(&mut self, next: Generation) -> Result<Config, MasterError>;

    /// Tells whether a pool of the generation that is being made is to go over as it is.
    fn is_carried(&self, pool: PoolId) -> bool;

    /// A pool with all its workers is known by another name from now on.
    fn carry(&mut self, from: PoolId, to: PoolId);

    /// Tells what lies on disk where the program that runs was started from.
    fn on_disk(&self) -> OnDisk;

    /// Begins to examine the program on disk if it is another one than that which runs.
    ///
    /// # Errors
    /// When it cannot be executed.
    fn examine(&mut self) -> Result<Examination, Refusal>;

    /// Lets the program that was examined take the place of this one. Returns only when that fails; nothing has changed then.
    /// Commands that are `waiting` for a reload go on waiting.
    fn hand_over(&mut self, decided: Decided, waiting: &[CallerId]) -> MasterError;

    /// Starts the program on disk as another master beside this one, which leaves it the names of pid file and control socket.
    ///
    /// # Errors
    /// When it cannot be started; nothing has changed.
    fn start_beside(&mut self) -> Result<Pid, MasterError>;

    /// The master that was started is gone: the names are this one's again.
    fn take_names_back(&mut self);

    /// Leaves the service to the master that was started: it is told, and this one does not speak to the service manager any more.
    fn pass_on(&mut self);

    /// Tells the master that has started this one that this one serves, if one has.
    fn report_to_elder(&mut self);

    /// Is the service from now on, and speaks to the service manager.
    fn be_main(&mut self);

    /// The master that has started this one is gone: removes what it has left, and the sockets that only it wanted.
    fn clear_up_after_elder(&mut self);

    /// Puts the surroundings of a generation in force: log and pid file. Connections are reported for its pools only, from now
    /// on.
    fn succeed(&mut self, next: Generation);

    /// Refuses connections at the sockets of a generation that the one that serves does not have, and removes their files. This
    /// happens once; later there may be others of that name.
    fn close_sockets(&mut self, generation: Generation);

    /// Closes what belongs to a generation without processes; what it counted goes to its successor.
    fn retire(&mut self, generation: Generation);

    /// Starts a process for the zygote and sends it all it needs for the pools of `group`.
    ///
    /// # Errors
    /// When the process cannot be started.
    fn start_zygote(&mut self, zygote: ZygoteId, group: GroupId) -> Result<Pid, MasterError>;

    /// Returns what PHP did not understand in php.ini when it started in a zygote, which is up now.
    fn ini_mistake(&mut self, zygote: ZygoteId) -> Option<BString>;

    /// Asks a zygote to fork a worker.
    ///
    /// # Errors
    /// When there are no descriptors left for it, or the zygote does not listen any more.
    fn spawn(&mut self, zygote: ZygoteId, birth: Birth) -> Result<(), Errno>;

    /// Asks a zygote to send a signal to one of its workers.
    fn signal_worker(&mut self, zygote: ZygoteId, worker: WorkerId, signal: Signal);

    /// Tells a zygote that no more workers will be asked for.
    fn quit_zygote(&mut self, zygote: ZygoteId);

    /// Closes what belongs to a zygote that has ended.
    fn forget_zygote(&mut self, zygote: ZygoteId);

    /// Sends a signal to a child of the master itself.
    fn signal_child(&mut self, pid: Pid, signal: Signal);

    /// Has a worker look around if it is idle, for what it counts on has changed.
    fn wake(&mut self, worker: WorkerId);

    /// Asks a worker to leave when it has nothing more to do, and says how to leave its client.
    fn drain(&mut self, worker: WorkerId, farewell: Farewell);

    /// Returns the pool of the generation that serves that has the socket of this one.
    fn served_at_socket_of(&self, pool: PoolId) -> Option<PoolId>;

    /// Closes a connection that a worker has left.
    fn turn_away(&mut self, connection: RestingId);

    /// Closes all connections that workers have left and no other worker has taken.
    fn turn_all_away(&mut self);

    /// Closes what belongs to a worker that has ended, after taking its last words, and frees its slot.
    fn release(&mut self, worker: WorkerId);

    /// Finds out what became of a worker that was asked for and never reported.
    fn fate(&mut self, worker: WorkerId) -> Fate;

    /// Returns what a worker is doing.
    fn activity(&self, worker: WorkerId) -> Activity;

    /// Returns how many connections wait for a worker of a pool, at its socket and of those that workers have left.
    fn waiting(&self, pool: PoolId) -> u32;

    /// Returns how many requests the workers of a pool have accepted so far.
    fn accepted(&self, pool: PoolId) -> u64;

    /// Counts something in the ledger.
    fn count(&mut self, count: Count);

    /// Counts for the status page that a pool wanted more workers than `pm.max_children`.
    fn count_max_children_reached(&mut self, pool: PoolId);

    /// Reads all that a worker shows of itself; `None` when it shows nothing yet, or any more.
    fn slot(&self, worker: WorkerId) -> Option<SlotSnapshot>;

    /// Asks a worker that has a watchdog what it is doing. It answers with [`FromWorker::Stack`](fpm_channel::worker::FromWorker).
    fn ask_for_stack(&self, worker: WorkerId);

    /// Counts a request of a pool that took longer than `request_terminate_timeout`.
    fn count_timed_out_request(&mut self, pool: PoolId);

    /// Counts that a pool gets no new workers for a while.
    fn count_rest(&mut self, pool: PoolId);

    /// Counts a slow request of a pool and writes to the pool's slow log what it was doing.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn log_slow_request(
        &mut self,
        pool: PoolId,
        pid: Pid,
        trace: &Trace,
    ) -> Result<(), MasterError>;

    /// Watches the sockets of this pool and reports connections as events.
    fn connections_wanted(&mut self, pool: PoolId);

    /// Lets `timer` become due at `at`; an earlier arming of the same timer is forgotten.
    fn arm(&mut self, timer: Timer, at: Duration);

    /// PHP is up and the sockets are bound: writes the pid file, says so in the log and to whoever waits for it.
    ///
    /// # Errors
    /// When the pid file cannot be written.
    fn launched(&mut self) -> Result<(), MasterError>;

    /// Listens from now on to what workers write to their outputs; before that only the last words of one that ends are taken.
    fn hear_workers(&mut self);

    /// Tells the service manager that started the daemon, if one did.
    ///
    /// # Errors
    /// When it cannot be told.
    fn notify(&mut self, state: &str) -> io::Result<Audience>;

    /// Returns what all pools do together.
    fn load(&self) -> Load;

    /// Answers a command, unless it has hung up.
    fn answer(&mut self, caller: CallerId, answer: &Answer);

    /// Tells what the configuration, as it is now, would change.
    ///
    /// # Errors
    /// What is wrong with it.
    fn preview(&self, scope: &Scope) -> Result<Changes, MasterError>;

    /// Tells which daemon this is; nothing of what its processes do.
    fn status(&self) -> Status;

    /// Tells how a pool is; nothing of what its workers do and have counted.
    fn pool_status(&self, pool: PoolId) -> PoolStatus;

    /// Fills in what the workers of a pool have counted and measured.
    fn tally(&self, pool: PoolId, status: &mut PoolStatus);

    /// Tells the operator process, which has asked, what the scoreboard does not show.
    fn answer_operator(&mut self, status: Status);

    /// Tells what a worker does, if it has got so far as to say so itself.
    fn worker_status(&self, worker: WorkerId, now: Duration) -> Option<WorkerStatus>;

    /// Returns how much memory there is for all, and whether it is short.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn memory(&self) -> io::Result<Memory>;

    /// Returns what a worker takes of the memory, in bytes; `None` before it has served, or when the kernel does not say.
    fn takes(&self, worker: WorkerId) -> Option<u64>;

    /// Opens the error log again under its name.
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen_log(&mut self) -> io::Result<()>;

    /// Opens the access logs again under their names and gives them to the workers. One that cannot be opened stays in use.
    fn reopen_access_logs(&mut self) -> Reopened;
}

/// What is counted in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// A worker of this pool was forked.
    Spawned(PoolId),
    /// A worker of this pool has ended, and why.
    Departed(PoolId, Departure),
    /// So many lines are missing in the access log of this pool.
    AccessLinesLost(PoolId, u64),
    /// A reload has succeeded, and has taken so long.
    Reloaded(Duration),
    /// A reload has failed.
    ReloadFailed,
    /// A zygote has ended before its time.
    ZygoteLost,
}

/// What lies where the program was started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// The program that runs, as far as anybody can tell.
    Same,
    /// Another one.
    Other,
    /// Nothing.
    Nothing(PathBuf),
}

/// Whether the program on disk is being examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Examination {
    /// No: it is the one that runs.
    Unneeded,
    /// Yes; [`crate::event::Event::Examined`] follows.
    Begun,
}

/// Whether there is a service manager that wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// It was told.
    Told,
    /// Nobody asked for notifications.
    Nobody,
}

/// A worker to be forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    /// The name it will go by.
    pub(crate) worker: WorkerId,
    /// Its pool.
    pub(crate) pool: PoolId,
    /// Its slot.
    pub(crate) slot: SlotIndex,
}

/// What became of a worker that was asked for and never reported, once its zygote is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lives, or at least has not been reaped.
    Born(Pid),
    /// It was never forked, or it is gone.
    Nobody,
    /// There is a process, but it has not said yet which one it is.
    Unknown,
}

/// What a worker is doing, from its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It has not got as far as accepting connections.
    Starting,
    /// It has been waiting for a connection since then.
    Idle {
        /// The moment it began to wait.
        since: Duration,
    },
    /// It has been waiting for the next request on a connection that it keeps since then. Nobody else gets it.
    Resting {
        /// The moment it began to wait.
        since: Duration,
    },
    /// It is serving one.
    Busy,
}
