//! Reloads: the next generation proves itself beside the one that serves, and takes its place worker by worker.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::{FromZygote, WorkerId};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use nix::unistd::Pid;

use super::fake::Stage;
use super::{serving, www};

/// A zygote says that its worker has ended in order.
fn leaves(stage: &mut Stage, zygote: u64, worker: u64) {
    let said = FromZygote::Exited {
        worker: WorkerId(worker),
        pid: Pid::from_raw(i32::try_from(worker).unwrap()),
        status: ExitStatus::Code(0),
    };
    stage.said(zygote, said);
}

/// Two workers, of which the second takes its time after a reload.
fn with_a_worker_of_the_generation_before() -> Stage {
    let mut stage = serving(&www(2));
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    leaves(&mut stage, 1, 1);
    stage.settle();
    stage.pass(Duration::from_secs(2));
    stage.calls();
    stage.lines();
    stage
}

#[test]
fn workers_are_replaced_one_by_one_and_then_it_is_over() {
    let mut stage = serving(&www(2));
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    expect![[r#"
        prepare generation 2
        start zygote 2
        spawn worker 3 of pool 0 in slot 0 by zygote 2
        generation 2 serves
        quit zygote 1
        drain worker 1"#]]
    .assert_eq(&stage.calls());
    leaves(&mut stage, 1, 1);
    stage.settle();
    stage.pass(Duration::from_millis(10));
    // It may still take a client for which it was woken before it was told.
    leaves(&mut stage, 1, 2);
    stage.pass(Duration::from_millis(10));
    expect![[r#"
        release worker 1
        spawn worker 4 of pool 0 in slot 1 by zygote 2
        drain worker 2
        release worker 2
        close sockets that only generation 1 has"#]]
    .assert_eq(&stage.calls());
    expect![[r#"
        DEBUG received SIGUSR2
        NOTICE Reloading in progress ...
        NOTICE reloading: generation 2
        DEBUG zygote 1002 of generation 2 has started PHP 8.2.32
        DEBUG [pool www] child 3 started
        DEBUG [pool www] child 1 exited with code 0 after 0.000000 seconds from start
        DEBUG [pool www] child 4 started
        DEBUG [pool www] child 2 exited with code 0 after 0.010000 seconds from start
        NOTICE ready to handle connections"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn end_of_an_old_worker_does_not_send_the_ones_away_that_are_being_proven() {
    let mut stage = with_a_worker_of_the_generation_before();
    stage.world().default_activity = crate::world::Activity::Starting;
    stage.signal(Signal::USR2);
    stage.ready(3);
    stage.settle();
    stage.calls();
    leaves(&mut stage, 1, 2);
    assert!(!stage.calls().contains("drain worker 5"));
}

#[test]
fn php_ini_that_is_not_understood_is_no_reason_to_change_anything() {
    let mut stage = serving(&www(1));
    stage.world().ini_mistake = Some("syntax error, unexpected '(' in /etc/php.ini on line 7");
    stage.signal(Signal::USR2);
    stage.calls();
    stage.lines();
    stage.ready(2);
    expect![[r#"
        quit zygote 2
        close sockets that only generation 2 has"#]]
    .assert_eq(&stage.calls());
    expect![[r#"
        DEBUG zygote 1002 of generation 2 has started PHP 8.2.32
        ERROR php.ini: syntax error, unexpected '(' in /etc/php.ini on line 7
        ERROR reload failed, generation 1 goes on"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn a_zygote_for_which_there_is_no_memory_is_no_reason_to_change_anything() {
    let mut stage = serving(&www(1));
    stage.world().zygotes_fail = true;
    stage.lines();
    stage.signal(Signal::USR2);
    expect![[r#"
        DEBUG received SIGUSR2
        NOTICE Reloading in progress ...
        NOTICE reloading: generation 2
        ERROR failed to start a zygote: fork() failed: Cannot allocate memory (12)
        DEBUG generation 2 has ended
        ERROR reload failed, generation 1 goes on"#]]
    .assert_eq(&stage.lines());
    assert_eq!((stage.alive(), stage.outcome()), (1, None));
    stage.world().zygotes_fail = false;
    stage.signal(Signal::USR2);
    stage.calls();
    stage.ready(3);
    stage.settle();
    expect![[r#"
        spawn worker 2 of pool 0 in slot 0 by zygote 3
        generation 3 serves
        quit zygote 1
        drain worker 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn workers_as_many_as_process_max_do_not_stand_in_the_way() {
    let mut config = www(2);
    config.global.process_max = 2;
    let mut stage = serving(&config);
    stage.signal(Signal::USR2);
    stage.calls();
    stage.ready(2);
    stage.settle();
    expect![[r#"
        spawn worker 3 of pool 0 in slot 0 by zygote 2
        generation 2 serves
        quit zygote 1
        drain worker 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn process_max_is_exceeded_by_the_first_worker_of_each_pool_only() {
    let mut config = www(16);
    config.global.process_max = 17;
    let mut admin = config.pools[0].clone();
    (admin.name, admin.pm_max_children) = ("admin".into(), 1);
    config.pools.push(admin);
    let mut stage = serving(&config);
    stage.signal(Signal::USR2);
    stage.ready(2);
    let mut most = 0;
    for _ in 0..100 {
        stage.settle();
        most = most.max(stage.alive());
        stage.pass(Duration::from_millis(10));
        stage.obey();
    }
    assert_eq!((most, stage.alive()), (17 + 2, 17));
    assert!(stage.lines().contains("ready to handle connections"));
}

#[test]
fn workers_of_hundreds_of_pools_are_replaced_some_pools_at_a_time() {
    let mut config = www(1);
    for number in 1..600 {
        let mut pool = config.pools[0].clone();
        pool.name = format!("p{number}").into();
        config.pools.push(pool);
    }
    let mut stage = serving(&config);
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    stage.calls();
    let mut told = Vec::new();
    for _ in 0..4 {
        stage.pass(Duration::from_millis(10));
        told.push(stage.calls().matches("drain worker").count());
    }
    assert_eq!(told, [256, 256, 88, 0]);
}
