//! Kept connections of workers that leave.

use expect_test::expect;
use fpm_channel::WorkerId;
use fpm_conf::Pool;
use fpm_os::signal::Signal;

use super::fake::Stage;
use super::{serving, www};
use crate::event::Event;
use crate::resting::RestingId;

fn rests(stage: &mut Stage, worker: u64) {
    stage.play(Event::Rests(WorkerId(worker), RestingId(7)));
}

#[test]
fn a_connection_rests_while_somebody_serves_at_its_socket() {
    let mut stage = serving(&www(2));
    rests(&mut stage, 1);
    expect![""].assert_eq(&stage.calls());
    assert!(!stage.world().all_turned_away);
}

#[test]
fn nobody_rests_when_all_workers_are_sent_away() {
    for signal in [Signal::QUIT, Signal::WINCH] {
        let mut stage = serving(&www(1));
        stage.signal(signal);
        assert!(stage.world().all_turned_away, "{signal}");
        rests(&mut stage, 1);
        expect![[r#"
            quit zygote 1
            drain worker 1, closing
            turn away 7"#]]
        .assert_eq(&stage.calls());
    }
}

#[test]
fn who_was_no_worker_leaves_nothing() {
    let mut stage = serving(&www(1));
    rests(&mut stage, 99);
    expect!["turn away 7"].assert_eq(&stage.calls());
}

#[test]
fn a_pool_that_goes_leaves_its_clients_to_nobody() {
    let mut config = www(1);
    config.pools.push(Pool::new("gone", "/run/gone.sock"));
    let mut stage = serving(&config);
    stage.world().next = Some(www(1));
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    expect![[r#"
        prepare generation 2
        start zygote 2
        spawn worker 3 of pool 0 in slot 0 by zygote 2
        generation 2 serves
        quit zygote 1
        drain worker 2, closing
        drain worker 1"#]]
    .assert_eq(&stage.calls());
    rests(&mut stage, 2);
    expect!["turn away 7"].assert_eq(&stage.calls());
}
