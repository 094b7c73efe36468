//! The numbers of the ledger: histograms, answers, ends of workers, reloads.

use std::fmt;

use fpm_scoreboard::{DaemonFigures, Departure, Histogram, PoolFigures, Scale};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::count;

/// What a pool has measured, by its name.
pub(super) type Pools = [(String, PoolFigures)];

/// A histogram of each pool.
struct Distribution {
    name: &'static str,
    help: &'static str,
    of: fn(&PoolFigures) -> &Histogram,
}

/// A counter of each pool.
struct Count {
    name: &'static str,
    help: &'static str,
    of: fn(&PoolFigures) -> u64,
}

const DISTRIBUTIONS: &[Distribution] = &[
    Distribution {
        name: "pool_request_duration",
        help: "How long requests took, from their arrival at the worker to the end of the script",
        of: |figures| &figures.latency,
    },
    Distribution {
        name: "pool_request_cpu",
        help: "Processor time that requests cost",
        of: |figures| &figures.cpu,
    },
    Distribution {
        name: "pool_request_memory",
        help: "Memory peaks of requests",
        of: |figures| &figures.memory,
    },
    Distribution {
        name: "pool_queue_wait",
        help: "How long requests waited for a worker, as far as that is known",
        of: |figures| &figures.queue_wait,
    },
];

const COUNTS: &[Count] = &[
    Count {
        name: "pool_queue_waits_unknown",
        help: "Requests that waited for a worker nobody knows how long",
        of: |figures| figures.unknown_waits,
    },
    Count {
        name: "pool_workers_spawned",
        help: "Workers that were started",
        of: |figures| figures.spawned,
    },
    Count {
        name: "pool_access_log_lines_lost",
        help: "Lines that are missing in the access log",
        of: |figures| figures.access_lines_lost,
    },
];

/// The classes of answers, in the order of [`PoolFigures::answers`].
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Writes what the pools have measured. A pool that has served nobody has no histograms: a daemon may have thousands of them.
pub(super) fn of_pools(
    encoder: &mut DescriptorEncoder<'_>,
    pools: &Pools,
) -> Result<(), fmt::Error> {
    for row in DISTRIBUTIONS {
        let scale = pools
            .first()
            .map_or(Scale::Time, |(_, figures)| (row.of)(figures).scale());
        let unit = unit(scale);
        let kind = MetricType::Histogram;
        let mut family = encoder.encode_descriptor(row.name, row.help, Some(&unit), kind)?;
        for (pool, figures) in pools {
            let histogram = (row.of)(figures);
            if histogram.count() > 0 {
                let labels = [("pool", pool.as_str())];
                distribution(&mut family.encode_family(&labels)?, histogram)?;
            }
        }
    }
    for row in COUNTS {
        let mut family =
            encoder.encode_descriptor(row.name, row.help, None, MetricType::Counter)?;
        for (pool, figures) in pools {
            let labels = [("pool", pool.as_str())];
            count(&mut family.encode_family(&labels)?, (row.of)(figures))?;
        }
    }
    let help = "Answers by the class of their status";
    let mut family = encoder.encode_descriptor("pool_answers", help, None, MetricType::Counter)?;
    for (pool, figures) in pools {
        for (class, answers) in CLASSES.iter().zip(figures.answers) {
            let labels = [("pool", pool.as_str()), ("class", class)];
            count(&mut family.encode_family(&labels)?, answers)?;
        }
    }
    let help = "Workers that have ended, by the reason";
    let mut family =
        encoder.encode_descriptor("pool_workers_ended", help, None, MetricType::Counter)?;
    for (pool, figures) in pools {
        for departure in Departure::ALL {
            let labels = [("pool", pool.as_str()), ("reason", departure.name())];
            let ended = figures.departures(departure);
            count(&mut family.encode_family(&labels)?, ended)?;
        }
    }
    Ok(())
}

/// Writes what the daemon has measured of itself.
pub(super) fn of_daemon(
    encoder: &mut DescriptorEncoder<'_>,
    figures: &DaemonFigures,
) -> Result<(), fmt::Error> {
    let help = "How long reloads took that succeeded";
    let unit = unit(figures.reloads.scale());
    let mut reloads =
        encoder.encode_descriptor("reload_duration", help, Some(&unit), MetricType::Histogram)?;
    distribution(&mut reloads, &figures.reloads)?;
    for (name, help, value) in [
        (
            "reloads_failed",
            "Reloads that failed",
            figures.failed_reloads,
        ),
        (
            "zygotes_lost",
            "Zygotes that ended before their time",
            figures.lost_zygotes,
        ),
        (
            "log_lines_lost",
            "Lines that are missing in the error log",
            figures.log_lines_lost,
        ),
    ] {
        let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        count(&mut counter, value)?;
    }
    Ok(())
}

fn unit(scale: Scale) -> Unit {
    match scale {
        Scale::Time => Unit::Seconds,
        Scale::Memory => Unit::Bytes,
    }
}

/// Writes a histogram with a bucket for each doubling.
fn distribution(metric: &mut MetricEncoder<'_>, histogram: &Histogram) -> Result<(), fmt::Error> {
    let in_unit = |value: u64| match histogram.scale() {
        Scale::Time => value as f64 / 1e6,
        Scale::Memory => value as f64,
    };
    let mut before = 0;
    let buckets: Vec<_> = histogram
        .doublings()
        .map(|bucket| {
            let new = bucket.cumulated - before;
            before = bucket.cumulated;
            (bucket.most.map_or(f64::INFINITY, in_unit), new)
        })
        .collect();
    metric.encode_histogram::<NoLabelSet>(
        in_unit(histogram.sum()),
        histogram.count(),
        &buckets,
        None,
    )
}
