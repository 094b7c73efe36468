//! The zygote dies: its workers go on as the master's children until workers of a new one take their places.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::{FromZygote, WorkerId};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use nix::unistd::Pid;

use super::fake::Stage;
use super::{serving, www};
use crate::event::{Event, ZygoteId};
use crate::obituary::killed;
use crate::world::{Activity, Fate};

const KILLED: ExitStatus = killed(Signal::KILL);

#[test]
fn a_new_zygote_is_started_and_the_orphans_go_on() {
    let mut stage = serving(&www(2));
    stage.pass(Duration::from_secs(60));
    stage.play(Event::HungUp(ZygoteId(1)));
    stage.reaped(1001, KILLED);
    expect![[r#"
        SIGKILL to child 1001
        wake worker 1
        wake worker 2
        start zygote 2"#]]
    .assert_eq(&stage.calls());
    expect![[r#"
        DEBUG received SIGCHLD
        WARNING zygote 1001 of generation 1 exited on signal 9 (SIGKILL) after 60.000000 seconds from start, its 2 children go on"#]]
    .assert_eq(&stage.lines());
    assert_eq!(stage.alive(), 2);
}

#[test]
fn orphans_are_replaced_one_by_one_when_the_new_zygote_is_ready() {
    let mut stage = serving(&www(2));
    stage.reaped(1001, KILLED);
    stage.calls();
    stage.ready(2);
    assert_eq!(stage.calls(), "drain worker 1");
    stage.reaped(1, ExitStatus::Code(0));
    expect![[r#"
        release worker 1
        spawn worker 3 of pool 0 in slot 0 by zygote 2"#]]
    .assert_eq(&stage.calls());
    stage.settle();
    assert_eq!(
        stage.calls(),
        "drain worker 2",
        "the next one goes when the first has been replaced"
    );
    stage.reaped(2, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(stage.alive(), 2);
}

#[test]
fn a_quarter_of_a_large_pool_is_replaced_at_once() {
    let mut stage = serving(&www(16));
    stage.reaped(1001, KILLED);
    stage.calls();
    stage.ready(2);
    assert_eq!(stage.calls().matches("drain").count(), 4);
}

#[test]
fn an_orphan_that_dies_is_replaced_when_there_is_a_zygote_again() {
    let mut stage = serving(&www(2));
    stage.reaped(1001, KILLED);
    stage.lines();
    stage.reaped(2, KILLED);
    assert!(
        stage
            .lines()
            .contains("WARNING [pool www] child 2 exited on signal 9 (SIGKILL)")
    );
    stage.calls();
    stage.ready(2);
    expect![[r#"
        drain worker 1
        spawn worker 3 of pool 0 in slot 1 by zygote 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn a_zygote_that_dies_again_at_once_is_restarted_less_and_less_often() {
    let mut stage = serving(&www(1));
    stage.reaped(1001, KILLED);
    let mut waits = Vec::new();
    for zygote in 2..7 {
        stage.calls();
        stage.reaped(1000 + zygote, KILLED);
        let before = stage.now();
        while !stage.calls().contains("start zygote") {
            stage.pass(Duration::from_millis(500));
        }
        waits.push((stage.now() - before).as_millis());
    }
    assert_eq!(waits, [2000, 4000, 8000, 16000, 30000]);
    assert_eq!(stage.alive(), 1, "the orphan goes on");
    stage.ready(7);
    assert_eq!(stage.calls(), "drain worker 1");
}

#[test]
fn a_zygote_for_which_there_is_no_memory_is_tried_less_and_less_often() {
    let mut stage = serving(&www(1));
    stage.world().zygotes_fail = true;
    stage.lines();
    stage.reaped(1001, KILLED);
    for _ in 0..3 {
        stage.pass(Duration::from_secs(4));
    }
    expect![[r#"
        DEBUG received SIGCHLD
        WARNING zygote 1001 of generation 1 exited on signal 9 (SIGKILL) after 0.000000 seconds from start, its 1 children go on
        ERROR failed to start a zygote: fork() failed: Cannot allocate memory (12)
        WARNING next attempt to start a zygote in 2 seconds
        ERROR failed to start a zygote: fork() failed: Cannot allocate memory (12)
        WARNING next attempt to start a zygote in 4 seconds
        ERROR failed to start a zygote: fork() failed: Cannot allocate memory (12)
        WARNING next attempt to start a zygote in 8 seconds"#]]
    .assert_eq(&stage.lines());
    assert_eq!((stage.alive(), stage.outcome()), (1, None));
    stage.world().zygotes_fail = false;
    stage.pass(Duration::from_secs(30));
    stage.ready(5);
    expect![[r#"
        wake worker 1
        start zygote 5
        drain worker 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn php_that_does_not_start_again_leaves_the_orphans_serving() {
    let mut stage = serving(&www(1));
    stage.reaped(1001, KILLED);
    stage.lines();
    stage.said(
        2,
        FromZygote::Failed {
            reason: "PHP: broken php.ini".into(),
        },
    );
    stage.reaped(1002, ExitStatus::Code(70));
    let lines = stage.lines();
    assert!(
        lines.contains("ERROR zygote 1002: PHP: broken php.ini"),
        "{lines}"
    );
    assert!(
        lines.contains("WARNING next attempt to start a zygote in"),
        "{lines}"
    );
    assert_eq!((stage.alive(), stage.outcome()), (1, None));
}

#[test]
fn workers_that_were_never_reported_are_found_out_about() {
    let mut stage = Stage::new(&www(3));
    stage.start();
    stage.ready(1);
    stage.lines();
    stage
        .world()
        .fates
        .insert(WorkerId(1), Fate::Born(Pid::from_raw(501)));
    stage.world().fates.insert(WorkerId(2), Fate::Unknown);
    stage.calls();
    stage.reaped(1001, KILLED);
    expect![[r#"
        wake worker 1
        wake worker 2
        wake worker 3
        drain worker 2
        release worker 3
        start zygote 2"#]]
    .assert_eq(&stage.calls());
    stage.ready(2);
    expect!["spawn worker 4 of pool 0 in slot 2 by zygote 2"].assert_eq(&stage.calls());
    stage.world().fates.insert(WorkerId(2), Fate::Nobody);
    stage.pass(Duration::from_millis(100));
    assert!(stage.calls().contains("release worker 2"));
}

#[test]
fn whoever_stood_by_for_a_worker_that_died_idle_is_woken() {
    let mut stage = serving(&www(3));
    stage.worker_ends(1, KILLED);
    assert!(stage.calls().contains("wake worker 2\nwake worker 3"));
    // Those that were at work, and those that ended in peace, have left nobody who counts on them.
    stage.world().activities.insert(WorkerId(2), Activity::Busy);
    stage.worker_ends(2, KILLED);
    stage.worker_ends(3, ExitStatus::Code(0));
    assert!(!stage.calls().contains("wake"));
}
