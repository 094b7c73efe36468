//! Screens as somebody would see them.

use std::time::Duration;

use expect_test::{Expect, expect};
use fpm_control::{Measured, Percentiles};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::super::model::Key;
use super::super::model::tests::{status, worker};
use super::*;

fn drawn(model: &Model, width: u16, height: u16, palette: Palette) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, model, palette, 5_000))
        .unwrap();
    terminal.backend().buffer().clone()
}

fn check(model: &Model, (width, height): (u16, u16), expected: &Expect) {
    let buffer = drawn(model, width, height, Palette::Plain);
    let rows = buffer.content().chunks(width.into());
    let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    let text: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
    expected.assert_eq(&(text.join("\n") + "\n"));
}

fn model() -> Model {
    let mut status = status();
    status.pools[1].measured = Measured {
        duration_us: Percentiles {
            count: 9,
            p50: 1_500,
            p95: 20_000,
            p99: 3_000_000,
        },
        ..Measured::default()
    };
    Model::new(status, Duration::ZERO, 2)
}

#[test]
fn tables_with_a_selection() {
    let mut model = model();
    model.press(Key::Down);
    check(
        &model,
        (132, 16),
        &expect![[r#"
            fpmd 1.2.3, process 42, up for 1h 6m, /etc/fpm.conf
            2 active, 0 idle, 0 in queues, 107 requests
             Pools (2) ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            POOL           PM       ACTIVEv  IDLE      MAX  QUEUE    REQ/S   REQUESTS    5XX      P50      P95      P99   SLOW
            www            static         2     0        0      0        -        100      0    1.5ms     20ms     3.0s      0
            api            static         0     0        0      0        -          7      0        -        -        -      0
             Workers (3) ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
                 PID POOL            GEN STATE^                  FOR  REQUESTS      CPU   MEMORY REQUEST
                  12 www               1 running              1m 30s       120        -        - GET /slow.php?a=b
                  11 www               1 running                 5ms       110        -        - GET /quick.php
                  30 api               1 idle                  100ms       300        -        - GET /api.php




             q quit  ? help  / filter  < > order  r reverse  Tab table  Enter stack  +/- every 2s
        "#]],
    );
}

#[test]
fn a_small_screen_shows_what_has_room() {
    check(
        &model(),
        (60, 10),
        &expect![[r#"
            fpmd 1.2.3, process 42, up for 1h 6m, /etc/fpm.conf
            2 active, 0 idle, 0 in queues, 107 requests
             Pools (2) ─────────────────────────────────────────────────
            POOL           ACTIVEv  IDLE      MAX  QUEUE    REQ/S
            www                  2     0        0      0        -
             Workers (3) ───────────────────────────────────────────────
                 PID STATE^                  FOR REQUEST
                  12 running              1m 30s GET /slow.php?a=b
                  11 running                 5ms GET /quick.php
             q quit  ? help  / filter  < > order  r reverse  Tab table
        "#]],
    );
    for (width, height) in [(1, 1), (3, 2), (10, 4), (200, 5)] {
        drawn(&model(), width, height, Palette::Colours);
    }
}

#[test]
fn a_selected_worker_is_scrolled_to() {
    let mut status = status();
    let more = (100..150).map(|pid| worker(pid, fpm_control::WorkerStage::Idle, 1, "/"));
    status.pools[1].workers.extend(more);
    let mut model = Model::new(status, Duration::ZERO, 2);
    model.press(Key::End);
    let last = model.workers().last().unwrap().worker.pid.to_string();
    let buffer = drawn(&model, 100, 20, Palette::Plain);
    let text: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
    assert!(text.contains(&last), "{text}");
}

#[test]
fn other_modes() {
    let mut model = model();
    model.press(Key::Char('/'));
    model.press(Key::Char('s'));
    model.press(Key::Char('l'));
    check(
        &model,
        (100, 10),
        &expect![[r#"
            fpmd 1.2.3, process 42, up for 1h 6m, /etc/fpm.conf
            2 active, 0 idle, 0 in queues, 107 requests
             Pools (1) ─────────────────────────────────────────────────────────────────────────────────────────
            POOL           ACTIVEv  IDLE      MAX  QUEUE    REQ/S   REQUESTS    5XX      P50      P95      P99
            www                  2     0        0      0        -        100      0    1.5ms     20ms     3.0s
             Workers (1) ───────────────────────────────────────────────────────────────────────────────────────
                 PID POOL           STATE^                  FOR  REQUESTS      CPU   MEMORY REQUEST
                  12 www            running              1m 30s       120        -        - GET /slow.php?a=b

             /sl_
        "#]],
    );
    model.press(Key::Enter);
    model.press(Key::Down);
    model.press(Key::Enter);
    model.show_stacks("12", Err("it cannot be asked".to_owned()));
    model.failure = Some("the daemon hung up".to_owned());
    check(
        &model,
        (100, 8),
        &expect![[r#"
        fpmd 1.2.3, process 42, up for 1h 6m, /etc/fpm.conf
        no news: the daemon hung up
        ┌ Stack of 12 ─────────────────────────────────────────────────────────────────────────────────────┐
        │it cannot be asked                                                                                │
        │                                                                                                  │
        │                                                                                                  │
        └──────────────────────────────────────────────────────────────────────────────────────────────────┘
         Esc back  q quit
    "#]],
    );
    model.press(Key::Escape);
    model.press(Key::Char('?'));
    check(
        &model,
        (90, 16),
        &expect![[r#"
            fpmd 1.2.3, process 42, up for 1h 6m, /etc/fpm.conf
            no news: the daemon hung up
            ┌ Keys ──────────────────────────────────────────────────────────────────────────────────┐
            │Up Down PgUp PgDn Home End   another row (also j k g G)                                 │
            │Tab                          the other table                                            │
            │Enter                        the PHP stack of the worker, or of the pool's workers      │
            │                             (the pool needs request_stack = yes, or a slow log)        │
            │<  >                         order by the column to the left, to the right              │
            │r                            the other way round                                        │
            │/                            show only rows with this text; Esc shows all               │
            │+  -                         ask the daemon less often, more often                      │
            │Space                        ask it now                                                 │
            │q                            quit                                                       │
            │                                                                                        │
            └────────────────────────────────────────────────────────────────────────────────────────┘
             Esc back  q quit
        "#]],
    );
}

#[test]
fn without_colours_there_are_none() {
    let coloured = |palette| {
        let buffer = drawn(&model(), 100, 20, palette);
        buffer
            .content()
            .iter()
            .any(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset))
    };
    assert!(coloured(Palette::Colours));
    assert!(!coloured(Palette::Plain));
}
