//! What `fpmd top` shows and how it follows keys and news: values in, values out; no terminal, no socket, no clock.
//!
//! Rule: a selection is a pool's name or a process id, not a row: it stays with what it means when rows change places.

use std::collections::HashMap;
use std::time::Duration;

use fpm_control::{Status, WorkerStack};

use super::columns::{self, Column, PoolRow, WorkerRow};
use crate::control::stack;
use crate::control::table::printable;

/// How often the daemon is asked, in seconds: the least and the most.
const INTERVALS: (u32, u32) = (1, 60);

/// How far a page leads.
const PAGE: usize = 10;

/// A key, as far as one means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Tab,
    /// Control-C.
    Interrupt,
}

/// What is to be done after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing but to show what has changed.
    Show,
    /// Ask the daemon now.
    Refresh,
    /// Ask the daemon for the stack of this pool or process.
    AskStack(String),
    /// End.
    Quit,
}

/// Which table keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Pools,
    Workers,
}

/// What keys are for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The tables.
    Tables,
    /// A filter is being typed.
    Filter,
    /// The keys are explained.
    Help,
    /// What this pool or process is doing is shown, from this line on.
    Stack { of: String, from: usize },
}

/// The order of a table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sorting {
    /// The column, as an index.
    pub(super) column: usize,
    pub(super) direction: Direction,
}

/// Which rows are first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub(super) struct Model {
    status: Status,
    /// Requests in a second, in tenths, by the pool's name.
    rates: HashMap<String, u64>,
    /// When the status was taken (monotonic).
    taken: Duration,
    pub(super) focus: Focus,
    pub(super) mode: Mode,
    pub(super) filter: String,
    pub(super) pool_sorting: Sorting,
    pub(super) worker_sorting: Sorting,
    pool: Option<String>,
    worker: Option<i32>,
    /// Seconds between two questions.
    pub(super) interval: u32,
    /// Why the last question was not answered.
    pub(super) failure: Option<String>,
    /// What was answered about the stack that is shown, or why not; nothing before.
    stacks: Option<Result<Vec<WorkerStack>, String>>,
}

impl Sorting {
    /// Goes by the column to the right from now on, around the edge.
    fn go_right(&mut self, columns: usize) {
        self.column = (self.column + 1) % columns;
    }

    /// Goes by the column to the left from now on, around the edge.
    fn go_left(&mut self, columns: usize) {
        self.column = (self.column + columns - 1) % columns;
    }

    fn reverse(&mut self) {
        self.direction = match self.direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
    }

    /// Puts rows into this order; those that are equal stay as they were.
    fn sort<T>(self, rows: &mut [T], columns: &[Column<T>]) {
        let value = columns[self.column].value;
        rows.sort_by(|one, other| {
            let order = value(one).cmp(&value(other));
            match self.direction {
                Direction::Ascending => order,
                Direction::Descending => order.reverse(),
            }
        });
    }
}

impl Model {
    /// Begins with the status that was taken at `now` (monotonic).
    pub(super) fn new(status: Status, now: Duration, interval: u32) -> Model {
        Model {
            status,
            rates: HashMap::new(),
            taken: now,
            focus: Focus::Workers,
            mode: Mode::Tables,
            filter: String::new(),
            pool_sorting: columns::POOLS_FIRST,
            worker_sorting: columns::WORKERS_FIRST,
            pool: None,
            worker: None,
            interval: interval.clamp(INTERVALS.0, INTERVALS.1),
            failure: None,
            stacks: None,
        }
    }

