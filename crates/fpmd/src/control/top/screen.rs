//! What `fpmd top` looks like: the model on a screen of any size.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, TableState};

use super::columns::{self, Column, PoolRow, WorkerRow};
use super::model::{Direction, Focus, Mode, Model, Sorting};
use crate::control::status::{doing, span};
use crate::control::table::{Side, printable};

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Colours,
    /// The terminal's own two (no-color.org).
    Plain,
}

/// What keys do.
const HELP: &str = "\
Up Down PgUp PgDn Home End   another row (also j k g G)
Tab                          the other table
Enter                        the PHP stack of the worker, or of the pool's workers
                             (the pool needs request_stack = yes, or a slow log)
<  >                         order by the column to the left, to the right
r                            the other way round
/                            show only rows with this text; Esc shows all
+  -                         ask the daemon less often, more often
Space                        ask it now
q                            quit";

/// What keys do, in a line.
const KEYS: &str = " q quit  ? help  / filter  < > order  r reverse  Tab table  Enter stack";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette, now: u64) {
    let pools = u16::try_from(model.pools().len()).unwrap_or(u16::MAX);
    // A table has a title of columns and a line above it.
    let most = (frame.area().height / 3).max(3);
    let [heading, above, below, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(pools.saturating_add(2).min(most)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(title(model, now)), heading);
    frame.render_widget(Paragraph::new(footer(model)).style(reversed()), keys);
    match &model.mode {
        Mode::Help => overlay(frame, above.union(below), "Keys", Text::from(HELP), 0),
        Mode::Stack { of, from } => {
            let name = format!("Stack of {}", printable(of));
            overlay(
                frame,
                above.union(below),
                &name,
                Text::from(model.stack_text()),
                *from,
            );
        }
        Mode::Tables | Mode::Filter => {
            let pools = TableView {
                title: "Pools",
                columns: &columns::pools(),
                sorting: model.pool_sorting,
                selected: model.selected_pool(),
                focused: model.focus == Focus::Pools,
                style: |row: &PoolRow<'_>| pool_colour(row),
            };
            pools.draw(frame, above, &model.pools(), palette);
            let workers = TableView {
                title: "Workers",
                columns: &columns::workers(),
                sorting: model.worker_sorting,
                selected: model.selected_worker(),
                focused: model.focus == Focus::Workers,
                style: |row: &WorkerRow<'_>| worker_colour(row),
            };
            workers.draw(frame, below, &model.workers(), palette);
        }
    }
}

/// One of the tables.
struct TableView<'a, T> {
    title: &'static str,
    columns: &'a [Column<T>],
    sorting: Sorting,
    selected: Option<usize>,
    focused: bool,
    style: fn(&T) -> Option<Color>,
}

impl<T> TableView<'_, T> {
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, rows: &[T], palette: Palette) {
        let shown = columns::that_fit(self.columns, area.width);
        let columns = || shown.iter().map(|at| (*at, &self.columns[*at]));
        let titles = columns().map(|(at, column)| {
            let mark = match (at == self.sorting.column, self.sorting.direction) {
                (false, _) => "",
                (true, Direction::Ascending) => "^",
                (true, Direction::Descending) => "v",
            };
            cell(format!("{}{mark}", column.title), column.side)
        });
        let header = Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD));
        let lines = rows.iter().map(|row| {
            let cells = columns().map(|(_, column)| cell((column.value)(row).shown(), column.side));
            let line = Row::new(cells);
            match ((self.style)(row), palette) {
                (Some(colour), Palette::Colours) => line.style(Style::new().fg(colour)),
                _ => line,
            }
        });
        let last = self.columns.len() - 1;
        let widths = columns().map(|(at, column)| match at == last {
            true => Constraint::Min(column.width),
            false => Constraint::Length(column.width),
        });
        let title = format!(" {} ({}) ", self.title, rows.len());
        let mut block = Block::new().borders(Borders::TOP).title(title);
        if self.focused {
            block = block.title_style(reversed());
        }
        let table = Table::new(lines, widths)
            .header(header)
            .block(block)
            .row_highlight_style(reversed());
        let mut state = TableState::new().with_selected(self.selected);
        frame.render_stateful_widget(table, area, &mut state);
    }
}

fn cell<'a>(text: String, side: Side) -> Cell<'a> {
    let alignment = match side {
        Side::Left => Alignment::Left,
        Side::Right => Alignment::Right,
    };
    Cell::new(Text::from(text).alignment(alignment))
}

/// Who is in trouble.
fn pool_colour(row: &PoolRow<'_>) -> Option<Color> {
    match row.pool {
        pool if pool.drained => Some(Color::DarkGray),
        pool if pool.resting => Some(Color::Red),
        pool if pool.listen_queue > 0 => Some(Color::Red),
        pool if pool.active > 0 => Some(Color::Green),
        _ => None,
    }
}

/// Who is at work.
fn worker_colour(row: &WorkerRow<'_>) -> Option<Color> {
    match row.worker {
        worker if worker.leaving => Some(Color::Yellow),
        worker if worker.stage.is_active() => Some(Color::Green),
        _ => None,
    }
}

fn reversed() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// Says which daemon it is and how it is.
fn title(model: &Model, now: u64) -> Text<'static> {
    let status = model.status();
    let up = span(now.saturating_sub(status.started_at));
    let first = format!(
        "fpmd {}, process {}, {} for {up}, {}",
        status.version,
        status.pid,
        doing(status.state),
        printable(&status.configuration)
    );
    let second = match (&model.failure, &status.reload_failure) {
        (Some(failure), _) => format!("no news: {failure}"),
        (None, Some(failure)) => format!("the last reload failed: {failure}"),
        (None, None) => {
            let pools = status.pools.iter();
            let sum =
                |of: fn(&fpm_control::PoolStatus) -> u64| -> u64 { pools.clone().map(of).sum() };
            format!(
                "{} active, {} idle, {} in queues, {} requests",
                sum(|pool| pool.active),
                sum(|pool| pool.idle),
                sum(|pool| pool.listen_queue),
                sum(|pool| pool.requests)
            )
        }
    };
    Text::from(vec![Line::from(first), Line::from(printable(&second))])
}

fn footer(model: &Model) -> String {
    match &model.mode {
        Mode::Filter => format!(" /{}_", printable(&model.filter)),
        Mode::Help | Mode::Stack { .. } => " Esc back  q quit".to_owned(),
        Mode::Tables if model.filter.is_empty() => {
            format!("{KEYS}  +/- every {}s", model.interval)
        }
        Mode::Tables => {
            let filter = printable(&model.filter);
            format!(" only \"{filter}\" (Esc: all){KEYS}")
        }
    }
}

/// Shows a text in place of the tables, as far down as it goes.
fn overlay(frame: &mut Frame<'_>, area: Rect, title: &str, text: Text<'_>, from: usize) {
    let block = Block::bordered().title(format!(" {title} "));
    let last = text.height().saturating_sub(1);
    let from = u16::try_from(from.min(last)).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(text).block(block).scroll((from, 0)), area);
}

#[cfg(test)]
mod tests;
