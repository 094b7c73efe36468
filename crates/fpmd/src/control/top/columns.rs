//! The columns of the two tables: what is in them, how it is written and how it is ordered.

use std::cmp::Ordering;

use fpm_control::{PoolStatus, Sizing, WorkerStatus};

use super::model::{Direction, Sorting};
use crate::control::status::{memory, short, time};
use crate::control::table::{Side, printable};

/// A column of a table with rows of this kind.
#[derive(Debug)]
pub(super) struct Column<T> {
    pub(super) title: &'static str,
    pub(super) side: Side,
    /// As wide as this; the last one has what is left, too.
    pub(super) width: u16,
    /// Columns of a higher rank are left out first where there is no room for all.
    pub(super) rank: u8,
    pub(super) value: fn(&T) -> Value,
}

/// What is in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Words.
    Text(String),
    /// A number, and how it is written.
    Number(u64, String),
}

/// A row of the pools' table.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolRow<'a> {
    pub(super) pool: &'a PoolStatus,
    /// Requests in a second, in tenths, once that is known.
    pub(super) rate: Option<u64>,
}

/// A row of the workers' table.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerRow<'a> {
    pub(super) pool: &'a PoolStatus,
    pub(super) worker: &'a WorkerStatus,
}

/// The pools' order at first: the busiest.
pub(super) const POOLS_FIRST: Sorting = Sorting {
    column: 2,
    direction: Direction::Descending,
};

/// The workers' order at first: what runs, the longest first.
pub(super) const WORKERS_FIRST: Sorting = Sorting {
    column: 3,
    direction: Direction::Ascending,
};

/// Returns the columns of pools.
pub(super) fn pools<'a>() -> [Column<PoolRow<'a>>; 14] {
    [
        left("POOL", (14, 0), |row| Value::Text(row.pool.name.clone())),
        left("PM", (8, 7), |row| {
            Value::Text(row.pool.manager().to_owned())
        }),
        right("ACTIVE", (7, 0), |row| count(row.pool.active)),
        right("IDLE", (5, 1), |row| count(row.pool.idle)),
        right("MAX", (8, 2), |row| {
            let max = row.pool.max_children;
            let auto = if row.pool.sizing == Sizing::Auto {
                "auto "
            } else {
                ""
            };
            Value::Number(max.into(), format!("{auto}{max}"))
        }),
        right("QUEUE", (6, 0), |row| count(row.pool.listen_queue)),
        right("REQ/S", (8, 1), |row| match row.rate {
            Some(rate) => Value::Number(rate, format!("{}.{}", rate / 10, rate % 10)),
            None => Value::Number(0, "-".to_owned()),
        }),
        right("REQUESTS", (10, 5), |row| count(row.pool.requests)),
        right("5XX", (6, 3), |row| {
            count(
                row.pool
                    .measured
                    .answers
                    .get("5xx")
                    .copied()
                    .unwrap_or_default(),
            )
        }),
        right("P50", (8, 6), |row| {
            quantile(row, row.pool.measured.duration_us.p50)
        }),
        right("P95", (8, 2), |row| {
            quantile(row, row.pool.measured.duration_us.p95)
        }),
        right("P99", (8, 4), |row| {
            quantile(row, row.pool.measured.duration_us.p99)
        }),
        right("SLOW", (6, 8), |row| count(row.pool.slow_requests)),
        left("LISTEN", (20, 9), |row| {
            Value::Text(row.pool.listen.clone())
        }),
    ]
}

/// Returns the columns of workers.
pub(super) fn workers<'a>() -> [Column<WorkerRow<'a>>; 9] {
    [
        right("PID", (8, 0), |row| {
            let pid = row.worker.pid;
            Value::Number(pid.unsigned_abs().into(), pid.to_string())
        }),
        left("POOL", (14, 1), |row| Value::Text(row.pool.name.clone())),
        right("GEN", (4, 5), |row| count(row.worker.generation)),
        left("STATE", (18, 0), |row| {
            let leaving = if row.worker.leaving { ", leaving" } else { "" };
            let shown = format!("{}{leaving}", row.worker.stage.name());
            // In this order: what runs is first, and of that what has run longest.
            let longest = u64::from(u32::MAX) - row.worker.since_ms.min(u32::MAX.into());
            Value::Number(((row.worker.stage as u64) << 32) | longest, shown)
        }),
        right("FOR", (8, 0), |row| {
            Value::Number(row.worker.since_ms, short(row.worker.since_ms))
        }),
        right("REQUESTS", (9, 4), |row| count(row.worker.requests)),
        right("CPU", (8, 3), |row| {
            let cpu = row.worker.cpu_us;
            Value::Number(cpu, if cpu == 0 { "-".to_owned() } else { time(cpu) })
        }),
        right("MEMORY", (8, 2), |row| {
            Value::Number(row.worker.memory, memory(row.worker.memory))
        }),
        left("REQUEST", (20, 0), |row| {
            Value::Text(format!("{} {}", row.worker.method, row.worker.uri))
        }),
    ]
}

/// Returns which of these columns there is room for, by their indices.
pub(super) fn that_fit<T>(columns: &[Column<T>], room: u16) -> Vec<usize> {
    let mut shown: Vec<_> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| -> usize {
        let widths = shown.iter().map(|at| usize::from(columns[*at].width) + 1);
        widths.sum::<usize>().saturating_sub(1)
    };
    while needed(&shown) > usize::from(room) {
        let last = shown.iter().copied().max_by_key(|at| columns[*at].rank);
        let Some(last) = last.filter(|at| columns[*at].rank > 0) else {
            break;
        };
        shown.retain(|at| *at != last);
    }
    shown
}

impl Value {
    /// Returns what is shown: nothing that a client has sent reaches the terminal's controls.
    pub(super) fn shown(&self) -> String {
        match self {
            Value::Text(text) | Value::Number(_, text) => printable(text),
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(one, _), Value::Number(two, _)) => one.cmp(two),
            (Value::Text(one), Value::Text(two)) => one.cmp(two),
            (Value::Number(..), Value::Text(_)) => Ordering::Less,
            (Value::Text(_), Value::Number(..)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn left<T>(title: &'static str, (width, rank): (u16, u8), value: fn(&T) -> Value) -> Column<T> {
    Column {
        title,
        side: Side::Left,
        width,
        rank,
        value,
    }
}

fn right<T>(title: &'static str, (width, rank): (u16, u8), value: fn(&T) -> Value) -> Column<T> {
    Column {
        title,
        side: Side::Right,
        width,
        rank,
        value,
    }
}

fn count(number: u64) -> Value {
    Value::Number(number, number.to_string())
}

fn quantile(row: &PoolRow<'_>, microseconds: u64) -> Value {
    let shown = match row.pool.measured.duration_us.count {
        0 => "-".to_owned(),
        _ => time(microseconds),
    };
    Value::Number(microseconds, shown)
}
