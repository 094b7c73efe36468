//! The area of a pool step by step, and against what a simple list of workers would say.

mod threads;

use std::os::fd::AsFd;

use fpm_os::shared::{Region, SharedFile};
use nix::unistd::Pid;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::board::Board;
use crate::departure::Departure;
use crate::writer::{Description, Finished};

fn pool(slots: u32) -> PoolBoard {
    let board = Board::create().unwrap();
    board.add_pool(slots, &Counters::default()).unwrap().1
}

fn birth(pid: i32) -> Birth {
    let started = Duration::from_secs(1_800_000_000);
    Birth {
        pid: Pid::from_raw(pid),
        generation: 1,
        started,
    }
}

fn at(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[test]
fn a_request_is_seen_stage_by_stage() {
    let (pool, slot) = (pool(2), 0);
    assert_eq!(pool.state(slot), None);
    let mut writer = pool.claim(slot, birth(77)).unwrap();
    let stage = || pool.state(slot).unwrap().stage;
    assert_eq!(stage(), Stage::Creating);
    writer.accepting(at(10));
    assert_eq!(stage(), Stage::Accepting);
    writer.resting(at(15));
    assert_eq!((stage(), stage().name()), (Stage::Resting, "Idle"));
    assert_eq!(pool.totals().idle, 1);
    writer.reading_headers(at(20), at(1_000_020));
    assert_eq!(stage(), Stage::ReadingHeaders);
    let description = Description {
        method: b"GET",
        uri: b"/index.php",
        query: b"a=b",
        script: b"/srv/index.php",
        user: b"me",
        content_length: -1,
    };
    writer.info(&description);
    assert_eq!(stage(), Stage::Info);
    writer.running();
    assert_eq!(stage(), Stage::Running);
    writer.finished(
        at(50),
        &Finished {
            duration: at(30),
            memory: 4096,
        },
    );
    let expected = SlotSnapshot {
        slot,
        draining: false,
        spent: None,
        state: SlotState {
            pid: Pid::from_raw(77),
            generation: 1,
            started: Duration::from_secs(1_800_000_000),
            stage: Stage::Finished,
            since: at(50),
            requests: 1,
            accepted: at(20),
            accepted_at: at(1_000_020),
            duration: at(30),
            cpu: at(0),
            worked: at(0),
            memory: 4096,
            content_length: -1,
        },
        method: b"GET".to_vec(),
        uri: b"/index.php".to_vec(),
        query: b"a=b".to_vec(),
        script: b"/srv/index.php".to_vec(),
        user: b"me".to_vec(),
    };
    assert_eq!(pool.snapshots(), std::slice::from_ref(&expected));

    writer.worked(at(7), at(35));
    writer.accepting(at(60));
    let idle = pool.snapshot(slot).unwrap();
    assert_eq!(
        (idle.uri, idle.state.duration),
        (expected.uri, at(30)),
        "the last request is shown"
    );
    assert_eq!((idle.state.cpu, idle.state.worked), (at(7), at(35)));
    writer.reading_headers(at(70), at(1_000_070));
    let next = pool.snapshot(slot).unwrap();
    assert_eq!((next.uri, next.method, next.user), (vec![], vec![], vec![]));
    assert_eq!(
        (next.state.duration, next.state.memory),
        (Duration::ZERO, 0)
    );
    assert_eq!(next.state.requests, 2);
    assert_eq!(pool.totals().counters.memory_peak, 4096);
}

#[test]
fn a_request_may_be_described_twice() {
    let pool = pool(1);
    let mut writer = pool.claim(0, birth(1)).unwrap();
    writer.info(&Description {
        uri: b"/first",
        user: b"me",
        ..Description::default()
    });
    writer.info(&Description {
        uri: b"/second",
        ..Description::default()
    });
    let seen = pool.snapshot(0).unwrap();
    assert_eq!((seen.uri, seen.user), (b"/second".to_vec(), vec![]));
}

#[test]
fn long_texts_are_cut_as_in_the_original() {
    let pool = pool(1);
    let mut writer = pool.claim(0, birth(1)).unwrap();
    let long = [b'x'; 1000];
    let all = Description {
        method: &long,
        uri: &long,
        query: &long,
        script: &long,
        user: &long,
        content_length: 0,
    };
    writer.info(&all);
    let seen = pool.snapshot(0).unwrap();
    let lengths = [
        &seen.method,
        &seen.uri,
        &seen.query,
        &seen.script,
        &seen.user,
    ]
    .map(Vec::len);
    assert_eq!(lengths, [15, 127, 511, 255, 31]);
}

#[test]
fn what_a_worker_has_counted_survives_it() {
    let (pool, slot) = (pool(1), 0);
    let mut writer = pool.claim(slot, birth(1)).unwrap();
    writer.reading_headers(at(1), at(1));
    writer.finished(
        at(2),
        &Finished {
            memory: 100,
            ..Finished::default()
        },
    );
    pool.drain(slot, Farewell::HandOver);
    assert_eq!(writer.farewell(), Some(Farewell::HandOver));
    assert!(writer.is_draining() && pool.snapshot(slot).unwrap().draining);
    pool.note_spent(slot, Departure::MaxMemory);
    assert_eq!(
        pool.snapshot(slot).unwrap().spent,
        Some(Departure::MaxMemory)
    );
    assert_eq!(pool.totals().active, 1);

    writer.abandoned();
    writer.overdue();
    pool.release(slot);
    let other = pool.claim(slot, birth(9)).unwrap();
    assert_eq!(
        pool.snapshot(slot).unwrap().spent,
        None,
        "that was another worker"
    );
    drop(other);
    pool.release(slot);
    let totals = pool.totals();
    assert_eq!((totals.counters.abandoned, totals.counters.overdue), (1, 1));
    assert_eq!((totals.creating, totals.idle, totals.active), (0, 0, 0));
    assert_eq!(totals.counters.accepted, 1);
    assert_eq!(
        (totals.counters.memory_peak, totals.counters.max_active),
        (100, 1)
    );

    let writer = pool.claim(slot, birth(2)).unwrap();
    assert!(!writer.is_draining());
    let seen = pool.snapshot(slot).unwrap();
    assert_eq!(
        (seen.state.requests, seen.state.memory, seen.uri, seen.spent),
        (0, 0, vec![], None)
    );
    assert_eq!(pool.totals().counters.accepted, 1);
}

#[test]
fn counters_are_carried_into_another_area() {
    let board = Board::create().unwrap();
    let started = Duration::from_secs(1_800_000_000);
    let counters = Counters {
        started,
        accepted: 9,
        slow_requests: 3,
        ..Counters::default()
    };
    let (_, old) = board.add_pool(1, &counters).unwrap();
    old.count_slow_request();
    old.count_timed_out_request();
    old.count_outgrown();
    old.count_soft_timed_out_request();
    old.count_rest();
    old.count_max_children_reached();
    old.record_listen_queue(ListenQueue {
        waiting: 5,
        capacity: 511,
    });
    old.record_listen_queue(ListenQueue {
        waiting: 2,
        capacity: 511,
    });
    let mut writer = old.claim(0, birth(1)).unwrap();
    writer.reading_headers(at(1), at(1));
    writer.abandoned();
    writer.overdue();
    writer.overdue();
    assert_eq!(
        old.totals().listen_queue,
        ListenQueue {
            waiting: 2,
            capacity: 511
        }
    );

    let (_, new) = board.add_pool(4, &old.totals().counters).unwrap();
    let expected = Counters {
        started,
        accepted: 10,
        abandoned: 1,
        overdue: 2,
        max_active: 1,
        max_children_reached: 1,
        slow_requests: 4,
        timed_out: 1,
        outgrown: 1,
        soft_timed_out: 1,
        rests: 1,
        max_listen_queue: 5,
        memory_peak: 0,
    };
    assert_eq!(new.totals().counters, expected);
    assert_eq!(new.slots(), 4);
}

#[test]
fn the_queue_is_measured_by_one_and_once_a_second() {
    let pool = pool(1);
    let other = pool.clone();
    let time = Duration::from_secs(1_000);
    for (board, ms, expected) in [
        (&pool, 0, true),
        (&other, 0, false),
        (&pool, 999, false),
        (&other, 1000, true),
        (&pool, 1500, false),
        (&pool, 5000, true),
        // Another worker looked at the clock a little earlier.
        (&other, 4999, false),
    ] {
        let now = time + Duration::from_millis(ms);
        assert_eq!(board.is_time_to_measure(now), expected, "{ms}");
    }
}

#[test]
fn nobody_has_waited_longer_than_the_queue_was_there() {
    let pool = pool(1);
    pool.note_first_look(at(300));
    pool.note_first_look(at(320));
    assert_eq!(pool.longest_wait(at(350)), at(50));
    pool.note_empty_queue(at(400));
    // Another worker looked at the clock a little earlier.
    pool.note_empty_queue(at(390));
    assert_eq!(pool.longest_wait(at(500)), at(100));
    assert_eq!(pool.longest_wait(at(399)), Duration::ZERO);
}

#[test]
fn memory_that_is_no_area_is_refused() {
    let board = Board::create().unwrap();
    let (region, _) = board.add_pool(3, &Counters::default()).unwrap();
    assert_eq!(board.slots(region).unwrap(), 3);
    let short = Region {
        len: region.len - 8,
        ..region
    };
    assert!(matches!(
        board.map(short),
        Err(ScoreboardError::Size { slots: 3, .. })
    ));
    let tiny = Region { len: 8, ..region };
    assert!(matches!(
        board.map(tiny),
        Err(ScoreboardError::Size { slots: 0, .. })
    ));
    let file = SharedFile::adopt(board.as_fd().try_clone_to_owned().unwrap()).unwrap();
    let foreign = file.grow(std::num::NonZeroUsize::MIN).unwrap();
    assert!(matches!(
        board.map(foreign),
        Err(ScoreboardError::Layout { found: 0, .. })
    ));
    for region in [short, tiny, foreign] {
        assert!(board.slots(region).is_err(), "{region:?}");
    }
    assert!(matches!(
        pool(3).claim(3, birth(1)),
        Err(ScoreboardError::NoSuchSlot { .. })
    ));
}

/// What happens to a pool.
#[derive(Clone, Copy, Debug)]
enum Step {
    Spawn,
    Die(usize),
    Begin(usize),
    End(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Spawn),
        any::<usize>().prop_map(Step::Die),
        any::<usize>().prop_map(Step::Begin),
        (any::<usize>(), 0..1000_u64).prop_map(|(any, memory)| Step::End(any, memory)),
    ]
}

