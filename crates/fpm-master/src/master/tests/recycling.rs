//! Workers that have served their share.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::WorkerId;
use fpm_channel::worker::FromWorker;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};
use crate::event::Event;

/// A master with four workers, which have a share.
fn recycling() -> Stage {
    let mut config = www(4);
    config.pools[0].pm_max_requests = 100;
    serving(&config)
}

fn is_spent(stage: &mut Stage, worker: u64) {
    stage.play(Event::WorkerSaid(WorkerId(worker), FromWorker::Spent));
}

#[test]
fn the_next_worker_is_forked_before_the_last_one_has_ended() {
    let mut stage = recycling();
    is_spent(&mut stage, 2);
    stage.settle();
    assert_eq!(stage.alive(), 5);
    // It may say so as often as it likes.
    is_spent(&mut stage, 2);
    stage.worker_ends(2, ExitStatus::Code(0));
    expect![[r#"
        spawn worker 5 of pool 0 in slot 4 by zygote 1
        release worker 2"#]]
    .assert_eq(&stage.calls());
    expect![[r#"
        NOTICE [pool www] child 5 started
        NOTICE [pool www] child 2 exited with code 0 after 0.000000 seconds from start"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn no_more_are_replaced_ahead_than_there_are_spare_slots() {
    let mut stage = recycling();
    is_spent(&mut stage, 1);
    is_spent(&mut stage, 2);
    stage.settle();
    assert_eq!(stage.alive(), 5);
    stage.worker_ends(2, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(stage.alive(), 5, "replaced when it has ended");
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(stage.alive(), 4, "there was one for it already");
    // The slot is spare again.
    is_spent(&mut stage, 3);
    stage.settle();
    assert_eq!(stage.alive(), 5);
}

#[test]
fn a_worker_that_says_it_without_a_share_is_not_believed() {
    let mut stage = serving(&www(4));
    is_spent(&mut stage, 1);
    stage.settle();
    assert_eq!(stage.alive(), 4);
}

#[test]
fn nobody_is_replaced_while_all_leave() {
    let mut stage = recycling();
    stage.signal(Signal::QUIT);
    is_spent(&mut stage, 1);
    assert!(!stage.calls().contains("spawn"));
    for worker in 1..=4 {
        stage.worker_ends(worker, ExitStatus::Code(0));
    }
    stage.reaped(1001, ExitStatus::Code(0));
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
}

#[test]
fn a_reload_finds_its_way_among_spent_workers() {
    let mut stage = recycling();
    is_spent(&mut stage, 1);
    stage.settle();
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.worker_ends(1, ExitStatus::Code(0));
    for _ in 0..20 {
        stage.settle();
        stage.pass(Duration::from_millis(20));
        stage.obey();
    }
    assert_eq!(stage.alive(), 4);
    assert!(stage.lines().contains("generation 2"));
}
