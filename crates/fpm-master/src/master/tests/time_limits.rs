//! Requests that take longer than `request_terminate_timeout`.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::WorkerId;
use fpm_os::signal::Signal;
use fpm_scoreboard::{SlotSnapshot, SlotState, Stage};
use nix::unistd::Pid;

use super::fake::Stage as Play;
use super::{serving, www};
use crate::event::Timer;
use crate::obituary::killed;

const SECOND: Duration = Duration::from_secs(1);

/// A pool whose requests may take ten seconds.
fn limited(workers: u32) -> Play {
    let mut config = www(workers);
    config.pools[0].request_terminate_timeout = 10;
    let mut play = serving(&config);
    play.calls();
    play.lines();
    play
}

/// The worker is in this stage of a request that it accepted now.
fn shows(play: &mut Play, worker: u64, stage: Stage) {
    let accepted = play.now();
    let state = SlotState {
        pid: Pid::from_raw(1),
        generation: 1,
        started: SECOND,
        stage,
        since: accepted,
        requests: 1,
        accepted,
        accepted_at: accepted,
        duration: Duration::ZERO,
        cpu: Duration::ZERO,
        worked: Duration::ZERO,
        memory: 0,
        content_length: 0,
    };
    let snapshot = SlotSnapshot {
        slot: 0,
        draining: false,
        spent: None,
        state,
        method: b"GET".into(),
        uri: b"/t.php".into(),
        query: b"a=b".into(),
        script: b"/srv/t.php".into(),
        user: Vec::new(),
    };
    play.world().slots.insert(WorkerId(worker), snapshot);
}

#[test]
fn a_worker_that_takes_too_long_is_ended_and_replaced() {
    let mut play = limited(2);
    play.pass(3 * SECOND);
    shows(&mut play, 1, Stage::Running);
    shows(&mut play, 2, Stage::Resting);
    play.pass(Duration::from_millis(9_999));
    assert_eq!(play.calls(), "");
    play.pass(Duration::from_millis(1));
    expect![[r#"
        count a timed out request of pool 0
        SIGTERM to worker 1 through zygote 1"#]]
    .assert_eq(&play.calls());
    play.world().slots.remove(&WorkerId(1));
    play.worker_ends(1, killed(Signal::TERM));
    play.settle();
    expect![[r#"
        WARNING [pool www] child 1, script '/srv/t.php' (request: "GET /t.php?a=b") execution timed out (10.000000 sec), terminating
        DEBUG [pool www] sending signal 15 SIGTERM to child 1
        WARNING [pool www] child 1 exited on signal 15 (SIGTERM) after 13.000000 seconds from start
        NOTICE [pool www] child 3 started"#]]
    .assert_eq(&play.lines());
    play.pass(60 * SECOND);
    assert!(!play.calls().contains("SIGTERM"), "the other one rests");
}

#[test]
fn a_worker_that_does_not_mind_is_killed() {
    let mut play = limited(1);
    shows(&mut play, 1, Stage::Running);
    play.pass(18 * SECOND);
    expect![[r#"
        count a timed out request of pool 0
        SIGTERM to worker 1 through zygote 1
        SIGTERM to worker 1 through zygote 1
        SIGKILL to worker 1 through zygote 1"#]]
    .assert_eq(&play.calls());
}

#[test]
fn limits_hold_while_the_daemon_stops() {
    let mut play = limited(1);
    shows(&mut play, 1, Stage::Running);
    play.signal(Signal::QUIT);
    play.calls();
    play.pass(10 * SECOND);
    expect![[r#"
        count a timed out request of pool 0
        SIGTERM to worker 1 through zygote 1"#]]
    .assert_eq(&play.calls());
}

#[test]
fn nobody_wakes_up_where_no_worker_has_a_limit() {
    let mut ondemand = www(1);
    ondemand.pools[0].pm = fpm_conf::Pm::Ondemand;
    ondemand.pools[0].request_terminate_timeout = 10;
    for config in [www(1), ondemand] {
        let mut play = serving(&config);
        let (timer, _) = play.next_timer().unzip();
        assert_ne!(timer, Some(Timer::TimeLimits));
    }
}
