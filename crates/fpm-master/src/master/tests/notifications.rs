//! What a service manager hears.

use std::time::Duration;

use expect_test::expect;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::{serving, www};
use crate::event::Timer;
use crate::systemd::Load;
use crate::world::Audience;

fn audience() -> Stage {
    let mut stage = Stage::new(&www(1));
    stage.world().audience = Some(Audience::Told);
    stage.start();
    stage
}

#[test]
fn it_hears_of_the_start_reports_and_the_stop() {
    let mut stage = audience();
    assert_eq!(stage.notifications(), "", "PHP is not up yet");
    stage.ready(1);
    stage.settle();
    stage.lines();
    expect!["READY=1; STATUS=Ready to handle connections; MAINPID=(master)"]
        .assert_eq(&stage.notifications());
    stage.world().load = Load {
        active: 1,
        idle: 0,
        requests: 20,
        slow: 0,
    };
    stage.pass(Duration::from_secs(20));
    expect![[r#"
        READY=1; STATUS=Processes active: 1, idle: 0, Requests: 20, slow: 0, Traffic: 2.00req/sec
        READY=1; STATUS=Processes active: 1, idle: 0, Requests: 20, slow: 0, Traffic: 0.00req/sec"#]]
    .assert_eq(&stage.notifications());
    stage.signal(Signal::QUIT);
    stage.pass(Duration::from_secs(10));
    expect![[r#"
        STOPPING=1; STATUS=Finishing ...
        STATUS=Processes active: 1, idle: 0, Requests: 20, slow: 0, Traffic: 0.00req/sec"#]]
    .assert_eq(&stage.notifications());
    stage.signal(Signal::TERM);
    stage.worker_ends(1, ExitStatus::Code(0));
    expect!["STOPPING=1; STATUS=Terminating ..."].assert_eq(&stage.notifications());
    assert!(!stage.lines().contains("systemd"));
}

#[test]
fn nobody_listening_costs_no_timer() {
    let mut stage = serving(&www(1));
    assert_eq!(stage.next_timer(), None);
}

#[test]
fn reports_can_be_switched_off() {
    let mut config = www(1);
    config.global.systemd_interval = 0;
    let mut stage = Stage::new(&config);
    stage.world().audience = Some(Audience::Told);
    stage.start();
    stage.ready(1);
    stage.settle();
    assert_eq!(stage.next_timer(), None);
    expect![[r#"
        DEBUG zygote 1001 of generation 1 has started PHP 8.2.32
        DEBUG [pool www] child 1 started
        NOTICE ready to handle connections
        DEBUG have notify start to systemd
        NOTICE systemd monitor disabled"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn failures_are_logged_and_tried_again() {
    let mut stage = audience();
    stage.world().audience = None;
    stage.ready(1);
    stage.settle();
    let at = stage.now() + Duration::from_secs(10);
    assert_eq!(stage.next_timer(), Some((Timer::Report, at)));
    stage.pass(Duration::from_secs(10));
    stage.signal(Signal::TERM);
    expect![[r#"
        DEBUG zygote 1001 of generation 1 has started PHP 8.2.32
        DEBUG [pool www] child 1 started
        NOTICE ready to handle connections
        WARNING failed to notify start to systemd
        NOTICE systemd monitor interval set to 10000ms
        NOTICE failed to notify status to systemd
        DEBUG received SIGTERM
        NOTICE Terminating ...
        DEBUG switching to 'terminating' state
        DEBUG failed to notify stop to systemd
        DEBUG [pool www] sending signal 15 SIGTERM to child 1
        DEBUG 1 child(ren) still alive"#]]
    .assert_eq(&stage.lines());
}
