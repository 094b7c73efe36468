//! Workers that publish while others read.

use std::thread;

use super::*;
use crate::slot::SlotSnapshot;

/// Publishes request number `n`, all parts of which tell `n`; it is described twice.
fn serve(writer: &mut SlotWriter, n: u64) {
    writer.reading_headers(at(n), at(n));
    for word in ["another", &n.to_string()] {
        let long = word.repeat(8);
        writer.info(&Description {
            method: word.as_bytes(),
            uri: long.as_bytes(),
            query: long.as_bytes(),
            script: long.as_bytes(),
            user: word.as_bytes(),
            content_length: n.cast_signed(),
        });
    }
    writer.running();
    run_script();
    writer.finished(
        at(n),
        &Finished {
            duration: at(n),
            memory: n,
        },
    );
    writer.worked(at(n), at(n));
    writer.accepting(at(n));
}

/// Checks that all parts of a snapshot are of the same publication.
fn check(seen: &SlotSnapshot) {
    let SlotSnapshot {
        state,
        method: word,
        ..
    } = seen;
    let n = state.requests;
    assert_eq!(
        (state.accepted, state.accepted_at),
        (at(n), at(n)),
        "{seen:?}"
    );
    let number = n.to_string();
    let described = *word == number.as_bytes();
    let expected = match state.stage {
        Stage::ReadingHeaders => word.is_empty(),
        Stage::Info => described || word.is_empty() || word == b"another",
        _ => described,
    };
    assert!(expected, "{seen:?}");
    assert_eq!(seen.user, *word, "{seen:?}");
    for text in [&seen.uri, &seen.query, &seen.script] {
        assert_eq!(*text, word.repeat(8), "{seen:?}");
    }
    let ended = matches!(state.stage, Stage::Finished | Stage::Accepting);
    let cost = if ended { n } else { 0 };
    assert_eq!((state.duration, state.memory), (at(cost), cost), "{seen:?}");
    let worked = if state.stage == Stage::Accepting {
        n
    } else {
        0
    };
    assert_eq!(
        (state.cpu, state.worked),
        (at(worked), at(worked)),
        "{seen:?}"
    );
}

/// How many different states a reader wants to have seen.
const ENOUGH: usize = 2_000;

/// Passes the time that a script takes. Workers that only publish would leave readers no gap in a debug build.
fn run_script() {
    for _ in 0..500 {
        std::hint::spin_loop();
    }
}

#[test]
fn a_reader_never_sees_parts_of_two_publications() {
    let writing = pool(2);
    thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let (mut different, mut last) = (0, 0);
            while different < ENOUGH {
                let Some(seen) = writing.snapshot(1).filter(|seen| seen.state.requests > 0) else {
                    continue;
                };
                check(&seen);
                assert!(seen.state.requests >= last);
                different += usize::from(seen.state.requests > last);
                last = seen.state.requests;
            }
        });
        let mut writer = writing.claim(1, birth(1)).unwrap();
        for n in 1.. {
            serve(&mut writer, n);
            if reader.is_finished() {
                assert_eq!(writing.totals().counters.accepted, n);
                break;
            }
        }
    });
}

#[test]
fn accepted_never_goes_back_while_workers_come_and_go() {
    // The worker that comes and goes is added up last, long after the header was read.
    const SLOTS: u32 = 200;
    let writing = pool(SLOTS);
    let slot = SLOTS - 1;
    for slot in 0..slot {
        writing.claim(slot, birth(1)).unwrap();
    }
    thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let (mut different, mut last) = (0, 0);
            while different < ENOUGH / 2 {
                let accepted = writing.totals().counters.accepted;
                assert!(accepted >= last, "{accepted} after {last}");
                different += usize::from(accepted > last);
                last = accepted;
            }
        });
        for n in 1.. {
            let mut writer = writing.claim(slot, birth(1)).unwrap();
            serve(&mut writer, n);
            writing.release(slot);
            if reader.is_finished() {
                assert_eq!(writing.totals().counters.accepted, n);
                break;
            }
        }
    });
}
