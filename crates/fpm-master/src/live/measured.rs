//! What the ledger says, for `fpmd status`.

use std::collections::BTreeMap;

use fpm_control::{DaemonMeasured, Measured, Percentiles};
use fpm_scoreboard::{DaemonFigures, Departure, Histogram, PoolFigures};

/// The classes of answers, in the order of [`PoolFigures::answers`].
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Sums up what a pool has measured.
pub(super) fn of_pool(figures: &PoolFigures) -> Measured {
    let answers = CLASSES.iter().zip(figures.answers);
    let departures = Departure::ALL.iter();
    Measured {
        answers: by_name(answers.map(|(class, count)| (*class, count))),
        duration_us: percentiles(&figures.latency),
        cpu_us: percentiles(&figures.cpu),
        memory: percentiles(&figures.memory),
        queue_wait_us: percentiles(&figures.queue_wait),
        unknown_waits: figures.unknown_waits,
        spawned: figures.spawned,
        departures: by_name(
            departures.map(|departure| (departure.name(), figures.departures(*departure))),
        ),
        access_lines_lost: figures.access_lines_lost,
    }
}

/// Sums up what the daemon has measured of itself.
pub(super) fn of_daemon(figures: &DaemonFigures) -> DaemonMeasured {
    DaemonMeasured {
        reload_us: percentiles(&figures.reloads),
        failed_reloads: figures.failed_reloads,
        lost_zygotes: figures.lost_zygotes,
        log_lines_lost: figures.log_lines_lost,
    }
}

fn by_name<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn percentiles(histogram: &Histogram) -> Percentiles {
    let [p50, p95, p99] = [50, 95, 99].map(|percent| histogram.percentile(percent));
    Percentiles {
        count: histogram.count(),
        p50: p50.unwrap_or_default(),
        p95: p95.unwrap_or_default(),
        p99: p99.unwrap_or_default(),
    }
}
