//! Commands at the control socket.

use expect_test::expect;
use fpm_control::{Detail, Request};

use super::*;
use crate::event::CallerId;

fn ask(stage: &mut Stage, caller: u64, request: Request) {
    stage.play(Event::Asked(CallerId(caller), request));
}

#[test]
fn a_reload_is_answered_when_the_next_generation_serves() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload);
    expect![[r#"
        prepare generation 2
        start zygote 2"#]]
    .assert_eq(&stage.calls());
    ask(&mut stage, 2, Request::Reload);
    ask(&mut stage, 3, Request::Status(Detail::Pools));
    expect!["answer caller 3: reloading"].assert_eq(&stage.calls());
    stage.ready(2);
    stage.settle();
    stage.pass(Duration::from_millis(20));
    let calls = stage.calls();
    assert!(
        calls.contains("answer caller 1: Reloaded { generation: 2 }"),
        "{calls}"
    );
    assert!(
        !calls.contains("caller 2"),
        "it asked too late for that: {calls}"
    );
}

#[test]
fn a_failure_is_told_with_its_cause() {
    let mut stage = serving(&www(1));
    stage.world().next = None;
    ask(&mut stage, 1, Request::Reload);
    expect![[r#"
        prepare generation 2
        answer caller 1: Failed(Configuration(["a mistake"]))"#]]
    .assert_eq(&stage.calls());
    stage.world().next = Some(www(1));
    ask(&mut stage, 2, Request::Reload);
    let reason = "no such extension".into();
    stage.said(2, FromZygote::Failed { reason });
    let calls = stage.calls();
    let told = r#"answer caller 2: Failed(Reload("zygote 1002: no such extension"))"#;
    assert!(calls.contains(told), "{calls}");
}

#[test]
fn nobody_waits_for_a_reload_that_a_stop_has_prevented() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload);
    stage.calls();
    stage.signal(Signal::QUIT);
    let calls = stage.calls();
    assert!(
        calls.contains("answer caller 1: Failed(Stopping)"),
        "{calls}"
    );
    ask(&mut stage, 2, Request::Reload);
    expect!["answer caller 2: Failed(Stopping)"].assert_eq(&stage.calls());
    ask(&mut stage, 3, Request::Status(Detail::Pools));
    expect!["answer caller 3: finishing"].assert_eq(&stage.calls());
}

#[test]
fn who_has_hung_up_is_not_answered() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload);
    stage.play(Event::CallerGone(CallerId(1)));
    stage.ready(2);
    stage.settle();
    stage.pass(Duration::from_millis(20));
    let calls = stage.calls();
    assert!(!calls.contains("answer"), "{calls}");
}

#[test]
fn all_workers_let_go_is_a_state_of_its_own() {
    let mut stage = serving(&www(1));
    stage.signal(Signal::WINCH);
    stage.calls();
    ask(&mut stage, 1, Request::Status(Detail::Pools));
    expect!["answer caller 1: resting"].assert_eq(&stage.calls());
}
