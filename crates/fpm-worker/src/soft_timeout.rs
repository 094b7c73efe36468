//! `request_soft_timeout`: how long a script may take until it gets PHP's own time-out error.
//!
//! The watchdog finds out that a request is due, PHP's thread that it still is the same one. Both count from the moment at which the
//! request began to arrive, as `request_terminate_timeout` does, and both leave alone what the latter leaves alone.

use std::time::Duration;

use fpm_conf::Pool;
use fpm_scoreboard::Stage;
use sapi::{Scope, TimeLimit};

use crate::watchdog::limit::{is_executing, is_running};

/// Returns the limit of a request that began at `begun` (monotonic).
pub(crate) fn limit(pool: &Pool, begun: Duration) -> Option<TimeLimit> {
    let seconds = pool.request_soft_timeout;
    (seconds > 0).then(|| TimeLimit {
        at: begun + Duration::from_secs(seconds.into()),
        seconds,
        scope: scope(pool),
    })
}

/// Returns the test for stages in which a request of the pool can be over its time.
pub(crate) fn covered(pool: &Pool) -> fn(Stage) -> bool {
    match scope(pool) {
        Scope::Answer => is_running,
        Scope::Everything => is_executing,
    }
}

fn scope(pool: &Pool) -> Scope {
    if pool.request_terminate_timeout_track_finished {
        Scope::Everything
    } else {
        Scope::Answer
    }
}
