//! The areas of pools and daemon, against what a plain list of requests would say.

use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn pool() -> PoolLedger {
    let ledger = Ledger::create().unwrap();
    ledger.pool(ledger.add_pool().unwrap()).unwrap()
}

fn served(status: u16, micros: u64) -> Served {
    Served {
        status,
        duration: Duration::from_micros(micros),
        cpu: Duration::from_micros(micros / 2),
        memory: 1 << 21,
        waited: Some(Duration::ZERO),
    }
}

#[test]
fn answers_are_counted_by_their_class() {
    let pool = pool();
    for status in [
        0,
        99,
        100,
        200,
        204,
        302,
        404,
        403,
        499,
        500,
        503,
        600,
        u16::MAX,
    ] {
        pool.record(&served(status, 100));
    }
    assert_eq!(pool.figures().answers, [4, 1, 2, 1, 3, 2]);
}

#[test]
fn a_wait_that_nobody_knows_is_none_in_the_histogram() {
    let pool = pool();
    for waited in [None, None, Some(0), Some(3_000)] {
        let waited = waited.map(Duration::from_micros);
        pool.record(&Served {
            waited,
            ..served(200, 1)
        });
    }
    let figures = pool.figures();
    assert_eq!((figures.unknown_waits, figures.queue_wait.count()), (2, 2));
    assert_eq!(figures.queue_wait.sum(), 3_000);
}

#[test]
fn the_master_counts_beside_the_workers() {
    let ledger = Ledger::create().unwrap();
    let [one, other] = [(); 2].map(|()| ledger.pool(ledger.add_pool().unwrap()).unwrap());
    for (times, departure) in (1..).zip(Departure::ALL) {
        for _ in 0..times {
            one.count_departure(departure);
        }
    }
    one.count_spawned();
    one.count_access_lines_lost(7);
    let figures = one.figures();
    let departures = Departure::ALL.map(|departure| figures.departures(departure));
    assert_eq!(departures, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((figures.spawned, figures.access_lines_lost), (1, 7));
    assert_eq!(other.figures(), PoolFigures::default());

    let daemon = ledger.daemon().unwrap();
    daemon.serves(3);
    daemon.count_reload(Duration::from_millis(40));
    daemon.count_failed_reload();
    daemon.count_lost_zygote();
    daemon.count_log_lines_lost(5);
    let adopted = Ledger::adopt(ledger.as_fd().try_clone_to_owned().unwrap()).unwrap();
    let figures = adopted.daemon().unwrap().figures();
    assert_eq!(
        (figures.reloads.count(), figures.reloads.sum()),
        (1, 40_000)
    );
    assert_eq!((figures.generation, figures.failed_reloads), (3, 1));
    assert_eq!((figures.lost_zygotes, figures.log_lines_lost), (1, 5));
}

#[test]
fn nothing_is_lost_between_workers() {
    let pool = pool();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|n| pool.record(&served(200, n))));
        }
    });
    let figures = pool.figures();
    assert_eq!(
        (figures.answers[2], figures.latency.count()),
        (40_000, 40_000)
    );
    assert_eq!(figures.latency.sum(), 4 * (0..10_000).sum::<u64>());
}

#[test]
fn memory_that_is_no_ledger_is_refused() {
    let foreign = SharedFile::create("test").unwrap();
    foreign.grow(AREA).unwrap();
    let foreign = foreign.as_fd().try_clone_to_owned().unwrap();
    assert!(matches!(
        Ledger::adopt(foreign),
        Err(ScoreboardError::Layout { found: 0, .. })
    ));
    let ledger = Ledger::create().unwrap();
    let region = ledger.add_pool().unwrap();
    for wrong in [
        Region { len: 8, ..region },
        Region {
            len: 8192,
            ..region
        },
    ] {
        assert!(ledger.pool(wrong).is_err());
    }
}

proptest! {
    #[test]
    fn figures_are_those_of_a_list_of_requests(
        requests in vec((0..1000_u16, any::<u32>(), any::<u32>()), 0..100)
    ) {
        let pool = pool();
        let mut answers = [0; 6];
        let [mut time, mut memory] = [Scale::Time, Scale::Memory].map(|scale| vec![0; scale.buckets()]);
        let (mut sum, mut bytes) = (0, 0);
        for (status, micros, peak) in requests {
            let (micros, peak) = (u64::from(micros), u64::from(peak));
            pool.record(&Served { memory: peak, ..served(status, micros) });
            answers[match status { 100..600 => usize::from(status / 100), _ => 0 }] += 1;
            time[Scale::Time.bucket(micros)] += 1;
            memory[Scale::Memory.bucket(peak)] += 1;
            sum += micros;
            bytes += peak;
        }
        let figures = pool.figures();
        prop_assert_eq!(figures.answers, answers);
        prop_assert_eq!(figures.latency, Histogram::new(Scale::Time, time, sum));
        prop_assert_eq!(figures.memory, Histogram::new(Scale::Memory, memory, bytes));
    }
}
