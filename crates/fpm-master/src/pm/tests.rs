//! Decisions as tables; long random lives of pools are in `simulation`.

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool, PoolIndex};

use super::*;

mod looks;
mod simulation;

const SECOND: Duration = Duration::from_secs(1);

fn dynamic(max_children: u32, min_spare: u32, max_spare: u32) -> ProcessManager {
    let mut pool = Pool::new("www", "/run/www.sock");
    (pool.pm, pool.pm_max_children) = (Pm::Dynamic, max_children);
    (pool.pm_min_spare_servers, pool.pm_max_spare_servers) = (min_spare, max_spare);
    pool.pm_start_servers = min_spare;
    ProcessManager::new(&pool)
}

fn ondemand(max_children: u32) -> ProcessManager {
    let mut pool = Pool::new("www", "/run/www.sock");
    (pool.pm, pool.pm_max_children) = (Pm::Ondemand, max_children);
    ProcessManager::new(&pool)
}

fn census(running: u32, idle: u32) -> Census {
    let longest_idle = (idle > 0).then_some(Idle {
        worker: WorkerId(7),
        since: SECOND * 5,
    });
    Census {
        running,
        idle,
        longest_idle,
        ..Census::default()
    }
}

#[test]
fn each_kind_starts_as_configured() {
    let mut pool = Pool::new("www", "/run/www.sock");
    pool.pm_max_children = 5;
    assert_eq!(ProcessManager::new(&pool).initial(), 5);
    assert_eq!(dynamic(5, 2, 3).initial(), 2);
    assert_eq!(ondemand(5).initial(), 0);
}

#[test]
fn static_has_nothing_to_decide() {
    let mut manager = ProcessManager::new(&Pool::new("www", "/run/www.sock"));
    assert!(!manager.wants_ticks(1) && !manager.wants_connections());
    assert_eq!(manager.on_tick(&census(1, 0)), Decision::default());
    assert_eq!(
        manager.on_queue(&census(1, 0), 3, Look::Arrival),
        Decision::default()
    );
}

#[test]
fn a_pool_without_workers_that_may_stay_without_them_sleeps() {
    assert!(dynamic(5, 2, 3).wants_ticks(0));
    assert!(!ondemand(5).wants_ticks(0));
    assert!(ondemand(5).wants_ticks(1));
}

#[test]
fn dynamic_doubles_its_rate_and_warns_from_eight_on() {
    let mut manager = dynamic(200, 100, 150);
    let mut steps = Vec::new();
    let mut running = 0;
    for _ in 0..5 {
        let decision = manager.on_tick(&census(running, 0));
        let Step::Spawn(count) = decision.step else {
            panic!("{decision:?}")
        };
        running += count;
        steps.push((count, decision.notice));
    }
    let busy = |rate, running| {
        Some(Notice::SeemsBusy {
            rate,
            idle: 0,
            running,
        })
    };
    assert_eq!(
        steps,
        [
            (1, None),
            (2, None),
            (4, None),
            (8, busy(8, 7)),
            (16, busy(16, 15))
        ]
    );
    assert_eq!(manager.on_tick(&census(running, 120)).step, Step::Keep);
    assert_eq!(
        manager.on_tick(&census(running, 0)).step,
        Step::Spawn(1),
        "it starts again at 1"
    );
}

#[test]
fn dynamic_never_forks_more_at_once_than_the_rate() {
    let mut pool = Pool::new("www", "/run/www.sock");
    (pool.pm, pool.pm_max_children, pool.pm_max_spawn_rate) = (Pm::Dynamic, 200, 5);
    (pool.pm_min_spare_servers, pool.pm_max_spare_servers) = (100, 150);
    let mut manager = ProcessManager::new(&pool);
    let counts = [0; 6].map(|_| match manager.on_tick(&census(20, 0)) {
        Decision {
            step: Step::Spawn(count),
            notice,
            ..
        } => (count, notice.is_some()),
        other => panic!("{other:?}"),
    });
    // The original forks 8 from the fourth second on, and warns from then on too.
    let expected = [1, 2, 4, 5, 5, 5].map(|count| (count, false));
    assert_eq!(counts[..3], expected[..3]);
    assert_eq!(counts[3..], [(5, true); 3]);
}

