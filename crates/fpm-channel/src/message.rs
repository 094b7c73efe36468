//! What master and zygote say to each other.
//!
//! A message owns or borrows its descriptors through the parameter `F`: the sender fills in `BorrowedFd`, the
//! receiver gets `OwnedFd`. Rule: whoever changes a message raises `VERSION` in `wire.rs`.

use std::os::fd::OwnedFd;

use bstr::BString;
use fpm_conf::{Config, LogLevel, PoolIndex};
use fpm_os::shared::Region;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// From the master to a zygote.
#[derive(Debug)]
pub enum ToZygote<F = OwnedFd> {
    /// The first message: all that the zygote needs. It is answered by `Ready` or `Failed`.
    Start(Box<Start<F>>),
    /// Fork one worker. It is answered by `Spawned` or `SpawnFailed`.
    Spawn(Spawn<F>),
    /// Send a signal to a worker that has not been reported as exited. Not answered.
    Kill {
        /// The worker.
        worker: WorkerId,
        /// The signal.
        signal: Signal,
    },
    /// No more workers will be asked for: exit when the last one is gone.
    Quit,
}

/// From a zygote to the master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromZygote {
    /// PHP is up; workers can be forked.
    Ready {
        /// Version of libphp, as `8.4.1`.
        php_version: String,
    },
    /// PHP did not start; the zygote exits.
    Failed {
        /// Why, as a sentence for the log.
        reason: BString,
    },
    /// A worker was forked.
    Spawned {
        /// The worker, as in `Spawn`.
        worker: WorkerId,
        /// Its process.
        #[serde(with = "pid")]
        pid: Pid,
    },
    /// A worker could not be forked.
    SpawnFailed {
        /// The worker, as in `Spawn`.
        worker: WorkerId,
        /// The errno of the call that failed.
        errno: i32,
    },
    /// A worker has ended and been reaped.
    Exited {
        /// The worker, as in `Spawn`.
        worker: WorkerId,
        /// The process it was.
        #[serde(with = "pid")]
        pid: Pid,
        /// How it ended.
        status: ExitStatus,
    },
    /// A line for the master's log.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text, without time and level.
        text: BString,
    },
}

/// All that a zygote needs to serve its generation.
#[derive(Debug)]
pub struct Start<F = OwnedFd> {
    /// What is not a descriptor.
    pub parameters: Parameters,
    /// The memory file of the scoreboard.
    pub scoreboard: F,
    /// The memory file of the ledger.
    pub ledger: F,
    /// The listening sockets; [`PoolStart::listener`] is an index into them.
    pub listeners: Vec<F>,
    /// For each of them, where connections come from that other workers had (`fpm_os::relay`).
    pub relays: Vec<F>,
}

/// The part of [`Start`] that is not a descriptor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Which generation the zygote serves; it is shown in its process title.
    pub generation: Generation,
    /// The validated configuration.
    pub config: Config,
    /// How PHP is to be started.
    pub php: PhpOptions,
    /// One entry for each of `config.pools`, in the same order.
    pub pools: Vec<PoolStart>,
}

/// What the command line says about PHP's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhpOptions {
    /// The executable as it was called, for `PHP_BINARY`.
    pub argv0: BString,
    /// `-c`: a php.ini or the directory of one.
    pub ini_path: Option<BString>,
    /// `-n`: no php.ini at all.
    pub ignore_ini: bool,
    /// `-e`: extended information for debuggers and profilers.
    pub extended_info: bool,
    /// `-d`: ini entries as they were given, `key` or `key=value`, in order.
    pub defines: Vec<BString>,
}

/// What a pool has beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStart {
    /// Its part of the scoreboard.
    pub area: Region,
    /// Its part of the ledger.
    pub ledger: Region,
    /// Its socket, as an index into [`Start::listeners`].
    pub listener: u32,
    /// Whom its workers become; `None` leaves them as they are.
    pub run_as: Option<RunAs>,
    /// What their environment says of the user; `None` when no database knows it.
    pub login: Option<Login>,
}

/// Whom a worker becomes, as `fpm_os::identity::Identity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The user; 0 leaves it as it is.
    pub uid: u32,
    /// The group; 0 leaves it as it is.
    pub gid: u32,
    /// The name whose supplementary groups are taken.
    pub user: BString,
}

/// What a worker's environment says of its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The variable `USER`.
    pub user: BString,
    /// The variable `HOME`.
    pub home: BString,
}

/// An order to fork one worker.
#[derive(Debug)]
pub struct Spawn<F = OwnedFd> {
    /// The name under which master and zygote speak of it.
    pub worker: WorkerId,
    /// Its pool.
    pub pool: PoolIndex,
    /// Its slot in the pool's part of the scoreboard.
    pub slot: SlotIndex,
    /// The worker's end of its control socket ([`crate::worker`]).
    pub control: F,
    /// The access log of its pool, open for appending; `None` when the pool keeps none. The zygote has no copy that would hold
    /// on to a log that was moved away.
    pub access_log: Option<F>,
    /// Where its output goes; `None` means /dev/null.
    pub output: Option<Output<F>>,
}

/// The write ends of the pipes that take a worker's output (`catch_workers_output = yes`).
#[derive(Debug)]
pub struct Output<F = OwnedFd> {
    /// For its standard output.
    pub stdout: F,
    /// For its standard error.
    pub stderr: F,
}

/// A worker, unique for the life of the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u64);

/// A configuration that was put to work, counted from 1 by the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

/// A slot, as an index into its pool's part of the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotIndex(pub u32);

/// Process ids travel as plain numbers; nix's type knows no serde.
mod pid {
    use nix::unistd::Pid;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `with` calls it by reference"
    )]
    pub(super) fn serialize<S: Serializer>(pid: &Pid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(pid.as_raw())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pid, D::Error> {
        i32::deserialize(deserializer).map(Pid::from_raw)
    }
}
