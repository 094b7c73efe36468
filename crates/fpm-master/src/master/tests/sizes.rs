//! Pools with `pm.max_children = auto`.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::WorkerId;
use fpm_conf::{AutoChildren, Config, Pool, Reserve};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};

const MIB: u64 = 1 << 20;

/// A static pool with 2 to 20 workers on a machine with 1 GiB.
fn auto() -> Config {
    let mut config = www(20);
    let pool = &mut config.pools[0];
    pool.pm_auto_children = Some(AutoChildren {
        floor: 2,
        ceiling: 20,
    });
    pool.pm_memory_reserve = Reserve::Percent(50);
    config
}

/// All workers that there may be have served and take so much.
fn take(stage: &mut Stage, mib: u64) {
    stage.world().sizes = (1..100).map(|id| (WorkerId(id), mib * MIB)).collect();
}

fn pass(stage: &mut Stage, seconds: u64) {
    for _ in 0..seconds {
        stage.pass(Duration::from_secs(1));
        stage.settle();
    }
}

#[test]
fn a_pool_begins_small_and_grows_as_far_as_the_memory_goes() {
    let mut stage = serving(&auto());
    assert_eq!(stage.alive(), 2);
    pass(&mut stage, 20);
    assert_eq!(stage.alive(), 2, "nobody has served, nothing is known");
    take(&mut stage, 64);
    pass(&mut stage, 6);
    assert_eq!(stage.alive(), 4);
    pass(&mut stage, 60);
    assert_eq!(stage.alive(), 8);
    let lines = stage.lines();
    let said = lines.lines().filter(|line| line.contains("max_children"));
    expect![[r#"
        NOTICE [pool www] pm.max_children is 4 now, it was 2: (1024 MiB - 511 MiB in reserve - 0 MiB of other pools) / 1 pool(s) / 64.0 MiB a worker, 2 to 20 and at most twofold
        NOTICE [pool www] pm.max_children is 8 now, it was 4: (1024 MiB - 511 MiB in reserve - 0 MiB of other pools) / 1 pool(s) / 64.0 MiB a worker, 2 to 20 and at most twofold"#]]
    .assert_eq(&said.collect::<Vec<_>>().join("\n"));
}

#[test]
fn it_shrinks_at_once_when_workers_become_larger() {
    let mut stage = serving(&auto());
    take(&mut stage, 64);
    pass(&mut stage, 60);
    stage.calls();
    take(&mut stage, 128);
    pass(&mut stage, 2);
    assert_eq!(stage.calls().matches("drain worker").count(), 4);
}

#[test]
fn while_memory_is_short_the_idle_worker_that_takes_most_goes_first() {
    let mut stage = serving(&auto());
    take(&mut stage, 64);
    pass(&mut stage, 60);
    stage.calls();
    stage.lines();
    stage.world().sizes.insert(WorkerId(5), 65 * MIB);
    stage.world().memory.pressure = 50.0;
    pass(&mut stage, 2);
    assert_eq!(stage.calls(), "drain worker 5");
    stage.worker_ends(5, ExitStatus::Code(0));
    stage.settle();
    expect![[r#"
        NOTICE [pool www] memory is short, an idle child that takes 65 MiB is let go
        NOTICE [pool www] pm.max_children is 7 now, it was 8: memory is short (50.0% of 10 seconds waited for it, 10% is much), no more than the 7 there are and at least 2
        DEBUG [pool www] child 5 has been killed by the process management after 50.000000 seconds from start"#]]
    .assert_eq(&stage.lines());
    assert_eq!(stage.alive(), 7, "nobody takes its place");
    for _ in 0..20 {
        pass(&mut stage, 2);
        stage.obey();
    }
    assert_eq!(stage.alive(), 2, "the floor");
}

#[test]
fn workers_of_other_pools_come_first() {
    let mut config = auto();
    let mut other = Pool::new("other", "/run/other.sock");
    other.pm_max_children = 4;
    config.pools.push(other);
    let mut stage = serving(&config);
    take(&mut stage, 64);
    pass(&mut stage, 60);
    assert_eq!(stage.alive(), 4 + 4);
}

#[test]
fn a_reload_keeps_the_size() {
    let mut stage = serving(&auto());
    take(&mut stage, 64);
    pass(&mut stage, 60);
    stage.signal(Signal::USR2);
    stage.ready(2);
    for _ in 0..200 {
        stage.settle();
        stage.pass(Duration::from_millis(10));
        stage.obey();
    }
    assert_eq!(stage.alive(), 8);
}

#[test]
fn thousands_of_pools_are_measured_in_turns() {
    let mut config = auto();
    config.pools[0].pm_memory_reserve = Reserve::Percent(0);
    for number in 0..200 {
        let mut other = Pool::new(&format!("p{number}"), &format!("/run/{number}.sock"));
        other.pm_max_children = 2;
        config.pools.push(other);
    }
    let mut stage = serving(&config);
    stage.world().sizes = (1..1000).map(|id| (WorkerId(id), MIB)).collect();
    let look = Duration::from_secs(2);
    let mut measured = Vec::new();
    for _ in 0..7 {
        stage.pass(look);
        measured.push(stage.world().measured.take());
    }
    assert_eq!(measured, [64, 64, 64, 64, 64, 64, 64]);
    // The pool that decides has its turn again and again, and knows of the others' workers meanwhile.
    stage.world().sizes = (1..1000).map(|id| (WorkerId(id), 2 * MIB)).collect();
    pass(&mut stage, 120);
    let lines = stage.lines();
    assert!(lines.contains("- 800 MiB of other pools"), "{lines}");
}
