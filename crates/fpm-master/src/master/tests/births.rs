//! Workers that die at start, forks that fail, dynamic pools.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool};
use fpm_os::wait::ExitStatus;
use nix::errno::Errno;

use super::fake::Stage;
use super::{serving, www};
use crate::world::Activity;

#[test]
fn workers_that_die_at_start_are_tried_less_and_less_often() {
    let mut stage = Stage::new(&www(2));
    stage.world().default_activity = Activity::Starting;
    stage.start();
    stage.ready(1);
    stage.settle();
    stage.lines();
    stage.worker_ends(1, ExitStatus::Code(70));
    stage.worker_ends(2, ExitStatus::Code(70));
    stage.settle();
    assert_eq!(
        stage.alive(),
        0,
        "nothing is forked before the delay is over"
    );
    let mut tries = Vec::new();
    for worker in 3..8 {
        let before = stage.now();
        while stage.alive() == 0 {
            stage.pass(Duration::from_millis(100));
            stage.settle();
        }
        assert_eq!(stage.alive(), 1, "one at a time");
        tries.push((stage.now() - before).as_millis());
        stage.worker_ends(worker, ExitStatus::Code(70));
    }
    assert_eq!(tries, [100, 200, 400, 800, 1600]);
    let lines = stage.lines();
    let said = lines.lines().filter(|line| line.contains("next attempt"));
    expect![[r#"
        WARNING [pool www] children end before they can serve, next attempt in 0.1 seconds
        WARNING [pool www] children end before they can serve, next attempt in 0.2 seconds
        WARNING [pool www] children end before they can serve, next attempt in 0.4 seconds
        WARNING [pool www] children end before they can serve, next attempt in 0.8 seconds
        WARNING [pool www] children end before they can serve, next attempt in 1.6 seconds
        WARNING [pool www] children end before they can serve, next attempt in 3.2 seconds"#]]
    .assert_eq(&said.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_rest_follows_when_the_one_that_was_tried_serves() {
    let mut stage = Stage::new(&www(3));
    stage.world().default_activity = Activity::Starting;
    stage.start();
    stage.ready(1);
    stage.settle();
    for worker in 1..=3 {
        stage.worker_ends(worker, ExitStatus::Code(70));
    }
    stage.pass(Duration::from_millis(100));
    stage.settle();
    assert_eq!(stage.alive(), 1);
    stage.pass(Duration::from_secs(1));
    stage.settle();
    assert_eq!(stage.alive(), 1, "it has not got as far as serving");
    let now = stage.now();
    stage.world().default_activity = Activity::Idle { since: now };
    stage.pass(Duration::from_secs(1));
    stage.settle();
    assert_eq!(stage.alive(), 3);
}

#[test]
fn a_pool_that_cannot_start_costs_the_others_nothing() {
    let mut config = www(1);
    config.pools.push(Pool::new("sick", "/run/sick.sock"));
    let mut stage = serving(&config);
    stage
        .world()
        .activities
        .insert(WorkerId(2), Activity::Starting);
    stage.worker_ends(2, ExitStatus::Code(70));
    stage.worker_ends(1, ExitStatus::Code(0));
    let calls = stage.calls();
    assert!(calls.contains("spawn worker 3 of pool 0"), "{calls}");
    assert!(!calls.contains("of pool 1"), "{calls}");
}

#[test]
fn a_worker_killed_after_it_served_is_replaced_at_once() {
    let mut stage = serving(&www(1));
    for worker in 1..50 {
        stage.worker_ends(worker, ExitStatus::Code(255));
        stage.settle();
        assert_eq!(stage.alive(), 1);
    }
}

#[test]
fn a_fork_that_fails_is_tried_again_later() {
    for (errno, told) in [
        (Errno::EAGAIN, "Resource temporarily unavailable (11)"),
        (Errno::ENOMEM, "Cannot allocate memory (12)"),
    ] {
        let mut stage = Stage::new(&www(3));
        stage.start();
        stage.ready(1);
        stage.lines();
        stage.fork_fails(errno);
        stage.fork_fails(errno);
        stage.settle();
        let lines = stage.lines();
        let after = lines.strip_prefix(&format!("ERROR fork() failed: {told}\n"));
        expect![[r#"
            WARNING next attempt to fork in 0.1 seconds
            DEBUG [pool www] child 3 started
            NOTICE ready to handle connections
            DEBUG have notify start to systemd
            NOTICE systemd monitor interval set to 10000ms"#]]
        .assert_eq(after.unwrap_or(&lines));
        assert_eq!(stage.alive(), 1, "it serves with what it has");
        stage.pass(Duration::from_millis(100));
        stage.settle();
        assert_eq!(stage.alive(), 3);
    }
}

#[test]
fn no_descriptors_left_is_a_fork_that_fails() {
    let mut stage = Stage::new(&www(1));
    stage.world().spawns_fail = true;
    stage.start();
    stage.ready(1);
    assert!(
        stage
            .lines()
            .contains("ERROR fork() failed: Too many open files (24)")
    );
    stage.world().spawns_fail = false;
    stage.pass(Duration::from_millis(100));
    stage.settle();
    assert_eq!(stage.alive(), 1);
}

#[test]
fn births_under_way_are_limited() {
    let mut stage = Stage::new(&www(100));
    stage.start();
    stage.ready(1);
    assert_eq!(stage.calls().matches("spawn").count(), 32);
    stage.settle();
    assert_eq!(stage.alive(), 100);
}

#[test]
fn a_dynamic_pool_follows_the_load() {
    let mut config = www(8);
    let pool = &mut config.pools[0];
    pool.pm = Pm::Dynamic;
    (
        pool.pm_start_servers,
        pool.pm_min_spare_servers,
        pool.pm_max_spare_servers,
    ) = (2, 1, 3);
    let mut stage = serving(&config);
    assert_eq!(stage.alive(), 2);
    stage.world().default_activity = Activity::Busy;
    for expected in [3, 4, 5, 6] {
        stage.pass(Duration::from_secs(1));
        stage.settle();
        assert_eq!(stage.alive(), expected);
    }
    let now = stage.now();
    stage.world().default_activity = Activity::Idle { since: now };
    stage.calls();
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.calls(), "drain worker 1");
    stage.lines();
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(stage.alive(), 5, "who was let go is not replaced");
    assert!(
        stage
            .lines()
            .contains("DEBUG [pool www] child 1 has been killed by the process management after")
    );
}
