//! Keys and news, and what is shown then.

use fpm_control::{DaemonMeasured, Doing, PoolStatus, State, WorkerStage, WorkerStatus};

use super::*;

pub(in crate::control::top) fn worker(
    pid: i32,
    stage: WorkerStage,
    since_ms: u64,
    uri: &str,
) -> WorkerStatus {
    WorkerStatus {
        pid,
        generation: 1,
        stage,
        leaving: false,
        started_at: 0,
        requests: u64::from(pid.unsigned_abs()) * 10,
        since_ms,
        method: "GET".to_owned(),
        uri: uri.to_owned(),
        script: String::new(),
        user: String::new(),
        duration_us: 0,
        cpu_us: 0,
        memory: 0,
    }
}

fn pool(name: &str, requests: u64, active: u64, workers: Vec<WorkerStatus>) -> PoolStatus {
    PoolStatus {
        name: name.to_owned(),
        pm: "static".to_owned(),
        requests,
        active,
        workers,
        ..PoolStatus::default()
    }
}

/// Two pools, with two workers and one.
pub(in crate::control::top) fn status() -> Status {
    Status {
        pid: 42,
        version: "1.2.3".to_owned(),
        configuration: "/etc/fpm.conf".to_owned(),
        started_at: 1_000,
        state: State::Serving,
        beside: None,
        reload_failure: None,
        measured: DaemonMeasured::default(),
        generations: Vec::new(),
        pools: vec![
            pool(
                "api",
                7,
                0,
                vec![worker(30, WorkerStage::Idle, 100, "/api.php")],
            ),
            pool(
                "www",
                100,
                2,
                vec![
                    worker(11, WorkerStage::Running, 5, "/quick.php"),
                    worker(12, WorkerStage::Running, 90_000, "/slow.php?a=b"),
                ],
            ),
        ],
    }
}

fn model() -> Model {
    Model::new(status(), Duration::ZERO, 2)
}

fn press(model: &mut Model, keys: &[Key]) {
    for key in keys {
        assert_eq!(model.press(*key), Effect::Show, "{key:?}");
    }
}

fn write(model: &mut Model, text: &str) {
    text.chars()
        .for_each(|letter| press(model, &[Key::Char(letter)]));
}

fn pids(model: &Model) -> Vec<i32> {
    model.workers().iter().map(|row| row.worker.pid).collect()
}

fn names(model: &Model) -> Vec<&str> {
    model.pools().iter().map(|row| &*row.pool.name).collect()
}

#[test]
fn the_busiest_and_the_longest_are_first() {
    let model = model();
    assert_eq!(names(&model), ["www", "api"]);
    assert_eq!(pids(&model), [12, 11, 30]);
}

#[test]
fn every_column_orders_both_ways() {
    let mut model = model();
    for focus in [Focus::Workers, Focus::Pools] {
        assert_eq!(model.focus, focus);
        let columns = match focus {
            Focus::Workers => columns::workers().len(),
            Focus::Pools => columns::pools().len(),
        };
        let begin = model.sorting().column;
        for _ in 0..columns {
            let (pids_before, names_before) = (pids(&model), names(&model).join(" "));
            press(&mut model, &[Key::Char('r'), Key::Char('r')]);
            assert_eq!(
                (pids(&model), names(&model).join(" ")),
                (pids_before, names_before)
            );
            press(&mut model, &[Key::Char('>')]);
        }
        assert_eq!(model.sorting().column, begin, "around the edge");
        press(&mut model, &[Key::Char('<')]);
        assert_eq!(model.sorting().column, (begin + columns - 1) % columns);
        press(&mut model, &[Key::Tab]);
    }
    model.worker_sorting = Sorting {
        column: 0,
        direction: Direction::Ascending,
    };
    assert_eq!(pids(&model), [11, 12, 30]);
    press(&mut model, &[Key::Char('r')]);
    assert_eq!(pids(&model), [30, 12, 11]);
}

#[test]
fn a_filter_is_typed_kept_and_left() {
    let mut model = model();
    write(&mut model, "/SLOWX");
    assert!(pids(&model).is_empty() && names(&model).is_empty());
    press(&mut model, &[Key::Backspace, Key::Enter]);
    assert_eq!((pids(&model), names(&model)), (vec![12], vec!["www"]));
    assert_eq!(model.mode, Mode::Tables);
    press(&mut model, &[Key::Escape]);
    assert_eq!(pids(&model).len(), 3);
    write(&mut model, "/api");
    press(&mut model, &[Key::Escape]);
    assert_eq!(pids(&model).len(), 3, "nobody wants it");
    write(&mut model, "/q");
    assert_eq!(pids(&model), [11], "no key but a letter");
}

