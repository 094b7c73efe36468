//! The master with a fake world: no process is started, time is a number.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::underway::{End, Trace, Underway};
use fpm_channel::worker::FromWorker;
use fpm_channel::{FromZygote, WorkerId};
use fpm_conf::{Config, Pool};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

mod births;
mod company;
mod counts;
mod crash_budgets;
mod demand;
mod emergency;
mod fake;
mod notifications;
mod orders;
mod proof;
mod recycling;
mod reloads;
mod resting;
mod sizes;
mod stops;
mod time_limits;
mod turbulence;
mod upgrade;
mod zygote_death;

use fake::Stage;

use crate::event::Event;

/// A configuration with one static pool.
fn www(max_children: u32) -> Config {
    let mut pool = Pool::new("www", "/run/www.sock");
    pool.pm_max_children = max_children;
    Config {
        pools: vec![pool],
        ..Config::default()
    }
}

/// A master that serves with all its workers idle.
fn serving(config: &Config) -> Stage {
    let mut stage = Stage::new(config);
    stage.start();
    stage.ready(1);
    stage.settle();
    stage.lines();
    stage.calls();
    stage
}

#[test]
fn a_start_goes_from_zygote_to_workers_to_ready() {
    let mut stage = Stage::new(&www(2));
    stage.start();
    expect!["start zygote 1"].assert_eq(&stage.calls());
    stage.ready(1);
    expect![[r#"
        launched
        spawn worker 1 of pool 0 in slot 0 by zygote 1
        spawn worker 2 of pool 0 in slot 1 by zygote 1"#]]
    .assert_eq(&stage.calls());
    stage.settle();
    expect!["hear workers"].assert_eq(&stage.calls());
    expect![[r#"
        DEBUG zygote 1001 of generation 1 has started PHP 8.2.32
        DEBUG [pool www] child 1 started
        DEBUG [pool www] child 2 started
        NOTICE ready to handle connections
        DEBUG have notify start to systemd
        NOTICE systemd monitor interval set to 10000ms"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn pools_start_in_their_order() {
    let mut config = www(2);
    config.pools.push(Pool::new("admin", "/run/admin.sock"));
    let mut stage = Stage::new(&config);
    stage.start();
    stage.ready(1);
    expect![[r#"
        start zygote 1
        launched
        spawn worker 1 of pool 0 in slot 0 by zygote 1
        spawn worker 2 of pool 0 in slot 1 by zygote 1
        spawn worker 3 of pool 1 in slot 0 by zygote 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn php_that_does_not_start_ends_the_master() {
    let mut stage = Stage::new(&www(1));
    stage.start();
    stage.said(
        1,
        FromZygote::Failed {
            reason: "no such extension".into(),
        },
    );
    assert_eq!(stage.outcome().as_deref(), Some("no such extension"));

    let mut stage = Stage::new(&www(1));
    stage.start();
    stage.reaped(1001, ExitStatus::Code(255));
    assert_eq!(
        stage.outcome().as_deref(),
        Some("PHP did not start: the zygote exited with code 255")
    );
}

#[test]
fn a_zygote_that_cannot_be_started_ends_the_master() {
    let mut stage = Stage::new(&www(1));
    stage.world().zygotes_fail = true;
    stage.start();
    assert_eq!(
        stage.outcome().as_deref(),
        Some("failed to start a zygote: fork() failed: Cannot allocate memory (12)")
    );
}

#[test]
fn a_launch_that_fails_ends_the_master() {
    let mut stage = Stage::new(&www(1));
    stage.world().launch_fails = true;
    stage.start();
    stage.ready(1);
    assert_eq!(
        stage.outcome().as_deref(),
        Some("Unable to write to the PID file.")
    );
    assert!(!stage.calls().contains("spawn"));
}

#[test]
fn ends_of_workers_are_reported_and_made_good() {
    let mut stage = serving(&www(3));
    stage.pass(Duration::from_micros(1_500_002));
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.worker_ends(
        2,
        ExitStatus::Signal {
            signal: Signal::SEGV,
            core_dumped: true,
        },
    );
    stage.worker_ends(3, ExitStatus::Code(255));
    stage.settle();
    expect![[r#"
        NOTICE [pool www] child 1 exited with code 0 after 1.500002 seconds from start
        WARNING [pool www] child 2 exited on signal 11 (SIGSEGV - core dumped) after 1.500002 seconds from start
        WARNING [pool www] child 3 exited with code 255 after 1.500002 seconds from start
        NOTICE [pool www] child 4 started
        NOTICE [pool www] child 5 started
        NOTICE [pool www] child 6 started"#]]
    .assert_eq(&stage.lines());
    assert_eq!(stage.alive(), 3);
}

#[test]
fn lines_of_the_access_log_that_were_lost_are_reported() {
    let mut stage = serving(&www(2));
    let said = FromWorker::AccessLinesLost(3);
    stage.play(Event::WorkerSaid(WorkerId(2), said.clone()));
    // Nobody goes by that name.
    stage.play(Event::WorkerSaid(WorkerId(7), said));
    expect!["WARNING [pool www] child 2 could not write 3 line(s) of the access log"]
        .assert_eq(&stage.lines());
}

#[test]
fn slow_requests_are_reported_and_what_they_do_is_logged() {
    let mut stage = serving(&www(2));
    let slow = FromWorker::Slow(Underway {
        method: "GET".into(),
        uri: "/t.php".into(),
        query: "q".into(),
        script: "/srv/t.php".into(),
        taken: Duration::from_millis(2001),
        trace: Trace {
            script: Some("/srv/t.php".into()),
            calls: vec![],
            end: End::Whole,
        },
    });
    stage.play(Event::WorkerSaid(WorkerId(2), slow.clone()));
    expect!["log 0 calls of child 2 of pool 0"].assert_eq(&stage.calls());
    stage.world().slow_log_fails = true;
    stage.play(Event::WorkerSaid(WorkerId(2), slow));
    expect![[r#"
        WARNING [pool www] child 2, script '/srv/t.php' (request: "GET /t.php?q") executing too slow (2.001000 sec), logging
        NOTICE finished trace of 2
        WARNING [pool www] child 2, script '/srv/t.php' (request: "GET /t.php?q") executing too slow (2.001000 sec), logging
        ERROR unable to open slowlog (/slow): No such file or directory (2)
        NOTICE finished trace of 2"#]].assert_eq(&stage.lines());
}

#[test]
fn a_slot_is_free_again_when_its_worker_has_ended() {
    let mut stage = serving(&www(2));
    stage.worker_ends(1, ExitStatus::Code(0));
    expect![[r#"
        release worker 1
        spawn worker 3 of pool 0 in slot 0 by zygote 1"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn process_max_holds_for_all_pools_together() {
    let mut config = www(2);
    config.pools.push(Pool::new("admin", "/run/admin.sock"));
    config.global.process_max = 2;
    let mut stage = Stage::new(&config);
    stage.start();
    stage.ready(1);
    stage.settle();
    assert_eq!(stage.alive(), 2);
    expect![[r#"
        DEBUG zygote 1001 of generation 1 has started PHP 8.2.32
        WARNING The maximum number of processes has been reached. Please review your configuration and consider raising 'process.max'
        DEBUG [pool www] child 1 started
        DEBUG [pool www] child 2 started
        NOTICE ready to handle connections
        DEBUG have notify start to systemd
        NOTICE systemd monitor interval set to 10000ms"#]].assert_eq(&stage.lines());
    stage.worker_ends(1, ExitStatus::Code(0));
    stage.settle();
    assert_eq!(
        stage.alive(),
        2,
        "the pool that came first in the queue gets the place"
    );
}

#[test]
fn the_error_log_is_reopened() {
    let mut stage = serving(&www(1));
    stage.signal(Signal::USR1);
    expect![[r#"
        DEBUG received SIGUSR1
        NOTICE error log file re-opened"#]]
    .assert_eq(&stage.lines());
    stage.world().reopen_fails = true;
    stage.signal(Signal::USR1);
    expect![[r#"
        DEBUG received SIGUSR1
        ERROR unable to re-opened error log file"#]]
    .assert_eq(&stage.lines());
}

#[test]
fn access_logs_are_reopened_and_no_worker_is_touched() {
    let mut stage = serving(&www(1));
    stage.world().unopenable = Some(Vec::new());
    stage.signal(Signal::USR1);
    expect![[r#"
        DEBUG received SIGUSR1
        NOTICE error log file re-opened
        NOTICE access log file re-opened"#]]
    .assert_eq(&stage.lines());
    stage.world().unopenable = Some(vec!["/gone/log"]);
    stage.signal(Signal::USR1);
    expect![[r#"
        DEBUG received SIGUSR1
        NOTICE error log file re-opened
        ERROR failed to open access log (/gone/log): No such file or directory (2)
        ERROR unable to re-opened access log file"#]]
    .assert_eq(&stage.lines());
    assert_eq!(stage.calls(), "");
}

#[test]
fn what_scripts_leave_behind_is_not_worth_a_warning() {
    let mut stage = serving(&www(1));
    stage.reaped(4711, ExitStatus::Code(0));
    let lines = stage.lines();
    assert!(
        lines.contains(
            "DEBUG unknown child (4711) exited with code 0 - most likely an orphan process"
        ),
        "{lines}"
    );
    assert_eq!(stage.alive(), 1);
}
