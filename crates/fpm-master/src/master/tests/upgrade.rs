//! Another program on disk: examined, refused, put in the place of this one.

use expect_test::expect;
use fpm_conf::AutoChildren;
use fpm_control::{Request, Way};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use super::fake::Stage;
use super::*;
use crate::event::{CallerId, Event, Timer};
use crate::upgrade::examination::Refusal;
use crate::world::Examination;

/// A master that serves, with another program on disk.
fn outdated() -> Stage {
    let mut stage = serving(&www(2));
    stage.world().examination = Ok(Examination::Begun);
    stage
}

#[test]
fn a_program_that_is_refused_changes_nothing() {
    let mut stage = outdated();
    stage.signal(Signal::USR2);
    // The program may be another one again by now: it is looked at again.
    stage.signal(Signal::USR2);
    stage.play(Event::Examined(Err(Refusal::TooSlow)));
    expect![""].assert_eq(&stage.calls());
    expect![[r#"
        DEBUG received SIGUSR2
        NOTICE Reloading in progress ...
        NOTICE the program on disk is another one, examining it
        DEBUG received SIGUSR2
        NOTICE Reloading in progress ...
        DEBUG another reload will follow the one under way
        ERROR the program on disk is not put to work: it takes too long to test the configuration
        ERROR reload failed, generation 1 goes on
        NOTICE the program on disk is another one, examining it"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn a_program_that_cannot_be_executed_changes_nothing() {
    let mut stage = outdated();
    stage.world().examination = Err(Refusal::TooSlow);
    stage.signal(Signal::HUP);
    expect![""].assert_eq(&stage.calls());
    stage.world().examination = Ok(Examination::Unneeded);
    stage.signal(Signal::HUP);
    expect![[r#"
        prepare generation 2
        start zygote 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn who_asks_for_an_upgrade_is_told_when_there_is_none() {
    let mut stage = serving(&www(2));
    let ask = |stage: &mut Stage, caller| {
        stage.play(Event::Asked(
            CallerId(caller),
            Request::Upgrade(Way::InPlace),
        ));
        stage.calls()
    };
    expect!["answer caller 1: Failed(SameProgram)"].assert_eq(&ask(&mut stage, 1));
    stage.world().examination = Ok(Examination::Begun);
    assert_eq!(ask(&mut stage, 2), "");
    stage.play(Event::Examined(Err(Refusal::TooSlow)));
    let refused = "answer caller 2: Failed(Reload(\"the program on disk is not put to work: ";
    let calls = stage.calls();
    assert!(calls.starts_with(refused), "{calls}");
    stage.signal(Signal::QUIT);
    stage.calls();
    expect!["answer caller 3: Failed(Stopping)"].assert_eq(&ask(&mut stage, 3));
}

#[test]
fn a_daemon_that_stops_is_not_replaced() {
    let mut stage = outdated();
    stage.signal(Signal::USR2);
    stage.signal(Signal::QUIT);
    stage.calls();
    stage.play(Event::Examined(Ok(())));
    stage.pass(Duration::ZERO);
    expect![""].assert_eq(&stage.calls());
}

#[test]
fn a_program_that_is_good_takes_over_and_reloads() {
    let mut stage = outdated();
    stage.signal(Signal::USR2);
    stage.play(Event::Examined(Ok(())));
    expect![""].assert_eq(&stage.calls());
    // What has happened at the same time comes first.
    stage.worker_ends(2, ExitStatus::Code(0));
    stage.settle();
    stage.calls();
    stage.pass(Duration::ZERO);
    expect!["hand over"].assert_eq(&stage.calls());
    stage.lines();

    stage.world().examination = Ok(Examination::Unneeded);
    let mut stage = stage.hand_over(&www(2));
    let taken_over = stage.lines();
    assert!(taken_over.starts_with("NOTICE taken over: generation 1 and 2 child(ren), pid"));
    stage.calls();
    // Ends of processes of the program before are known and told.
    stage.worker_ends(3, ExitStatus::Code(1));
    stage.reaped(1001, ExitStatus::Code(1));
    stage.pass(Duration::from_secs(1));
    let lines = stage.lines();
    assert!(
        lines.contains("[pool www] child 3 exited with code 1"),
        "{lines}"
    );
    assert!(
        lines.contains("zygote 1001 of generation 1 exited"),
        "{lines}"
    );
}

#[test]
fn a_program_that_cannot_be_executed_after_all_leaves_everything_as_it_was() {
    let mut stage = outdated();
    stage.signal(Signal::USR2);
    stage.play(Event::Examined(Ok(())));
    stage.pass(Duration::ZERO);
    expect!["hand over"].assert_eq(&stage.calls());
    stage.worker_ends(1, ExitStatus::Code(0));
    expect![[r#"
        release worker 1
        spawn worker 3 of pool 0 in slot 0 by zygote 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn memory_is_looked_at_after_an_upgrade_even_if_the_reload_fails() {
    let mut config = www(20);
    config.pools[0].pm_auto_children = Some(AutoChildren {
        floor: 2,
        ceiling: 20,
    });
    let mut stage = serving(&config);
    stage.world().examination = Ok(Examination::Begun);
    stage.signal(Signal::USR2);
    stage.play(Event::Examined(Ok(())));
    stage.pass(Duration::ZERO);
    stage.world().examination = Ok(Examination::Unneeded);
    stage.world().next = None;
    // Timers do not survive it.
    stage.world().timers.clear();
    let mut stage = stage.hand_over(&config);
    assert!(stage.lines().contains("reload failed"));
    assert!(stage.world().timers.contains_key(&Timer::Size));
}

#[test]
fn what_was_set_holds_after_an_upgrade_whose_reload_fails() {
    let mut config = www(2);
    config.global.control_listen = Some("/run/control".into());
    let mut stage = serving(&config);
    let set = Request::Set {
        pool: "www".to_owned(),
        max_children: 3,
    };
    stage.play(Event::Asked(CallerId(1), set));
    stage.settle();
    assert_eq!(stage.alive(), 3);
    stage.world().examination = Ok(Examination::Begun);
    stage.signal(Signal::USR2);
    stage.play(Event::Examined(Ok(())));
    stage.pass(Duration::ZERO);
    stage.world().examination = Ok(Examination::Unneeded);
    stage.world().next = None;
    let mut stage = stage.hand_over(&config);
    assert!(stage.lines().contains("reload failed"));
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(stage.alive(), 3);
}