#[test]
fn a_selection_stays_with_its_worker() {
    let mut model = model();
    assert_eq!(model.press(Key::Enter), Effect::Show, "nothing is selected");
    press(&mut model, &[Key::Down, Key::Down]);
    assert_eq!(model.selected_worker(), Some(1));
    press(&mut model, &[Key::Char('r')]);
    assert_eq!(
        (pids(&model), model.selected_worker()),
        (vec![30, 11, 12], Some(1))
    );
    for (key, row) in [
        (Key::End, 2),
        (Key::Down, 2),
        (Key::Home, 0),
        (Key::Up, 0),
        (Key::PageDown, 2),
        (Key::PageUp, 0),
        (Key::Char('j'), 1),
    ] {
        press(&mut model, &[key]);
        assert_eq!(model.selected_worker(), Some(row), "{key:?}");
    }
    let mut less = status();
    less.pools[1].workers.clear();
    model.update(less, Duration::from_secs(1));
    assert_eq!(model.selected_worker(), None, "it has ended");
    press(&mut model, &[Key::Down]);
    assert_eq!(model.selected_worker(), Some(0));
}

#[test]
fn stacks_are_asked_for_and_scrolled() {
    let mut model = model();
    press(&mut model, &[Key::Down]);
    assert_eq!(model.press(Key::Enter), Effect::AskStack("12".to_owned()));
    assert_eq!(model.stack_text(), "asking ...");
    let idle = |pid| WorkerStack {
        pool: "www".to_owned(),
        pid,
        doing: Doing::Nothing,
    };
    model.show_stacks("11", Ok(vec![idle(11)]));
    assert_eq!(model.stack_text(), "asking ...", "it was asked before");
    model.show_stacks("12", Ok(vec![idle(12), idle(13)]));
    assert!(model.stack_text().starts_with("[pool www] pid 12: idle"));
    press(&mut model, &[Key::Down, Key::End, Key::Down]);
    assert_eq!(
        model.mode,
        Mode::Stack {
            of: "12".to_owned(),
            from: 2
        }
    );
    press(&mut model, &[Key::Escape, Key::Tab, Key::Down]);
    assert_eq!(model.press(Key::Enter), Effect::AskStack("www".to_owned()));
    model.show_stacks("www", Err("no \u{1b} watchdog".to_owned()));
    assert_eq!(model.stack_text(), "no ? watchdog");
}

#[test]
fn rates_are_those_between_two_answers() {
    let mut model = model();
    assert_eq!(model.pools()[0].rate, None);
    let mut later = status();
    later.pools[1].requests += 25;
    later.pools[0].requests = 0;
    model.failure = Some("late".to_owned());
    model.update(later.clone(), Duration::from_secs(2));
    let rates: Vec<_> = model.pools().iter().map(|row| row.rate).collect();
    assert_eq!(rates, [Some(125), None], "the other one has begun anew");
    assert_eq!(model.failure, None);
    model.update(later, Duration::from_secs(2));
    assert_eq!(model.pools()[0].rate, None, "no time has passed");
}

#[test]
fn intervals_help_and_the_end() {
    let mut model = model();
    press(&mut model, &[Key::Char('-'), Key::Char('-')]);
    assert_eq!(model.interval, 1);
    (0..100).for_each(|_| press(&mut model, &[Key::Char('+')]));
    assert_eq!(model.interval, 60);
    press(&mut model, &[Key::Char('?')]);
    assert_eq!(model.mode, Mode::Help);
    press(&mut model, &[Key::Char('x')]);
    assert_eq!(model.mode, Mode::Tables);
    assert_eq!(model.press(Key::Char(' ')), Effect::Refresh);
    for mode in [
        Mode::Tables,
        Mode::Help,
        Mode::Stack {
            of: "1".to_owned(),
            from: 0,
        },
    ] {
        model.mode = mode;
        assert_eq!(model.press(Key::Char('q')), Effect::Quit);
    }
    model.mode = Mode::Filter;
    assert_eq!(model.press(Key::Interrupt), Effect::Quit);
}
