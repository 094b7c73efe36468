//! Ondemand pools: connections that wait, workers that are forked for them and time out.

use std::time::Duration;

use fpm_conf::{Config, Pm};
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::www;
use crate::world::Activity;

fn ondemand(max_children: u32) -> Config {
    let mut config = www(max_children);
    config.pools[0].pm = Pm::Ondemand;
    config
}

#[test]
fn an_ondemand_pool_forks_when_a_connection_waits() {
    let mut config = ondemand(2);
    config.pools[0].pm_process_idle_timeout = 10;
    let mut stage = Stage::new(&config);
    stage.world().default_activity = Activity::Busy;
    stage.start();
    stage.ready(1);
    assert!(stage.calls().contains("watch the sockets of pool 0"));
    assert!(stage.lines().contains("NOTICE ready to handle connections"));
    assert_eq!(stage.next_timer(), None, "a pool without workers sleeps");
    stage.world().waiting = 1;
    for expected in [1, 2, 2] {
        stage.connection();
        stage.settle();
        assert_eq!(stage.alive(), expected);
        stage.pass(Duration::from_millis(2));
    }
    stage.pass(Duration::from_millis(200));
    let warning = "WARNING [pool www] server reached max_children setting (2), consider raising it";
    assert_eq!(stage.lines().matches(warning).count(), 1);
    assert!(
        stage
            .calls()
            .contains("count max children reached of pool 0")
    );
    stage.world().waiting = 0;
    let now = stage.now();
    stage.world().default_activity = Activity::Idle { since: now };
    stage.pass(Duration::from_secs(10));
    assert_eq!(stage.calls(), "");
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.calls(), "drain worker 1\ndrain worker 2");
}

#[test]
fn a_burst_on_an_ondemand_pool_is_met_at_once() {
    let mut stage = Stage::new(&ondemand(60));
    stage.start();
    stage.ready(1);
    // The kernel tells of fifty arrivals once.
    stage.world().waiting = 50;
    stage.connection();
    stage.connection();
    stage.settle();
    assert_eq!(stage.alive(), 50);
}

#[test]
fn a_connection_that_no_idle_worker_takes_gets_a_worker_of_its_own() {
    let mut stage = Stage::new(&ondemand(5));
    stage.start();
    stage.ready(1);
    stage.world().waiting = 1;
    stage.connection();
    stage.settle();
    let now = stage.now();
    stage.world().default_activity = Activity::Idle {
        since: now + Duration::from_millis(5),
    };
    stage.pass(Duration::from_millis(10));
    stage.settle();
    assert_eq!(stage.alive(), 1, "it has just become idle");
    stage.pass(Duration::from_millis(20));
    stage.settle();
    assert_eq!(stage.alive(), 2, "it is stopped, or serves another client");
}

#[test]
fn a_connection_that_found_only_a_leaving_worker_is_not_forgotten() {
    let mut config = ondemand(1);
    config.pools[0].pm_process_idle_timeout = 1;
    let mut stage = Stage::new(&config);
    stage.start();
    stage.ready(1);
    stage.world().waiting = 1;
    stage.connection();
    stage.settle();
    stage.world().waiting = 0;
    stage.pass(Duration::from_secs(3));
    assert!(stage.calls().ends_with("drain worker 1"));
    // It arrives when the worker has decided to go, and cannot be served while that one is there.
    stage.world().waiting = 1;
    stage.connection();
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.pass(Duration::from_millis(2));
    stage.settle();
    assert_eq!(stage.alive(), 1);
}
