//! A worker that is killed by SIGKILL at any moment, in the middle of a write too, leaves a slot that reads as one of
//! its publications, and has added no request to the ledger but those that it served, the last one perhaps in part.
//!
//! Without libtest: forking wants a process with a single thread.

use std::time::Duration;

use fpm_os::fork::{OtherThreads, fork};
use fpm_os::process;
use fpm_os::signal::Signal;
use fpm_os::wait::{ExitStatus, wait};
use fpm_scoreboard::{
    Birth, Board, Counters, Description, Finished, Ledger, PoolBoard, PoolLedger, Served,
    SlotWriter, Stage,
};
use nix::unistd::alarm;

/// After so many seconds SIGALRM ends a test that hangs.
const PATIENCE: u32 = 120;

/// How many workers are killed.
const KILLED: u64 = 300;

fn main() {
    alarm::set(PATIENCE);
    let board = Board::create().expect("a memory file");
    let (_, pool) = board.add_pool(1, &Counters::default()).expect("an area");
    let ledger = Ledger::create().expect("a memory file");
    let region = ledger.add_pool().expect("an area");
    let ledger = ledger.pool(region).expect("the area");
    let mut accepted = 0;
    for round in 0..KILLED {
        accepted += kill_one((&pool, &ledger), round);
        assert_eq!(
            pool.totals().counters.accepted,
            accepted,
            "nothing is lost or counted twice"
        );
        check_ledger(&ledger, accepted, round + 1);
    }
    assert!(accepted > KILLED, "the workers got to work");
    println!("{KILLED} workers killed, {accepted} requests read back");
}

/// Kills a worker somewhere in its work, checks its slot and returns how many requests it counted.
fn kill_one((pool, ledger): (&PoolBoard, &PoolLedger), round: u64) -> u64 {
    let slot = 0;
    assert_eq!(
        pool.state(slot),
        None,
        "the last worker's slot was released"
    );
    let pid = fork(OtherThreads::Refuse, || work((pool, ledger), slot)).expect("a worker");
    // Its own progress is the clock: every round lets it come a little further into a request.
    while pool
        .state(slot)
        .is_none_or(|state| state.requests < 1 + round % 7)
    {
        std::hint::spin_loop();
    }
    for _ in 0..round * 13 {
        std::hint::spin_loop();
    }
    process::kill(pid, Signal::KILL).expect("the worker is ours");
    let killed = ExitStatus::Signal {
        signal: Signal::KILL,
        core_dumped: false,
    };
    assert_eq!(wait(pid).expect("the worker is ours"), killed);

    let seen = pool
        .snapshot(slot)
        .expect("the worker had claimed the slot");
    let n = seen.state.requests;
    assert_eq!(
        (seen.state.pid, seen.state.accepted),
        (pid, Duration::from_micros(n)),
        "{seen:?}"
    );
    let named = seen.state.stage != Stage::ReadingHeaders;
    let digits = if named {
        n.to_string().into_bytes()
    } else {
        vec![]
    };
    assert_eq!(seen.method, digits, "{seen:?}");
    assert_eq!(seen.uri, digits.repeat(8), "{seen:?}");
    assert_eq!(seen.script, digits.repeat(8), "{seen:?}");
    pool.release(slot);
    assert_eq!(pool.snapshots(), []);
    assert_eq!(
        pool.totals().active,
        0,
        "a killed worker is not busy for ever"
    );
    n
}

/// Checks what workers have added for the requests that they accepted: of each killed one the last request may be missing, in part
/// too.
fn check_ledger(ledger: &PoolLedger, accepted: u64, killed: u64) {
    let figures = ledger.figures();
    // In the order in which they are added.
    let counts = [
        figures.answers[2],
        figures.latency.count(),
        figures.cpu.count(),
        figures.memory.count(),
        figures.queue_wait.count(),
    ];
    assert!(counts.is_sorted_by(|one, next| one >= next), "{counts:?}");
    let possible = accepted - killed..=accepted;
    assert!(
        counts.iter().all(|count| possible.contains(count)),
        "{counts:?} of {accepted} with {killed} killed"
    );
}

/// Serves requests until it is killed.
fn work((pool, ledger): (&PoolBoard, &PoolLedger), slot: u32) -> u8 {
    let birth = Birth {
        pid: process::id(),
        generation: 1,
        started: Duration::from_secs(1),
    };
    let Ok(mut writer) = pool.claim(slot, birth) else {
        return 1;
    };
    for n in 1.. {
        serve(&mut writer, n);
        ledger.record(&Served {
            status: 200,
            duration: Duration::from_micros(n),
            cpu: Duration::from_micros(n),
            memory: n,
            waited: Some(Duration::from_micros(n)),
        });
    }
    0
}

/// Publishes request number `n`, all parts of which tell `n`.
fn serve(writer: &mut SlotWriter, n: u64) {
    let now = Duration::from_micros(n);
    writer.reading_headers(now, now);
    let digits = n.to_string();
    let long = digits.repeat(8);
    let (method, long) = (digits.as_bytes(), long.as_bytes());
    writer.info(&Description {
        method,
        uri: long,
        script: long,
        ..Description::default()
    });
    writer.running();
    writer.finished(now, &Finished::default());
    writer.accepting(now);
}