#[test]
fn dynamic_waits_for_workers_that_are_being_forked() {
    let mut manager = dynamic(10, 3, 5);
    let starting = Census {
        starting: 2,
        ..census(6, 1)
    };
    assert_eq!(manager.on_tick(&starting).step, Step::Keep);
}

#[test]
fn dynamic_forks_no_more_than_are_missing_or_allowed() {
    let mut manager = dynamic(10, 3, 5);
    for _ in 0..4 {
        manager.on_tick(&census(2, 0));
    }
    assert_eq!(manager.on_tick(&census(5, 2)).step, Step::Spawn(1));
    let leaving = Census {
        leaving: 1,
        ..census(8, 0)
    };
    assert_eq!(manager.on_tick(&leaving).step, Step::Spawn(1));
}

#[test]
fn dynamic_reports_saturation_once_until_it_could_fork_again() {
    let mut manager = dynamic(4, 2, 3);
    let full = Some(Notice::MaxChildrenDynamic { max_children: 4 });
    let notices: Vec<_> = [4, 4, 3, 4]
        .map(|running| manager.on_tick(&census(running, 0)).notice)
        .to_vec();
    assert_eq!(notices, [full, None, None, full]);
}

#[test]
fn dynamic_lets_one_surplus_worker_go_at_a_time() {
    let mut manager = dynamic(10, 2, 4);
    assert_eq!(
        manager.on_tick(&census(9, 5)).step,
        Step::Retire(WorkerId(7))
    );
    assert_eq!(manager.on_tick(&census(8, 4)).step, Step::Keep);
}

#[test]
fn the_pool_of_a_status_address_never_complains() {
    let mut pool = Pool::new("www_status", "/run/status.sock");
    (pool.pm, pool.pm_max_children) = (Pm::Ondemand, 2);
    pool.status_of = Some(PoolIndex(0));
    let mut manager = ProcessManager::new(&pool);
    for _ in 0..10 {
        let decision = manager.on_queue(&census(2, 0), 1, Look::Again);
        assert_eq!((decision.step, decision.notice), (Step::Keep, None));
    }
}

#[test]
fn ondemand_forks_for_every_connection_that_nobody_will_take() {
    for (running, starting, idle, waiting, step) in [
        (0, 0, 0, 1, Step::Spawn(1)),
        (0, 0, 0, 50, Step::Spawn(5)),
        (1, 0, 1, 1, Step::Keep),
        (1, 0, 0, 3, Step::Spawn(3)),
        (1, 1, 0, 3, Step::Spawn(2)),
        (2, 0, 1, 9, Step::Spawn(3)),
        (3, 2, 1, 3, Step::Keep),
        (5, 0, 0, 1, Step::Keep),
        (3, 0, 0, 0, Step::Keep),
    ] {
        let census = Census {
            starting,
            ..census(running, idle)
        };
        let decision = ondemand(5).on_queue(&census, waiting, Look::Arrival);
        assert_eq!(
            decision.step, step,
            "{waiting} waiting, {idle} of {running} idle, {starting} starting"
        );
    }
}

