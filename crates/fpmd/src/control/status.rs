//! How the daemon is, for people and as JSON.

use std::time::Duration;

use fpm_control::{Beside, Measured, Percentiles, PoolStatus, Sizing, State, Status, WorkerStatus};

use super::table::{Side, table};

/// Writes it down for people, as of `now` (since 1970).
pub(super) fn text(status: &Status, now: Duration) -> String {
    let up = span(now.as_secs().saturating_sub(status.started_at));
    let mut text = format!(
        "fpmd {}, process {}, {} for {up}\nconfiguration {}\n",
        status.version,
        status.pid,
        doing(status.state),
        status.configuration
    );
    match status.beside {
        None => {}
        Some(Beside::New(pid)) => text += &format!("beside process {pid}, which is newer\n"),
        Some(Beside::Old(pid)) => text += &format!("beside process {pid}, which is older\n"),
    }
    if let [_, _, ..] = status.generations[..] {
        for generation in &status.generations {
            text += &format!(
                "generation {}, {}, {} worker(s)\n",
                generation.number,
                generation.standing.name(),
                generation.workers
            );
        }
    }
    if let Some(failure) = &status.reload_failure {
        text += &format!("the last reload failed: {failure}\n");
    }
    text += "\n";
    text += &pools(&status.pools);
    text += "\n";
    text += &measured(&status.pools);
    if status.pools.iter().any(|pool| !pool.workers.is_empty()) {
        text += "\n";
        text += &workers(&status.pools);
    }
    text
}

/// Writes it down as JSON.
pub(super) fn json(status: &Status, one_line: bool) -> String {
    let text = match one_line {
        true => serde_json::to_string(status),
        false => serde_json::to_string_pretty(status),
    };
    text.expect("numbers and texts under fixed names") + "\n"
}

pub(super) fn doing(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Serving => "up",
        State::Reloading => "reloading, up",
        State::Resting => "without workers (SIGWINCH), up",
        State::Finishing => "finishing, up",
        State::Terminating => "terminating, up",
    }
}

fn pools(pools: &[PoolStatus]) -> String {
    let columns = [
        ("POOL", Side::Left),
        ("PM", Side::Left),
        ("ACTIVE", Side::Right),
        ("IDLE", Side::Right),
        ("MAX", Side::Right),
        ("QUEUE", Side::Right),
        ("REQUESTS", Side::Right),
        ("SLOW", Side::Right),
        ("FULL", Side::Right),
        ("LISTEN", Side::Left),
    ];
    let rows: Vec<_> = pools
        .iter()
        .map(|pool| {
            [
                pool.name.clone(),
                pool.manager().to_owned(),
                pool.active.to_string(),
                pool.idle.to_string(),
                match pool.sizing {
                    Sizing::Auto => format!("auto {}", pool.max_children),
                    Sizing::Fixed => pool.max_children.to_string(),
                },
                pool.listen_queue.to_string(),
                pool.requests.to_string(),
                pool.slow_requests.to_string(),
                pool.max_children_reached.to_string(),
                pool.listen.clone(),
            ]
        })
        .collect();
    table(columns, &rows)
}

/// Writes what was measured since the daemon was started, percentiles as 50/95/99.
fn measured(pools: &[PoolStatus]) -> String {
    let columns = [
        ("POOL", Side::Left),
        ("2XX", Side::Right),
        ("3XX", Side::Right),
        ("4XX", Side::Right),
        ("5XX", Side::Right),
        ("SOFT TIMEOUT", Side::Right),
        ("TIMED OUT", Side::Right),
        ("OUTGROWN", Side::Right),
        ("ABANDONED", Side::Right),
        ("DURATION 50/95/99%", Side::Right),
        ("CPU", Side::Right),
        ("MEMORY", Side::Right),
        ("WAIT", Side::Right),
    ];
    let row = |pool: &PoolStatus| {
        let of = &pool.measured;
        let answers = |class: &str| of.answers.get(class).copied().unwrap_or_default();
        [
            pool.name.clone(),
            answers("2xx").to_string(),
            answers("3xx").to_string(),
            answers("4xx").to_string(),
            answers("5xx").to_string(),
            pool.soft_timed_out.to_string(),
            pool.timed_out.to_string(),
            pool.outgrown.to_string(),
            pool.abandoned.to_string(),
            percentiles(of.duration_us, time),
            percentiles(of.cpu_us, time),
            percentiles(of.memory, memory),
            waits(of),
        ]
    };
    let rows: Vec<_> = pools.iter().map(row).collect();
    table(columns, &rows)
}

/// Those that are not known may have been the longest: then the others tell nothing.
fn waits(of: &Measured) -> String {
    let all = of.queue_wait_us.count + of.unknown_waits;
    match of.unknown_waits * 100 > all {
        true => "unknown".to_owned(),
        false => percentiles(of.queue_wait_us, time),
    }
}

fn percentiles(of: Percentiles, write: fn(u64) -> String) -> String {
    match of.count {
        0 => "-".to_owned(),
        _ => [of.p50, of.p95, of.p99].map(write).join("/"),
    }
}

fn workers(pools: &[PoolStatus]) -> String {
    let columns = [
        ("PID", Side::Right),
        ("POOL", Side::Left),
        ("GEN", Side::Right),
        ("STATE", Side::Left),
        ("FOR", Side::Right),
        ("REQUESTS", Side::Right),
        ("MEMORY", Side::Right),
        ("REQUEST", Side::Left),
    ];
    let row = |pool: &PoolStatus, worker: &WorkerStatus| {
        let leaving = if worker.leaving { ", leaving" } else { "" };
        [
            worker.pid.to_string(),
            pool.name.clone(),
            worker.generation.to_string(),
            format!("{}{leaving}", worker.stage.name()),
            short(worker.since_ms),
            worker.requests.to_string(),
            memory(worker.memory),
            format!("{} {}", worker.method, worker.uri),
        ]
    };
    let rows: Vec<_> = pools
        .iter()
        .flat_map(|pool| pool.workers.iter().map(|worker| row(pool, worker)))
        .collect();
    table(columns, &rows)
}

/// Writes a span of seconds with the two units that matter.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Writes a span of milliseconds: exact while it is short.
pub(super) fn short(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds}ms"),
        1_000..60_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => span(milliseconds / 1000),
    }
}

/// Writes a span of microseconds, in milliseconds as long as it is short.
pub(super) fn time(microseconds: u64) -> String {
    match microseconds {
        0..10_000 => format!("{}.{}ms", microseconds / 1000, microseconds % 1000 / 100),
        _ => short(microseconds / 1000),
    }
}

/// Writes a number of bytes; `-` for none.
pub(super) fn memory(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        1..1_048_576 => format!("{}K", bytes.div_ceil(1024)),
        _ => format!("{}.{}M", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests;
