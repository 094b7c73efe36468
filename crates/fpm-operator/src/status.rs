//! How the daemon is: what the master has said, filled up with what the scoreboard shows.

use std::time::Duration;

use fpm_control::{Measured, PoolStatus, Status, WorkerStatus};

use crate::areas::Areas;

/// Whose workers are shown one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// Nobody's.
    None,
    /// Those of the pool of this name, without the queries of their requests.
    OfPool(String),
    /// Everybody's.
    All,
}

/// Puts together how the daemon is `now` (monotonic).
pub(crate) fn fill(outline: &Status, areas: &Areas, workers: &Workers, now: Duration) -> Status {
    let mut status = outline.clone();
    for pool in &mut status.pools {
        count(pool, areas);
        if let Some(figures) = areas.figures(&pool.name) {
            pool.measured = Measured::of(&figures);
        }
        match workers {
            Workers::None => {}
            Workers::OfPool(name) if *name == pool.name => {
                pool.workers = workers_of(pool, areas, now);
                for worker in &mut pool.workers {
                    let path = worker.uri.find('?').unwrap_or(worker.uri.len());
                    worker.uri.truncate(path);
                }
            }
            Workers::OfPool(_) => {}
            Workers::All => pool.workers = workers_of(pool, areas, now),
        }
    }
    status
}

/// Fills in how many workers do what, in all generations, and what the pool has counted. What those of earlier generations count is
/// handed on to the one that serves when they end.
fn count(pool: &mut PoolStatus, areas: &Areas) {
    for area in areas.of(&pool.name) {
        let totals = area.view.totals();
        pool.starting += totals.creating;
        pool.idle += totals.idle;
        pool.active += totals.active;
        pool.leaving += area.view.leaving();
        if area.generation == pool.generation {
            pool.count(&totals.counters);
        }
    }
}

fn workers_of(pool: &PoolStatus, areas: &Areas, now: Duration) -> Vec<WorkerStatus> {
    let areas = areas.of(&pool.name).iter();
    let snapshots = areas.flat_map(|area| area.view.snapshots());
    snapshots
        .map(|snapshot| WorkerStatus::of(&snapshot, now))
        .collect()
}