#[test]
fn ondemand_looks_again_until_nobody_waits() {
    let mut manager = ondemand(5);
    let decision = manager.on_queue(&census(0, 0), 1, Look::Arrival);
    assert_eq!(decision.look_again, Some(Duration::from_millis(10)));
    let starting = Census {
        starting: 1,
        ..census(1, 0)
    };
    for (waiting, delay) in [(1, Some(20)), (1, Some(40)), (0, None), (1, Some(10))] {
        let decision = manager.on_queue(&starting, waiting, Look::Again);
        assert_eq!(decision.step, Step::Keep);
        assert_eq!(decision.look_again, delay.map(Duration::from_millis));
    }
    let mut full = || manager.on_queue(&census(5, 0), 1, Look::Again).look_again;
    let delays = [Some(20), Some(40), Some(80), None].map(|delay| delay.map(Duration::from_millis));
    assert_eq!(
        [(); 4].map(|()| full()),
        delays,
        "whoever is ready first takes it"
    );
}

#[test]
fn ondemand_does_not_count_on_idle_workers_that_take_nothing() {
    let accepted = |accepted| Census {
        accepted,
        ..census(1, 1)
    };
    let mut manager = ondemand(5);
    let mut look =
        |accepted_so_far, look| manager.on_queue(&accepted(accepted_so_far), 1, look).step;
    assert_eq!(look(7, Look::Arrival), Step::Keep);
    assert_eq!(look(7, Look::Arrival), Step::Keep, "it has had no time yet");
    assert_eq!(look(8, Look::Again), Step::Keep, "the queue moves");
    assert_eq!(look(8, Look::Again), Step::Spawn(1));
}

#[test]
fn ondemand_reports_saturation_once_until_it_could_fork_again() {
    let mut manager = ondemand(2);
    let full = Some(Notice::MaxChildrenOndemand { max_children: 2 });
    let mut look = |running, look| manager.on_queue(&census(running, 0), 1, look).notice;
    for (running, expected) in [(2, full), (2, None), (1, None), (2, full)] {
        // A worker may just be about to become idle.
        assert_eq!(look(running, Look::Arrival), None);
        let later = [(); 4].map(|()| look(running, Look::Again));
        assert_eq!(later, [None, None, None, expected], "{running} running");
    }
    // The original complains of this too.
    let mut manager = ondemand(2);
    let decision = manager.on_queue(&census(2, 1), 1, Look::Arrival);
    assert_eq!(decision.notice, None, "an idle worker will take it");
}

#[test]
fn ondemand_lets_go_who_waited_longer_than_the_timeout() {
    let waited = |seconds| {
        Some(Idle {
            worker: WorkerId(1),
            since: SECOND * seconds,
        })
    };
    for (idle, resting, step) in [
        (waited(10), waited(10), Step::Keep),
        (waited(11), None, Step::RetireIdle(SECOND * 10)),
        (waited(1), waited(11), Step::RetireIdle(SECOND * 10)),
    ] {
        let census = Census {
            running: 3,
            longest_idle: idle,
            longest_resting: resting,
            ..Census::default()
        };
        assert_eq!(ondemand(5).on_tick(&census).step, step);
    }
}

#[test]
fn accounts_read_as_the_originals() {
    let census = Census {
        leaving: 1,
        ..census(7, 2)
    };
    assert_eq!(
        dynamic(10, 2, 4).account(&census).to_string(),
        "currently 5 active children, 2 spare children, 8 running children. Spawning rate 1"
    );
    assert_eq!(
        ondemand(10).account(&census).to_string(),
        "currently 5 active children, 2 spare children"
    );
}

#[test]
fn notices_read_as_the_originals() {
    for (notice, text) in [
        (
            Notice::MaxChildrenDynamic { max_children: 5 },
            "server reached pm.max_children setting (5), consider raising it",
        ),
        (
            Notice::MaxChildrenOndemand { max_children: 5 },
            "server reached max_children setting (5), consider raising it",
        ),
        (
            Notice::SeemsBusy {
                rate: 8,
                idle: 1,
                running: 20,
            },
            "seems busy (you may need to increase pm.start_servers, or pm.min/max_spare_servers), \
             spawning 8 children, there are 1 idle, and 20 total children",
        ),
    ] {
        assert_eq!(notice.to_string(), text);
    }
}
