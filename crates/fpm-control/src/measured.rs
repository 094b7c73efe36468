//! What was measured since the daemon was started, as `fpmd status` shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a pool has measured, in all generations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Answers by the class of their status: `1xx` to `5xx`, and `other`.
    pub answers: BTreeMap<String, u64>,
    /// How long requests took, in microseconds.
    pub duration_us: Percentiles,
    /// The processor time that they cost, in microseconds.
    pub cpu_us: Percentiles,
    /// Their memory peaks, in bytes.
    pub memory: Percentiles,
    /// How long they waited for a worker, in microseconds, as far as that is known.
    pub queue_wait_us: Percentiles,
    /// Requests that have waited for a worker nobody knows how long.
    pub unknown_waits: u64,
    /// Workers that were started.
    pub spawned: u64,
    /// Workers that have ended, by the reason.
    pub departures: BTreeMap<String, u64>,
    /// Lines that are missing in the access log.
    pub access_lines_lost: u64,
}

/// How many values there were, and which of them so many per cent do not exceed; 0 without values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half of them.
    pub p50: u64,
    /// 95 per cent.
    pub p95: u64,
    /// 99 per cent.
    pub p99: u64,
}

/// What the daemon has measured of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DaemonMeasured {
    /// How long reloads took that succeeded, in microseconds.
    pub reload_us: Percentiles,
    /// Reloads that failed.
    pub failed_reloads: u64,
    /// Zygotes that have ended before their time.
    pub lost_zygotes: u64,
    /// Lines that are missing in the error log.
    pub log_lines_lost: u64,
}
