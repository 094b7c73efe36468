//! Crashes that make the master reload.

use expect_test::expect;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};
use crate::obituary::killed;

const CRASH: ExitStatus = killed(Signal::SEGV);

/// A master that reloads after two crashes in a minute.
fn nervous() -> Stage {
    let mut config = www(2);
    config.global.emergency_restart_threshold = 2;
    config.global.emergency_restart_interval = 60;
    serving(&config)
}

fn reloads(stage: &mut Stage) -> usize {
    stage.calls().matches("prepare generation").count()
}

#[test]
fn as_many_crashes_as_the_threshold_says_begin_a_reload() {
    let mut stage = nervous();
    stage.worker_ends(1, CRASH);
    stage.settle();
    assert_eq!(reloads(&mut stage), 0);
    stage.lines();
    stage.worker_ends(2, CRASH);
    expect![[r#"
        WARNING [pool www] child 2 exited on signal 11 (SIGSEGV) after 0.000000 seconds from start
        WARNING failed processes threshold (2 in 60 sec) is reached, initiating reload
        NOTICE reloading: generation 2"#]]
    .assert_eq(&stage.lines());
    assert_eq!(reloads(&mut stage), 1);
    stage.settle();
    assert_eq!(stage.alive(), 2, "they are replaced all the same");
}

#[test]
fn crashes_of_a_generation_that_is_being_replaced_ask_for_nothing_more() {
    let mut stage = nervous();
    for worker in 1..=6 {
        stage.worker_ends(worker, CRASH);
        stage.settle();
    }
    assert_eq!(reloads(&mut stage), 1);
    stage.ready(2);
    stage.settle();
    assert!(stage.calls().contains("generation 2 serves"));
    // The rest of generation 1 crashes.
    stage.worker_ends(7, CRASH);
    stage.worker_ends(8, CRASH);
    stage.settle();
    assert_eq!(reloads(&mut stage), 0);
}

#[test]
fn a_reload_that_fails_is_tried_again_after_as_many_crashes() {
    let mut stage = nervous();
    stage.world().next = None;
    for (worker, prepared) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        stage.worker_ends(worker, CRASH);
        stage.settle();
        assert_eq!(reloads(&mut stage), prepared, "crash of worker {worker}");
    }
}
