//! What has been measured, as plain values: read from shared memory at one moment.

use crate::departure::Departure;
use crate::histogram::{Histogram, Scale};

/// What a pool has measured since the daemon was started; reloads change nothing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolFigures {
    /// How long requests took, in microseconds: from their arrival at the worker to the end of the script.
    pub latency: Histogram,
    /// The CPU time that requests cost, in microseconds.
    pub cpu: Histogram,
    /// The memory peaks of requests, in bytes.
    pub memory: Histogram,
    /// How long requests waited for a worker, in microseconds, as far as that is known.
    pub queue_wait: Histogram,
    /// Requests that have waited for a worker nobody knows how long.
    pub unknown_waits: u64,
    /// Answers by the class of their status: others, 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 6],
    /// Workers that have been forked.
    pub spawned: u64,
    /// Lines that are missing in the access log.
    pub access_lines_lost: u64,
    /// Workers that have ended, in the order of [`Departure::ALL`].
    pub(crate) departures: [u64; Departure::ALL.len()],
}

/// What the daemon has measured of itself since it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFigures {
    /// The generation that serves.
    pub generation: u64,
    /// How long reloads took that succeeded, in microseconds.
    pub reloads: Histogram,
    /// Reloads that failed.
    pub failed_reloads: u64,
    /// Zygotes that have ended before their time.
    pub lost_zygotes: u64,
    /// Lines that are missing in the error log.
    pub log_lines_lost: u64,
}

impl PoolFigures {
    /// Returns how many workers have ended for this reason.
    #[must_use]
    pub fn departures(&self, departure: Departure) -> u64 {
        self.departures[departure as usize]
    }
}

impl Default for PoolFigures {
    fn default() -> PoolFigures {
        PoolFigures {
            latency: Histogram::empty(Scale::Time),
            cpu: Histogram::empty(Scale::Time),
            memory: Histogram::empty(Scale::Memory),
            queue_wait: Histogram::empty(Scale::Time),
            unknown_waits: 0,
            answers: [0; 6],
            spawned: 0,
            access_lines_lost: 0,
            departures: [0; Departure::ALL.len()],
        }
    }
}
