//! Pools whose workers crash more often than `pm.crash_budget` allows.

use std::time::Duration;

use expect_test::expect;
use fpm_conf::{CrashBudget, Pm, Pool};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};
use crate::obituary::killed;

const CRASH: ExitStatus = killed(Signal::SEGV);

const SECOND: Duration = Duration::from_secs(1);

/// Three workers, two of which may crash in ten seconds.
fn crashing() -> Stage {
    let mut config = www(3);
    config.pools[0].pm_crash_budget = Some(CrashBudget {
        crashes: 2,
        seconds: 10,
    });
    serving(&config)
}

/// Lets these workers crash, one after the other.
fn crash(stage: &mut Stage, workers: impl IntoIterator<Item = u64>) {
    for worker in workers {
        stage.worker_ends(worker, CRASH);
        stage.settle();
    }
}

fn pass(stage: &mut Stage, seconds: u32) {
    for _ in 0..seconds {
        stage.pass(SECOND);
        stage.settle();
    }
}

#[test]
fn a_pool_whose_workers_crash_too_often_rests_and_gets_all_of_them_back() {
    let mut stage = crashing();
    crash(&mut stage, [1, 2]);
    assert_eq!(stage.alive(), 3, "the budget allows it");
    stage.lines();
    stage.calls();
    crash(&mut stage, [3]);
    assert_eq!(stage.alive(), 2, "the others serve on");
    assert!(stage.calls().contains("count a rest of pool 0"));
    pass(&mut stage, 1);
    assert_eq!(stage.alive(), 3);
    crash(&mut stage, [4, 5, 6]);
    assert_eq!(stage.alive(), 0);
    pass(&mut stage, 1);
    assert_eq!(stage.alive(), 0, "twice as long");
    pass(&mut stage, 1);
    assert_eq!(stage.alive(), 3);
    pass(&mut stage, 10);
    let lines = stage.lines();
    let said = lines.lines().filter(|line| !line.contains(" child "));
    expect![[r#"
        ERROR [pool www] more than 2 children crashed in 10 sec (pm.crash_budget), the last on signal 11 (SIGSEGV): no new ones for 1 sec
        NOTICE [pool www] gets new children again
        ERROR [pool www] more than 2 children crashed in 10 sec (pm.crash_budget), the last on signal 11 (SIGSEGV): no new ones for 2 sec
        NOTICE [pool www] gets new children again
        NOTICE [pool www] children have ceased to crash, pm.crash_budget is whole again"#]]
    .assert_eq(&said.collect::<Vec<_>>().join("\n"));
    crash(&mut stage, [7, 8]);
    assert_eq!(stage.alive(), 3);
}

#[test]
fn ends_that_are_no_crashes_cost_nothing() {
    let mut stage = crashing();
    for worker in 1..=9 {
        stage.worker_ends(worker, ExitStatus::Code(255));
        stage.settle();
    }
    assert_eq!(stage.alive(), 3);
    assert!(!stage.lines().contains("crash_budget"));
}

#[test]
fn other_pools_notice_nothing() {
    let mut config = www(1);
    config.pools[0].pm_crash_budget = Some(CrashBudget {
        crashes: 0,
        seconds: 10,
    });
    config.pools.push(Pool::new("api", "/run/api.sock"));
    let mut stage = serving(&config);
    crash(&mut stage, [1]);
    assert_eq!(stage.alive(), 1);
    crash(&mut stage, [2]);
    assert_eq!(stage.alive(), 1, "the other pool has a new one");
}

#[test]
fn a_reload_gives_a_whole_budget() {
    let mut stage = crashing();
    crash(&mut stage, [1, 2, 3, 4]);
    assert_eq!(stage.alive(), 1);
    let next = www(3);
    stage.world().next = Some(next);
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    pass(&mut stage, 5);
    assert!(stage.alive() >= 3);
}

#[test]
fn dynamic_and_ondemand_pools_rest_too() {
    for pm in [Pm::Dynamic, Pm::Ondemand] {
        let mut config = www(3);
        let pool = &mut config.pools[0];
        (pool.pm, pool.pm_start_servers) = (pm, 2);
        (pool.pm_min_spare_servers, pool.pm_max_spare_servers) = (2, 3);
        pool.pm_crash_budget = Some(CrashBudget {
            crashes: 0,
            seconds: 60,
        });
        let mut stage = serving(&config);
        stage.world().waiting = 1;
        if pm == Pm::Ondemand {
            stage.connection();
            stage.settle();
        }
        let before = stage.alive();
        assert!(before > 0, "{pm:?}");
        crash(&mut stage, [1]);
        stage.connection();
        pass(&mut stage, 0);
        assert_eq!(stage.alive(), before - 1, "{pm:?}");
        pass(&mut stage, 3);
        assert!(stage.alive() >= before, "{pm:?}");
    }
}
