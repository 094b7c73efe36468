//! Commands at the control socket.

use expect_test::expect;
use fpm_conf::PoolIndex;
use fpm_control::{Detail, Request, Scope};
use nix::errno::Errno;

use super::*;
use crate::event::CallerId;

fn ask(stage: &mut Stage, caller: u64, request: Request) {
    stage.play(Event::Asked(CallerId(caller), request));
}

#[test]
fn a_reload_is_answered_when_only_the_next_generation_takes_clients() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload(Scope::All));
    expect![[r#"
        prepare generation 2
        start zygote 2"#]]
    .assert_eq(&stage.calls());
    ask(&mut stage, 2, Request::Reload(Scope::All));
    ask(&mut stage, 3, Request::Status(Detail::Pools));
    expect!["answer caller 3: reloading"].assert_eq(&stage.calls());
    stage.ready(2);
    stage.settle();
    // The old worker, idle, does not leave as it should.
    stage.pass(Duration::from_millis(1100));
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
    ask(&mut stage, 1, Request::Reload(Scope::All));
    expect![[r#"
        prepare generation 2
        answer caller 1: Failed(Configuration(["a mistake"]))"#]]
    .assert_eq(&stage.calls());
    stage.world().next = Some(www(1));
    ask(&mut stage, 2, Request::Reload(Scope::All));
    let reason = "no such extension".into();
    stage.said(2, FromZygote::Failed { reason });
    let calls = stage.calls();
    let told = r#"answer caller 2: Failed(Reload("zygote 1002: no such extension"))"#;
    assert!(calls.contains(told), "{calls}");
}

#[test]
fn nobody_waits_for_a_reload_that_a_stop_has_prevented() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload(Scope::All));
    stage.calls();
    stage.signal(Signal::QUIT);
    let calls = stage.calls();
    assert!(
        calls.contains("answer caller 1: Failed(Stopping)"),
        "{calls}"
    );
    ask(&mut stage, 2, Request::Reload(Scope::All));
    expect!["answer caller 2: Failed(Stopping)"].assert_eq(&stage.calls());
    ask(&mut stage, 3, Request::Status(Detail::Pools));
    expect!["answer caller 3: finishing"].assert_eq(&stage.calls());
}

#[test]
fn who_has_hung_up_is_not_answered() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reload(Scope::All));
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

fn drain() -> Request {
    let pool = "www".to_owned();
    Request::Drain { pool }
}

fn resume() -> Request {
    let pool = "www".to_owned();
    Request::Resume { pool }
}

fn set(max_children: u32) -> Request {
    let pool = "www".to_owned();
    Request::Set { pool, max_children }
}

/// A configuration that can be changed by orders.
fn elastic(max_children: u32) -> Config {
    let mut config = www(max_children);
    config.global.control_listen = Some("/run/control".into());
    config
}

