//! Decisions as tables, then long random lives of pools.

use std::collections::BTreeMap;
use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool};
use proptest::prelude::*;

use super::*;

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
        leaving: 0,
        idle,
        longest_idle,
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
    assert!(!manager.wants_ticks() && !manager.wants_connections());
    assert_eq!(manager.on_tick(&census(1, 0)), Decision::default());
    assert_eq!(
        manager.on_connections(&census(1, 0), 3),
        Decision::default()
    );
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
fn ondemand_forks_for_every_connection_that_nobody_will_take() {
    let mut manager = ondemand(5);
    for (running, idle, waiting, step) in [
        (0, 0, 1, Step::Spawn(1)),
        (1, 1, 1, Step::Keep),
        (1, 0, 3, Step::Spawn(3)),
        (2, 1, 9, Step::Spawn(3)),
        (5, 0, 1, Step::Keep),
        (3, 0, 0, Step::Keep),
    ] {
        let decision = manager.on_connections(&census(running, idle), waiting);
        assert_eq!(
            decision.step, step,
            "{waiting} waiting, {idle} of {running} idle"
        );
    }
}

#[test]
fn ondemand_reports_saturation_once_until_it_could_fork_again() {
    let mut manager = ondemand(2);
    let full = Some(Notice::MaxChildrenOndemand { max_children: 2 });
    let notices: Vec<_> = [2, 2, 1, 2]
        .map(|running| manager.on_connections(&census(running, 0), 1).notice)
        .to_vec();
    assert_eq!(notices, [full, None, None, full]);
}

#[test]
fn ondemand_lets_go_who_waited_longer_than_the_timeout() {
    let mut manager = ondemand(5);
    for (waited, step) in [(10, Step::Keep), (11, Step::Retire(WorkerId(1)))] {
        let longest_idle = Some(Idle {
            worker: WorkerId(1),
            since: SECOND * waited,
        });
        let census = Census {
            running: 3,
            leaving: 0,
            idle: 1,
            longest_idle,
        };
        assert_eq!(manager.on_tick(&census).step, step);
    }
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

/// A pool with simulated workers: each is busy until a moment, or idle since one. One unit of time is one tick.
struct Simulation {
    manager: ProcessManager,
    max_children: u32,
    /// Moment until which each worker is busy; in the past since when it is idle.
    workers: BTreeMap<WorkerId, u32>,
    last_id: u64,
    now: u32,
}

impl Simulation {
    fn new(manager: ProcessManager, max_children: u32) -> Simulation {
        let initial = manager.initial();
        let mut simulation = Simulation {
            manager,
            max_children,
            workers: BTreeMap::new(),
            last_id: 0,
            now: 0,
        };
        simulation.carry_out(Step::Spawn(initial));
        simulation
    }

    fn census(&self) -> Census {
        let idle = self.workers.iter().filter(|(_, until)| **until <= self.now);
        let longest = idle.clone().min_by_key(|(_, until)| **until);
        Census {
            running: u32::try_from(self.workers.len()).unwrap(),
            leaving: 0,
            idle: u32::try_from(idle.count()).unwrap(),
            longest_idle: longest.map(|(worker, until)| Idle {
                worker: *worker,
                since: SECOND * (self.now - until),
            }),
        }
    }

    /// Idle workers take requests of this length; what nobody can take waits and is reported.
    fn arrive(&mut self, requests: u32, length: u32) {
        let mut waiting = requests;
        for round in 0..2 {
            for until in self
                .workers
                .values_mut()
                .filter(|until| **until <= self.now)
            {
                if waiting > 0 {
                    *until = self.now + length;
                    waiting -= 1;
                }
            }
            if round == 0 && waiting > 0 {
                let census = self.census();
                let decision = self.manager.on_connections(&census, waiting);
                self.carry_out(decision.step);
            }
        }
    }

    fn tick(&mut self) {
        self.now += 1;
        let census = self.census();
        let decision = self.manager.on_tick(&census);
        self.carry_out(decision.step);
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Keep => {}
            Step::Spawn(count) => {
                for _ in 0..count {
                    self.last_id += 1;
                    self.workers.insert(WorkerId(self.last_id), self.now);
                }
            }
            Step::Retire(worker) => {
                let until = self
                    .workers
                    .remove(&worker)
                    .expect("only workers that exist are let go");
                assert!(until <= self.now, "never lets a busy worker go");
            }
        }
        let running = u32::try_from(self.workers.len()).unwrap();
        assert!(running <= self.max_children, "never above pm.max_children");
    }
}

proptest! {
    #[test]
    fn a_dynamic_pool_keeps_its_limits_and_returns_to_its_band(
        (max_children, min_spare, max_spare) in (2_u32..60).prop_flat_map(|max| {
            (1..max).prop_flat_map(move |min| (Just(max), Just(min), min..max))
        }),
        load in prop::collection::vec((0_u32..20, 1_u32..10), 0..200),
    ) {
        let mut pool = Simulation::new(dynamic(max_children, min_spare, max_spare), max_children);
        for (requests, length) in load {
            pool.arrive(requests, length);
            pool.tick();
        }
        // All requests end and the surplus leaves one by one.
        for _ in 0..10 + max_children {
            pool.tick();
        }
        let idle = pool.census().idle;
        prop_assert!((min_spare..=max_spare).contains(&idle), "{idle}");
    }

    #[test]
    fn an_ondemand_pool_meets_a_burst_at_once_and_shrinks_to_nothing(
        max_children in 1_u32..60,
        load in prop::collection::vec((0_u32..80, 1_u32..30), 0..200),
    ) {
        let mut pool = Simulation::new(ondemand(max_children), max_children);
        for (requests, length) in load {
            let busy = pool.census().running - pool.census().idle;
            pool.arrive(requests, length);
            let census = pool.census();
            prop_assert!(census.running - census.idle >= (busy + requests).min(max_children));
            pool.tick();
        }
        for _ in 0..30 + 11 + max_children {
            pool.tick();
        }
        prop_assert_eq!(pool.census().running, 0);
    }
}
