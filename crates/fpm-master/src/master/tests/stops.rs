//! TERM, INT, QUIT and what comes after them.

use std::time::Duration;

use expect_test::expect;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};
use crate::obituary::killed;

const TERMINATED: ExitStatus = killed(Signal::TERM);

#[test]
fn term_ends_it_fast() {
    let mut stage = serving(&www(2));
    stage.signal(Signal::TERM);
    stage.pass(Duration::ZERO);
    stage.worker_ends(2, TERMINATED);
    stage.worker_ends(1, TERMINATED);
    assert_eq!(stage.outcome(), None, "the zygote is still there");
    stage.reaped(1001, ExitStatus::Code(0));
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
    expect![[r#"
        quit zygote 1
        SIGTERM to worker 2 through zygote 1
        SIGTERM to worker 1 through zygote 1
        SIGKILL to worker 2 through zygote 1
        SIGKILL to worker 1 through zygote 1
        release worker 2
        release worker 1"#]]
    .assert_eq(&stage.calls());
    expect![[r#"
        DEBUG received SIGTERM
        NOTICE Terminating ...
        DEBUG switching to 'terminating' state
        DEBUG [pool www] sending signal 15 SIGTERM to child 2
        DEBUG [pool www] sending signal 15 SIGTERM to child 1
        DEBUG 2 child(ren) still alive
        DEBUG [pool www] sending signal 9 SIGKILL to child 2
        DEBUG [pool www] sending signal 9 SIGKILL to child 1
        DEBUG 2 child(ren) still alive
        DEBUG [pool www] child 2 exited on signal 15 (SIGTERM) after 0.000000 seconds from start
        DEBUG [pool www] child 1 exited on signal 15 (SIGTERM) after 0.000000 seconds from start
        DEBUG received SIGCHLD
        DEBUG zygote 1001 of generation 1 exited with code 0 after 0.000000 seconds from start
        NOTICE exiting, bye-bye!"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn quit_waits_for_running_requests_and_signals_nobody() {
    let mut stage = serving(&www(2));
    stage.signal(Signal::QUIT);
    stage.pass(Duration::from_secs(3600));
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.worker_ends(2, ExitStatus::Code(0));
    stage.reaped(1001, ExitStatus::Code(0));
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
    expect![[r#"
        quit zygote 1
        drain worker 2, closing
        drain worker 1, closing
        release worker 1
        release worker 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn process_control_timeout_ends_the_patience_of_quit() {
    let mut config = www(1);
    config.global.process_control_timeout = 5;
    let mut stage = serving(&config);
    stage.signal(Signal::QUIT);
    stage.pass(Duration::from_millis(4999));
    expect![[r#"
        quit zygote 1
        drain worker 1, closing"#]]
    .assert_eq(&stage.calls());
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.calls(), "SIGTERM to worker 1 through zygote 1");
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.calls(), "SIGKILL to worker 1 through zygote 1");
}

#[test]
fn a_zygote_that_does_not_pass_signals_on_is_killed_and_its_orphans_directly() {
    let mut stage = serving(&www(1));
    stage.signal(Signal::TERM);
    stage.pass(Duration::ZERO);
    stage.calls();
    stage.pass(Duration::from_secs(1));
    expect![[r#"
        SIGKILL to child 1001
        SIGKILL to worker 1 through zygote 1"#]]
    .assert_eq(&stage.calls());
    stage.reaped(1001, killed(Signal::KILL));
    stage.pass(Duration::from_secs(1));
    expect![[r#"
        wake worker 1
        SIGKILL to child 1"#]]
    .assert_eq(&stage.calls());
    stage.reaped(1, killed(Signal::KILL));
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
}

#[test]
fn term_hurries_a_quit_and_not_the_other_way_round() {
    let mut stage = serving(&www(1));
    stage.signal(Signal::QUIT);
    stage.calls();
    stage.signal(Signal::INT);
    assert_eq!(stage.calls(), "SIGTERM to worker 1 through zygote 1");
    stage.lines();
    stage.signal(Signal::QUIT);
    expect![[r#"
        DEBUG received SIGQUIT
        NOTICE Finishing ...
        DEBUG not switching to 'finishing' state, because already in 'terminating' state"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn nothing_is_forked_once_it_stops() {
    let mut stage = serving(&www(2));
    stage.signal(Signal::QUIT);
    stage.calls();
    stage.worker_ends(1, ExitStatus::Code(255));
    assert_eq!(stage.calls(), "release worker 1");
}

#[test]
fn a_worker_reported_late_gets_what_all_others_got() {
    let mut stage = Stage::new(&www(1));
    stage.start();
    stage.ready(1);
    stage.signal(Signal::TERM);
    stage.calls();
    stage.settle();
    assert_eq!(stage.calls(), "SIGTERM to worker 1 through zygote 1");
}

#[test]
fn a_stop_while_php_starts_kills_the_zygote() {
    let mut stage = Stage::new(&www(1));
    stage.start();
    stage.calls();
    stage.signal(Signal::TERM);
    assert_eq!(stage.calls(), "SIGKILL to child 1001");
    stage.reaped(1001, killed(Signal::KILL));
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
}

#[test]
fn a_zygote_that_does_not_end_is_killed() {
    let mut stage = serving(&www(1));
    stage.signal(Signal::TERM);
    stage.worker_ends(1, TERMINATED);
    stage.calls();
    stage.pass(Duration::from_secs(3));
    assert_eq!(stage.calls(), "SIGKILL to child 1001");
    assert!(
        stage
            .lines()
            .contains("WARNING zygote 1001 does not end, killing it")
    );
}