/// A worker of the model.
struct Worker {
    slot: u32,
    writer: SlotWriter,
    busy: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn totals_are_those_of_a_list_of_workers(steps in vec(step(), 0..300)) {
        let pool = pool(70);
        let mut workers: Vec<Worker> = Vec::new();
        let (mut accepted, mut most, mut peak) = (0, 0, 0);
        for step in steps {
            match step {
                Step::Spawn => {
                    let is_free = |slot: &u32| workers.iter().all(|worker| worker.slot != *slot);
                    let Some(slot) = (0..pool.slots()).find(is_free) else {
                        continue;
                    };
                    let mut writer = pool.claim(slot, birth(1)).unwrap();
                    writer.accepting(at(1));
                    workers.push(Worker { slot, writer, busy: false });
                }
                Step::Die(any) if !workers.is_empty() => {
                    let worker = workers.swap_remove(any % workers.len());
                    pool.release(worker.slot);
                }
                Step::Begin(any) if !workers.is_empty() => {
                    let any = any % workers.len();
                    if !workers[any].busy {
                        workers[any].busy = true;
                        workers[any].writer.reading_headers(at(1), at(1));
                        accepted += 1;
                    }
                }
                Step::End(any, memory) if !workers.is_empty() => {
                    let any = any % workers.len();
                    if workers[any].busy {
                        workers[any].busy = false;
                        let cost = Finished { memory, ..Finished::default() };
                        workers[any].writer.finished(at(1), &cost);
                        workers[any].writer.accepting(at(2));
                        peak = peak.max(memory);
                    }
                }
                Step::Die(_) | Step::Begin(_) | Step::End(..) => {}
            }
            let active = workers.iter().filter(|worker| worker.busy).count() as u64;
            most = most.max(active);
            let totals = pool.totals();
            prop_assert_eq!(totals.active, active);
            prop_assert_eq!(totals.idle, workers.len() as u64 - active);
            prop_assert_eq!(totals.counters.accepted, accepted);
            prop_assert_eq!(totals.counters.max_active, most);
            prop_assert_eq!(totals.counters.memory_peak, peak);
        }
    }
}
