//! From the scoreboard to what is told, and which page is meant.

use std::os::unix::net::{UnixListener, UnixStream};

use fpm_os::relay::{Passed, Relay};
use fpm_scoreboard::{Board, Counters, SlotState};
use nix::unistd::Pid;

use super::*;

fn board() -> PoolBoard {
    let board = Board::create().unwrap();
    board.add_pool(3, &Counters::default()).unwrap().1
}

fn reported() -> Reported {
    Reported {
        name: "www".into(),
        manager: Pm::Dynamic,
        board: board(),
        listener: Arc::new(UnixStream::pair().unwrap().0.into()),
        relay: Arc::new(UnixStream::pair().unwrap().0.into()),
    }
}

fn snapshot(stage: Stage) -> SlotSnapshot {
    SlotSnapshot {
        slot: 0,
        draining: false,
        spent: None,
        state: SlotState {
            pid: Pid::from_raw(7),
            generation: 1,
            started: Duration::from_millis(90_500),
            stage,
            since: Duration::ZERO,
            requests: 3,
            accepted: Duration::from_micros(5_000_000),
            accepted_at: Duration::from_secs(100),
            duration: Duration::from_micros(200),
            cpu: Duration::from_micros(50),
            worked: Duration::from_micros(250),
            memory: 4096,
            content_length: 0,
        },
        method: b"GET".to_vec(),
        uri: b"/x".to_vec(),
        query: Vec::new(),
        script: Vec::new(),
        user: Vec::new(),
    }
}

#[test]
fn what_a_process_has_cost_is_told_when_it_is_idle() {
    let now = Now {
        monotonic: Duration::from_micros(5_000_321),
        since_1970: Duration::from_millis(100_100),
    };
    for (stage, duration, cpu, memory) in [
        (Stage::Creating, 0, 0.0, 0),
        (Stage::Accepting, 200, 20.0, 4096),
        (Stage::Resting, 200, 20.0, 4096),
        (Stage::ReadingHeaders, 321, 0.0, 0),
        (Stage::Info, 321, 0.0, 0),
        (Stage::Running, 321, 0.0, 0),
        (Stage::Finished, 321, 0.0, 0),
    ] {
        let told = process(snapshot(stage), now);
        assert_eq!(
            (told.duration, told.cpu, told.memory),
            (duration, cpu, memory),
            "{stage:?}"
        );
        assert_eq!((told.started, told.since), (90, 10));
    }
}

#[test]
fn totals_become_fields() {
    let totals = Totals {
        counters: Counters {
            started: Duration::from_secs(40),
            accepted: 1,
            abandoned: 0,
            overdue: 0,
            max_active: 2,
            max_children_reached: 3,
            slow_requests: 4,
            timed_out: 0,
            outgrown: 0,
            soft_timed_out: 0,
            rests: 0,
            max_listen_queue: 5,
            memory_peak: 6,
        },
        creating: 9,
        idle: 7,
        active: 8,
        ..Totals::default()
    };
    let now = Now {
        monotonic: Duration::ZERO,
        // The clock was set back.
        since_1970: Duration::from_secs(39),
    };
    let told = gather(&reported(), &totals, Vec::new(), now);
    let expected = PoolStatus {
        pool: b"www".to_vec(),
        manager: "dynamic",
        started: 40,
        since: 0,
        accepted: 1,
        max_listen_queue: 5,
        idle: 7,
        active: 8,
        max_active: 2,
        max_children_reached: 3,
        slow_requests: 4,
        memory_peak: 6,
        ..PoolStatus::default()
    };
    assert_eq!(told, expected);
}

#[test]
fn the_queue_is_told_as_it_is_and_the_longest_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let queue = |reported: &Reported| {
        let told = reported.status(Detail::Pool);
        (told.listen_queue, told.max_listen_queue)
    };
    let relay = Relay::create().unwrap();
    let reported = Reported {
        listener: Arc::new(listener.try_clone().unwrap().into()),
        relay: Arc::new(relay.exit().try_clone_to_owned().unwrap()),
        ..reported()
    };
    assert_eq!(queue(&reported), (0, 0));
    let _clients: Vec<_> = (0..8)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    assert_eq!(queue(&reported), (8, 8));
    let (first, _) = listener.accept().unwrap();
    assert_eq!(queue(&reported), (7, 8));
    assert_ne!(reported.board.totals().listen_queue.capacity, 0);
    // They wait for a worker as the others do.
    for expected in [(8, 8), (9, 9)] {
        assert_eq!(relay.pass(&first).unwrap(), Passed::Yes);
        assert_eq!(queue(&reported), expected);
    }
    relay::take(relay.exit()).unwrap();
    assert_eq!(queue(&reported), (8, 9));
}

#[test]
fn pages_are_found_by_the_whole_address() {
    let mut pool = Pool::new("www", "/run/x.sock");
    for uri in [None, Some("/status"), Some("")] {
        assert_eq!(page(&pool, uri.map(str::as_bytes)), None);
    }
    pool.ping_path = Some("/ping".into());
    pool.pm_status_path = Some("/status".into());
    for (uri, expected) in [
        ("/ping", Some(Page::Ping)),
        ("/status", Some(Page::Status)),
        ("/status/", None),
        ("/Status", None),
        ("/status?full", None),
        ("", None),
    ] {
        assert_eq!(page(&pool, Some(uri.as_bytes())), expected, "{uri}");
    }
    pool.pm_status_path = Some("/ping".into());
    assert_eq!(page(&pool, Some(b"/ping")), Some(Page::Ping));
    pool.pm_status_path = Some("".into());
    assert_eq!(page(&pool, Some(b"")), None);
}

#[test]
fn answers_by_method_and_format() {
    let answer =
        |method: &[u8], query: &[u8]| status(&reported(), method, query, PhpVersion::Php84);
    let head = answer(b"HEAD", b"json");
    assert_eq!(head.headers, [EXPIRES, CACHE_CONTROL]);
    assert!(head.body.is_empty());
    let posted = answer(b"POST", b"json");
    assert_eq!(
        posted.headers,
        [EXPIRES, CACHE_CONTROL, b"Content-Type: application/json"]
    );
    assert!(posted.body.starts_with(b"{\"pool\":\"www\""));
    let pong = pong(b"pong");
    assert_eq!(
        pong.headers,
        [b"Content-Type: text/plain", EXPIRES, CACHE_CONTROL]
    );
    assert_eq!(pong.body, b"pong");
}
