//! What was measured since the daemon was started, as `fpmd status` shows it.

use std::collections::BTreeMap;

use fpm_scoreboard::{DaemonFigures, Departure, Histogram, PoolFigures};
use serde::{Deserialize, Serialize};

/// The classes of answers, in the order of [`PoolFigures::answers`].
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

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

impl Measured {
    /// Sums up what a pool has measured.
    #[must_use]
    pub fn of(figures: &PoolFigures) -> Measured {
        let answers = CLASSES.iter().zip(figures.answers);
        let departures = Departure::ALL.iter();
        Measured {
            answers: by_name(answers.map(|(class, count)| (*class, count))),
            duration_us: Percentiles::of(&figures.latency),
            cpu_us: Percentiles::of(&figures.cpu),
            memory: Percentiles::of(&figures.memory),
            queue_wait_us: Percentiles::of(&figures.queue_wait),
            unknown_waits: figures.unknown_waits,
            spawned: figures.spawned,
            departures: by_name(
                departures.map(|departure| (departure.name(), figures.departures(*departure))),
            ),
            access_lines_lost: figures.access_lines_lost,
        }
    }
}

impl DaemonMeasured {
    /// Sums up what the daemon has measured of itself.
    #[must_use]
    pub fn of(figures: &DaemonFigures) -> DaemonMeasured {
        DaemonMeasured {
            reload_us: Percentiles::of(&figures.reloads),
            failed_reloads: figures.failed_reloads,
            lost_zygotes: figures.lost_zygotes,
            log_lines_lost: figures.log_lines_lost,
        }
    }
}

impl Percentiles {
    /// Sums up what was measured, in its unit.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Percentiles {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| histogram.percentile(percent));
        Percentiles {
            count: histogram.count(),
            p50: p50.unwrap_or_default(),
            p95: p95.unwrap_or_default(),
            p99: p99.unwrap_or_default(),
        }
    }
}

fn by_name<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}