#[test]
fn a_drained_pool_has_no_workers_until_it_is_resumed() {
    let mut stage = serving(&www(2));
    ask(&mut stage, 1, drain());
    expect![[r#"
        drain worker 1, closing
        drain worker 2, closing"#]]
    .assert_eq(&stage.calls());
    stage.worker_ends(1, ExitStatus::Code(0));
    expect!["release worker 1"].assert_eq(&stage.calls());
    // Whatever it dies of, it has no successor.
    stage.worker_ends(2, ExitStatus::Code(255));
    expect![[r#"
        release worker 2
        answer caller 1: Done"#]]
    .assert_eq(&stage.calls());
    ask(&mut stage, 2, drain());
    expect!["answer caller 2: Done"].assert_eq(&stage.calls());
    ask(&mut stage, 3, resume());
    expect![[r#"
        spawn worker 3 of pool 0 in slot 0 by zygote 1
        spawn worker 4 of pool 0 in slot 1 by zygote 1
        answer caller 3: Done"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn a_pool_is_resumed_beside_workers_that_are_leaving() {
    let mut stage = serving(&www(2));
    ask(&mut stage, 1, drain());
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.calls();
    ask(&mut stage, 2, resume());
    expect![[r#"
        answer caller 1: Failed(Resumed)
        spawn worker 3 of pool 0 in slot 0 by zygote 1
        answer caller 2: Done"#]]
    .assert_eq(&stage.calls());
    stage.settle();
    // The other place is free now, and a static pool is to be full.
    stage.worker_ends(2, ExitStatus::Code(0));
    stage.pass(Duration::from_secs(2));
    expect![[r#"
        release worker 2
        spawn worker 4 of pool 0 in slot 1 by zygote 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn a_reload_ends_what_was_ordered_for_pools() {
    let mut stage = serving(&elastic(1));
    ask(&mut stage, 1, drain());
    ask(&mut stage, 2, Request::Reload(Scope::All));
    stage.ready(2);
    stage.settle();
    stage.pass(Duration::from_millis(20));
    let calls = stage.calls();
    assert!(
        calls.contains("answer caller 1: Failed(Resumed)"),
        "{calls}"
    );
    assert!(
        calls.contains("answer caller 2: Reloaded { generation: 2 }"),
        "{calls}"
    );
}

#[test]
fn max_children_goes_up_and_down_at_once() {
    let mut stage = serving(&elastic(2));
    ask(&mut stage, 1, set(4));
    expect![[r#"
        spawn worker 3 of pool 0 in slot 2 by zygote 1
        spawn worker 4 of pool 0 in slot 3 by zygote 1
        answer caller 1: Done"#]]
    .assert_eq(&stage.calls());
    stage.settle();
    stage
        .world()
        .activities
        .insert(WorkerId(1), crate::world::Activity::Busy);
    ask(&mut stage, 2, set(1));
    expect![[r#"
        drain worker 2
        drain worker 3
        drain worker 4
        answer caller 2: Done"#]]
    .assert_eq(&stage.calls());
    for worker in [2, 3, 4] {
        stage.worker_ends(worker, ExitStatus::Code(0));
    }
    stage.calls();
    // Only one is replaced.
    stage.worker_ends(1, ExitStatus::Code(0));
    expect![[r#"
        release worker 1
        spawn worker 5 of pool 0 in slot 0 by zygote 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn there_are_limits_to_max_children() {
    let mut stage = serving(&elastic(2));
    for (caller, max_children) in [(1, 0), (2, 9)] {
        ask(&mut stage, caller, set(max_children));
    }
    expect![[r#"
        answer caller 1: Failed(OutOfRange { most: 8 })
        answer caller 2: Failed(OutOfRange { most: 8 })"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn pools_that_are_not_there_are_named() {
    let mut stage = serving(&www(1));
    let pool = "nobody".to_owned();
    ask(&mut stage, 1, Request::Drain { pool });
    expect![[r#"answer caller 1: Failed(NoSuchPool("nobody"))"#]].assert_eq(&stage.calls());
    stage.signal(Signal::WINCH);
    stage.calls();
    ask(&mut stage, 2, drain());
    expect!["answer caller 2: Failed(Resting)"].assert_eq(&stage.calls());
}

#[test]
fn a_stop_is_answered_at_the_very_end() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Quit);
    ask(&mut stage, 2, Request::Stop);
    stage.worker_ends(1, ExitStatus::Code(0));
    let calls = stage.calls();
    assert!(!calls.contains("answer"), "{calls}");
    stage.reaped(1001, ExitStatus::Code(0));
    expect![[r#"
        answer caller 1: Done
        answer caller 2: Done"#]]
    .assert_eq(&stage.calls());
    assert_eq!(stage.outcome().as_deref(), Some("stopped"));
}

#[test]
fn logs_that_cannot_be_opened_are_named() {
    let mut stage = serving(&www(1));
    ask(&mut stage, 1, Request::Reopen);
    stage.world().unopenable = Some(vec!["/gone"]);
    ask(&mut stage, 2, Request::Reopen);
    expect![[r#"
        answer caller 1: Done
        answer caller 2: Failed(NotReopened(["failed to open access log (/gone): No such file or directory (2)"]))"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn who_waits_for_a_drain_hears_of_workers_that_were_never_born() {
    let mut stage = serving(&www(1));
    stage.worker_ends(1, ExitStatus::Code(0));
    ask(&mut stage, 1, drain());
    stage.calls();
    stage.fork_fails(Errno::EAGAIN);
    expect![[r#"
        release worker 2
        answer caller 1: Done"#]]
    .assert_eq(&stage.calls());
    stage.pass(Duration::from_secs(60));
    expect![""].assert_eq(&stage.calls());

    let mut stage = serving(&www(1));
    stage.worker_ends(1, ExitStatus::Code(0));
    ask(&mut stage, 1, drain());
    stage.calls();
    stage.reaped(1001, ExitStatus::Code(1));
    expect![[r#"
        wake worker 2
        release worker 2
        answer caller 1: Done
        start zygote 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn a_reload_of_other_pools_leaves_a_drain_as_it_is() {
    let mut config = www(1);
    config.pools.push(Pool::new("admin", "/run/admin.sock"));
    let mut stage = serving(&config);
    ask(&mut stage, 1, drain());
    stage.world().carried = [PoolIndex(0)].into();
    let admin = Scope::Pools(["admin".to_owned()].into());
    ask(&mut stage, 2, Request::Reload(admin));
    stage.ready(2);
    stage.settle();
    stage.worker_ends(2, ExitStatus::Code(0));
    stage.pass(Duration::from_millis(20));
    let calls = stage.calls();
    assert!(
        calls.contains("answer caller 2: Reloaded { generation: 2 }"),
        "{calls}"
    );
    assert!(!calls.contains("caller 1"), "it is being drained: {calls}");
    stage.worker_ends(1, ExitStatus::Code(0));
    let calls = stage.calls();
    assert!(calls.contains("answer caller 1: Done"), "{calls}");
}

#[test]
fn who_asks_for_stacks_again_and_again_keeps_nobody_waiting() {
    let mut config = www(1);
    config.pools[0].request_stack = true;
    let mut stage = serving(&config);
    let id = WorkerId(1);
    let busy = crate::world::Activity::Busy;
    stage.world().activities.insert(id, busy);
    for caller in 1..=3 {
        let of = "www".to_owned();
        ask(&mut stage, caller, Request::Stack { of });
        stage.pass(Duration::from_millis(600));
    }
    let calls = stage.calls();
    assert!(calls.contains("answer caller 1: Stacks"), "{calls}");
    assert!(!calls.contains("caller 3"), "{calls}");
    stage.pass(Duration::from_millis(400));
    assert!(stage.calls().contains("answer caller 3: Stacks"));
}
