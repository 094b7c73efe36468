//! Another master beside this one.

use expect_test::expect;
use fpm_control::{Request, Scope, Way};
use fpm_os::wait::ExitStatus;

use super::fake::{OTHER, Stage};
use super::*;
use crate::event::{CallerId, FromOther};
use crate::world::Audience;

fn ask(stage: &mut Stage, caller: u64, request: Request) -> String {
    stage.play(Event::Asked(CallerId(caller), request));
    stage.calls()
}

fn other(stage: &mut Stage, said: FromOther) -> String {
    stage.play(Event::FromOther(said));
    stage.calls()
}

/// A master with a new one beside it.
fn with_younger() -> Stage {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Upgrade(Way::Beside));
    other(&mut stage, FromOther::Serving("7.0".to_owned()));
    stage.lines();
    stage
}

/// A master that serves beside an old one.
fn with_elder() -> Stage {
    let mut stage = serving(&www(1));
    stage.join(OTHER);
    stage
}

fn ended() -> FromOther {
    FromOther::Ended(
        ExitStatus::Code(78),
        vec!["it exited with code 78".to_owned()],
    )
}

#[test]
fn who_asks_for_another_master_hears_when_it_serves() {
    let mut stage = serving(&www(1));
    expect!["start another master"].assert_eq(&ask(&mut stage, 1, Request::Upgrade(Way::Beside)));
    expect!["answer caller 2: Failed(TwoMasters(5000))"].assert_eq(&ask(
        &mut stage,
        2,
        Request::Upgrade(Way::Beside),
    ));
    let answer = other(&mut stage, FromOther::Serving("7.0".to_owned()));
    let expected = "answer caller 1: Beside { pid: 5000, before: ";
    assert!(answer.starts_with(expected), "{answer}");
    expect!["answer caller 3: Failed(TwoMasters(5000))"].assert_eq(&ask(
        &mut stage,
        3,
        Request::Upgrade(Way::InPlace),
    ));
}

#[test]
fn another_master_that_does_not_start_changes_nothing() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Upgrade(Way::Beside));
    expect![[r#"
        take the names back
        answer caller 1: Failed(NotBeside(["it exited with code 78"]))"#]]
    .assert_eq(&other(&mut stage, ended()));
    stage.world().zygotes_fail = true;
    expect![[r#"
        start another master
        answer caller 2: Failed(NotBeside(["the master process cannot be set up: no"]))"#]]
    .assert_eq(&ask(&mut stage, 2, Request::Upgrade(Way::Beside)));
    stage.world().zygotes_fail = false;
    // One that says nothing is killed at last.
    ask(&mut stage, 3, Request::Upgrade(Way::Beside));
    stage.pass(Duration::from_secs(301));
    let calls = stage.calls();
    assert!(calls.contains("SIGKILL to child 5000"), "{calls}");
}

#[test]
fn the_old_master_reads_no_configuration_while_there_is_a_new_one() {
    let mut stage = with_younger();
    expect!["answer caller 2: Failed(TwoMasters(5000))"].assert_eq(&ask(
        &mut stage,
        2,
        Request::Reload(Scope::All),
    ));
    stage.signal(Signal::HUP);
    expect![""].assert_eq(&stage.calls());
    stage.signal(Signal::WINCH);
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.calls();
    // nginx: HUP brings its workers back, with the configuration that they had.
    stage.signal(Signal::HUP);
    expect![[r#"
        prepare generation 2 as before
        start zygote 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn the_end_of_the_new_master_brings_the_old_ones_workers_back() {
    let mut stage = with_younger();
    expect!["take the names back"].assert_eq(&other(&mut stage, ended()));
    let mut stage = with_younger();
    stage.signal(Signal::WINCH);
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.calls();
    expect![[r#"
        take the names back
        prepare generation 2 as before
        start zygote 2"#]]
    .assert_eq(&other(&mut stage, ended()));
}

#[test]
fn the_service_is_passed_on_once() {
    let mut stage = with_younger();
    stage.world().audience = Some(Audience::Told);
    stage.signal(Signal::QUIT);
    let calls = stage.calls();
    assert!(calls.starts_with("pass on"), "{calls}");
    let told = stage.notifications();
    assert!(told.ends_with("MAINPID=5000"), "{told}");
    stage.signal(Signal::TERM);
    let calls = stage.calls();
    assert!(!calls.contains("pass on"), "{calls}");
    // Before the other one serves there is nobody to pass it on to.
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Upgrade(Way::Beside));
    stage.signal(Signal::QUIT);
    let calls = stage.calls();
    assert!(calls.contains("SIGTERM to child 5000"), "{calls}");
    assert!(
        calls.contains("answer caller 1: Failed(Stopping)"),
        "{calls}"
    );
}

#[test]
fn the_new_master_is_the_service_when_the_old_one_leaves() {
    let mut stage = with_elder();
    expect!["be the service"].assert_eq(&other(&mut stage, FromOther::Leaving));
    expect!["clear up after the old master"].assert_eq(&other(&mut stage, FromOther::Gone));
    let mut stage = with_elder();
    expect!["answer caller 1: Failed(TwoMasters(5000))"].assert_eq(&ask(
        &mut stage,
        1,
        Request::Upgrade(Way::Beside),
    ));
    expect![[r#"
        clear up after the old master
        be the service"#]]
    .assert_eq(&other(&mut stage, FromOther::Gone));
    expect!["start another master"].assert_eq(&ask(&mut stage, 2, Request::Upgrade(Way::Beside)));
}
