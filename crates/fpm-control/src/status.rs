//! How the daemon is: what `fpmd status` shows.
//!
//! Names in JSON are the fields' names, so a change of one is a change of the interface. Times are whole numbers whose unit is in
//! the name: `_s` seconds, `_ms` milliseconds, `_at` seconds since 1970.

use serde::{Deserialize, Serialize};

use crate::measured::{DaemonMeasured, Measured};

mod scoreboard;

/// The daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The process of the master.
    pub pid: i32,
    /// The version of fpmd.
    pub version: String,
    /// The configuration file, as it was named at the start.
    pub configuration: String,
    /// When the master was started.
    pub started_at: u64,
    /// What it is doing.
    pub state: State,
    /// The other master, if there are two (`fpmd upgrade --beside`).
    pub beside: Option<Beside>,
    /// Why the last reload failed, unless one has succeeded since.
    pub reload_failure: Option<String>,
    /// What it has measured of itself.
    pub measured: DaemonMeasured,
    /// The generations that have processes, oldest first.
    pub generations: Vec<GenerationStatus>,
    /// The pools of the generation that serves, in the order of the configuration.
    pub pools: Vec<PoolStatus>,
}

/// What the daemon is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// PHP or the first workers are starting.
    Starting,
    /// It serves.
    Serving,
    /// It serves, and a reload is under way.
    Reloading,
    /// All workers were let go (SIGWINCH), the sockets are open.
    Resting,
    /// It ends when the requests that run are done.
    Finishing,
    /// It ends as soon as it can.
    Terminating,
}

/// Another master beside this one, by its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// It was there before and has started this one.
    Old(i32),
    /// This one has started it.
    New(i32),
}

/// A generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number, counted from 1.
    pub number: u64,
    /// What it is there for.
    pub standing: Standing,
    /// The processes of its zygotes.
    pub zygotes: Vec<i32>,
    /// How many workers it has.
    pub workers: u64,
}

/// What a generation is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is being made.
    Coming,
    /// It serves.
    Serving,
    /// It finishes what it has.
    Retiring,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// `listen`.
    pub listen: String,
    /// `pm`.
    pub pm: String,
    /// `pm.max_children`.
    pub max_children: u32,
    /// Who decides about that.
    pub sizing: Sizing,
    /// The generation that it belongs to.
    pub generation: u64,
    /// Whether it was drained, and not resumed.
    pub drained: bool,
    /// Whether it gets no new workers for a while because too many have crashed (`pm.crash_budget`).
    pub resting: bool,
    /// How often that has happened.
    pub rests: u64,
    /// When it was started first.
    pub started_at: u64,
    /// Connections that wait for a worker: in its socket's queue, or known from before and without a worker since.
    pub listen_queue: u64,
    /// How many can wait in the socket's queue.
    pub listen_queue_len: u64,
    /// Most that have waited.
    pub max_listen_queue: u64,
    /// Workers that are being made.
    pub starting: u64,
    /// Workers that wait for a request.
    pub idle: u64,
    /// Workers that serve one.
    pub active: u64,
    /// Workers that were told to leave and have not left.
    pub leaving: u64,
    /// Most that were active at once.
    pub max_active: u64,
    /// How often `pm.max_children` was reached.
    pub max_children_reached: u64,
    /// Requests accepted.
    pub requests: u64,
    /// Requests that took longer than `request_slowlog_timeout`.
    pub slow_requests: u64,
    /// Requests whose scripts got PHP's time-out error because of `request_soft_timeout`.
    pub soft_timed_out: u64,
    /// Requests that were not run because nobody waited for the answer.
    pub abandoned: u64,
    /// Requests that were refused because they had waited too long.
    pub overdue: u64,
    /// Requests that took longer than `request_terminate_timeout`.
    pub timed_out: u64,
    /// Workers that were replaced because they needed more than `pm.max_memory`.
    pub outgrown: u64,
    /// The highest memory peak of a request, in bytes.
    pub memory_peak: u64,
    /// What was measured since the daemon was started.
    pub measured: Measured,
    /// The workers, of earlier generations as well; empty unless they were asked for.
    pub workers: Vec<WorkerStatus>,
}

/// Who decides about `pm.max_children` of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizing {
    /// The configuration, or whoever has set it since.
    #[default]
    Fixed,
    /// fpmd: it is `auto`.
    Auto,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its process.
    pub pid: i32,
    /// Its generation.
    pub generation: u64,
    /// What it is doing.
    pub stage: WorkerStage,
    /// Whether it was told to leave.
    pub leaving: bool,
    /// When it was started.
    pub started_at: u64,
    /// Requests it has accepted.
    pub requests: u64,
    /// For how long it has been waiting, or serving its request.
    pub since_ms: u64,
    /// The method of its present or last request.
    pub method: String,
    /// The URI of that request, with its query.
    pub uri: String,
    /// The script of that request.
    pub script: String,
    /// Who asked, if the client said so.
    pub user: String,
    /// How long its last request took, in microseconds; 0 while one runs.
    pub duration_us: u64,
    /// The processor time of its last request, in microseconds; 0 while one runs.
    pub cpu_us: u64,
    /// The memory peak of its last request, in bytes; 0 while one runs.
    pub memory: u64,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerStage {
    /// It runs a script.
    Running,
    /// The script has ended; what is left to do is done.
    Finishing,
    /// It reads a request.
    Reading,
    /// It waits for the next request on a connection that it keeps.
    Resting,
    /// It waits for a connection.
    Idle,
    /// It is being made.
    Starting,
}

impl PoolStatus {
    /// Returns what decides at the moment how many workers there are, for people: `pm`, or what keeps it from doing so.
    #[must_use]
    pub fn manager(&self) -> &str {
        match (self.drained, self.resting) {
            (true, _) => "drained",
            (_, true) => "resting",
            _ => &self.pm,
        }
    }
}

impl WorkerStage {
    /// Returns the word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WorkerStage::Running => "running",
            WorkerStage::Finishing => "finishing",
            WorkerStage::Reading => "reading",
            WorkerStage::Resting => "resting",
            WorkerStage::Idle => "idle",
            WorkerStage::Starting => "starting",
        }
    }

    /// Tells whether it serves a request.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(
            self,
            WorkerStage::Running | WorkerStage::Finishing | WorkerStage::Reading
        )
    }
}

impl State {
    /// Returns the word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Serving => "serving",
            State::Reloading => "reloading",
            State::Resting => "resting",
            State::Finishing => "finishing",
            State::Terminating => "terminating",
        }
    }
}

impl Standing {
    /// Returns the word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Standing::Coming => "coming",
            Standing::Serving => "serving",
            Standing::Retiring => "retiring",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_pool_from_its_workers_is_told() {
        let mut pool = PoolStatus {
            pm: "static".to_owned(),
            ..PoolStatus::default()
        };
        assert_eq!(pool.manager(), "static");
        pool.resting = true;
        assert_eq!(pool.manager(), "resting");
        pool.drained = true;
        assert_eq!(pool.manager(), "drained");
    }
}