    /// Takes in how the daemon is at `now` (monotonic).
    pub(super) fn update(&mut self, status: Status, now: Duration) {
        let passed = u64::try_from(now.saturating_sub(self.taken).as_millis()).unwrap_or(u64::MAX);
        let before = self.status.pools.iter();
        let before: HashMap<_, _> = before.map(|pool| (&pool.name, pool.requests)).collect();
        let rates = status.pools.iter().filter_map(|pool| {
            // A daemon that was started anew has counted less.
            let more = pool.requests.checked_sub(*before.get(&pool.name)?)?;
            Some((pool.name.clone(), (more * 10_000).checked_div(passed)?))
        });
        self.rates = rates.collect();
        (self.status, self.taken, self.failure) = (status, now, None);
    }

    /// Returns how the daemon was when it answered last.
    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    /// Returns the pools that the filter lets through, in their order.
    pub(super) fn pools(&self) -> Vec<PoolRow<'_>> {
        let rows = self.status.pools.iter().map(|pool| PoolRow {
            pool,
            rate: self.rates.get(&pool.name).copied(),
        });
        let mut rows: Vec<_> = rows
            .filter(|row| self.lets_through(&columns::pools(), row) || self.has_worker(row))
            .collect();
        self.pool_sorting.sort(&mut rows, &columns::pools());
        rows
    }

    /// Returns the workers that the filter lets through, in their order.
    pub(super) fn workers(&self) -> Vec<WorkerRow<'_>> {
        let pools = self.status.pools.iter();
        let rows = pools.flat_map(|pool| {
            let workers = pool.workers.iter();
            workers.map(|worker| WorkerRow { pool, worker })
        });
        let mut rows: Vec<_> = rows
            .filter(|row| self.lets_through(&columns::workers(), row))
            .collect();
        self.worker_sorting.sort(&mut rows, &columns::workers());
        rows
    }

    fn has_worker(&self, row: &PoolRow<'_>) -> bool {
        let pool = row.pool;
        let mut workers = pool.workers.iter();
        workers.any(|worker| self.lets_through(&columns::workers(), &WorkerRow { pool, worker }))
    }

    fn lets_through<T>(&self, columns: &[Column<T>], row: &T) -> bool {
        let wanted = self.filter.to_lowercase();
        let mut cells = columns.iter().map(|column| (column.value)(row));
        wanted.is_empty() || cells.any(|cell| cell.shown().to_lowercase().contains(&wanted))
    }

    /// Returns the row of the pools' table that is selected.
    pub(super) fn selected_pool(&self) -> Option<usize> {
        position(&self.pools(), |row| {
            Some(&row.pool.name) == self.pool.as_ref()
        })
    }

    /// Returns the row of the workers' table that is selected.
    pub(super) fn selected_worker(&self) -> Option<usize> {
        position(&self.workers(), |row| Some(row.worker.pid) == self.worker)
    }

    /// Returns what is selected, as the daemon is asked for it.
    fn selected(&self) -> Option<String> {
        match self.focus {
            Focus::Pools => {
                let row = self.selected_pool()?;
                self.pools().get(row).map(|row| row.pool.name.clone())
            }
            Focus::Workers => {
                let row = self.selected_worker()?;
                self.workers()
                    .get(row)
                    .map(|row| row.worker.pid.to_string())
            }
        }
    }

    /// Takes in what was answered about a stack, if it is still the one that is shown.
    pub(super) fn show_stacks(&mut self, of: &str, stacks: Result<Vec<WorkerStack>, String>) {
        if matches!(&self.mode, Mode::Stack { of: shown, .. } if shown == of) {
            self.stacks = Some(stacks);
        }
    }

    /// Returns what is shown of stacks.
    pub(super) fn stack_text(&self) -> String {
        match &self.stacks {
            None => "asking ...".to_owned(),
            Some(Ok(stacks)) => stack::text(stacks),
            Some(Err(cause)) => printable(cause),
        }
    }

    fn last_line(&self) -> usize {
        self.stack_text().lines().count().saturating_sub(1)
    }

    /// Follows a key.
    pub(super) fn press(&mut self, key: Key) -> Effect {
        match (self.mode.clone(), key) {
            (_, Key::Interrupt) => return Effect::Quit,
            (Mode::Filter, Key::Char(letter)) => self.filter.push(letter),
            (Mode::Filter, Key::Backspace) => drop(self.filter.pop()),
            (Mode::Filter, Key::Enter) => self.mode = Mode::Tables,
            (Mode::Filter, Key::Escape) => {
                self.filter.clear();
                self.mode = Mode::Tables;
            }
            (Mode::Filter, _) => {}
            (_, Key::Char('q')) => return Effect::Quit,
            (Mode::Help | Mode::Stack { .. }, Key::Escape | Key::Enter) => self.mode = Mode::Tables,
            (Mode::Help, _) => self.mode = Mode::Tables,
            (Mode::Stack { of, from }, key) => {
                let from = moved(from, self.last_line(), key).unwrap_or(from);
                self.mode = Mode::Stack { of, from };
            }
            (Mode::Tables, key) => return self.press_in_tables(key),
        }
        Effect::Show
    }

    fn press_in_tables(&mut self, key: Key) -> Effect {
        let columns = match self.focus {
            Focus::Pools => columns::pools().len(),
            Focus::Workers => columns::workers().len(),
        };
        match key {
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Char('>') => self.sorting().go_right(columns),
            Key::Char('<') => self.sorting().go_left(columns),
            Key::Char('r') => self.sorting().reverse(),
            Key::Char('+') => self.interval = (self.interval + 1).min(INTERVALS.1),
            Key::Char('-') => self.interval = self.interval.saturating_sub(1).max(INTERVALS.0),
            Key::Char(' ') => return Effect::Refresh,
            Key::Escape => self.filter.clear(),
            Key::Tab => {
                self.focus = match self.focus {
                    Focus::Pools => Focus::Workers,
                    Focus::Workers => Focus::Pools,
                };
            }
            Key::Enter => {
                if let Some(of) = self.selected() {
                    self.stacks = None;
                    self.mode = Mode::Stack {
                        of: of.clone(),
                        from: 0,
                    };
                    return Effect::AskStack(of);
                }
            }
            key => self.step(key),
        }
        Effect::Show
    }

    fn sorting(&mut self) -> &mut Sorting {
        match self.focus {
            Focus::Pools => &mut self.pool_sorting,
            Focus::Workers => &mut self.worker_sorting,
        }
    }

    /// Selects another row.
    fn step(&mut self, key: Key) {
        match self.focus {
            Focus::Pools => {
                let rows = self.pools();
                let row = next(self.selected_pool(), rows.len(), key);
                let pool = row.and_then(|row| rows.get(row));
                self.pool = pool.map(|row| row.pool.name.clone());
            }
            Focus::Workers => {
                let rows = self.workers();
                let row = next(self.selected_worker(), rows.len(), key);
                self.worker = row.and_then(|row| rows.get(row)).map(|row| row.worker.pid);
            }
        }
    }
}

fn position<T>(rows: &[T], is_it: impl Fn(&T) -> bool) -> Option<usize> {
    rows.iter().position(is_it)
}

/// Returns the row that a key leads to from the selected one.
fn next(selected: Option<usize>, rows: usize, key: Key) -> Option<usize> {
    let last = rows.checked_sub(1)?;
    match selected {
        Some(row) => moved(row, last, key).or(Some(row)),
        None => moved(0, last, key).map(|_| if key == Key::End { last } else { 0 }),
    }
}

/// Returns where a key leads to from `at`, if it leads anywhere.
fn moved(at: usize, last: usize, key: Key) -> Option<usize> {
    let to = match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at + 1,
        Key::PageUp => at.saturating_sub(PAGE),
        Key::PageDown => at + PAGE,
        Key::Home | Key::Char('g') => 0,
        Key::End | Key::Char('G') => last,
        _ => return None,
    };
    Some(to.min(last))
}

#[cfg(test)]
pub(in crate::control::top) mod tests;
