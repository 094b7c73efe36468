//! Which pools show that they can serve before a reload is committed.

use std::time::Duration;

use expect_test::expect;
use fpm_channel::Generation;
use fpm_conf::{Config, Pm, Pool, PoolIndex};
use fpm_os::signal::Signal;

use super::{Stage, serving, www};
use crate::event::Event;
use crate::pool::PoolId;
use crate::world::Activity;

/// A static pool, and so many ondemand ones behind it.
fn mass_hosting(pools: usize) -> Config {
    let mut config = www(1);
    for number in 0..pools {
        let mut pool = Pool::new(&format!("p{number}"), &format!("/run/{number}.sock"));
        (pool.pm, pool.pm_max_children) = (Pm::Ondemand, 5);
        config.pools.push(pool);
    }
    config
}

/// Reloads while these pools have a worker; returns the pools that were tried before the next generation served.
fn tried(config: &Config, at_work: &[u32]) -> Vec<u32> {
    tried_again(&mut serving(config), 2, at_work)
}

/// The same for this zygote's generation of a daemon.
fn tried_again(stage: &mut Stage, zygote: u64, at_work: &[u32]) -> Vec<u32> {
    stage.world().waiting = 1;
    for index in at_work {
        stage.play(Event::Connection(PoolId {
            generation: Generation(zygote - 1),
            index: PoolIndex(*index),
        }));
        stage.settle();
    }
    stage.world().waiting = 0;
    stage.calls();
    stage.signal(Signal::USR2);
    stage.ready(zygote);
    stage.settle();
    stage.pass(Duration::from_millis(10));
    let calls = stage.calls();
    let (calls, _) = calls
        .split_once(&format!("generation {zygote} serves"))
        .unwrap();
    let births = calls
        .lines()
        .filter_map(|call| call.split(" of pool ").nth(1));
    let pools = births.filter_map(|birth| birth.split(' ').next()?.parse().ok());
    pools.collect()
}

#[test]
fn all_pools_are_tried_while_they_are_few() {
    assert_eq!(tried(&mass_hosting(3), &[]), [0, 1, 2, 3]);
}

#[test]
fn of_many_pools_without_work_only_some_are_tried() {
    let sample: Vec<u32> = (0..=8).collect();
    assert_eq!(tried(&mass_hosting(500), &[]), sample);
    let with_work = [&sample[..], &[9, 400]].concat();
    assert_eq!(tried(&mass_hosting(500), &[7, 400]), with_work);
}

#[test]
fn workers_that_were_only_tried_are_no_work() {
    let mut config = mass_hosting(500);
    // With nobody at work the first reload is done at once.
    config.pools.remove(0);
    let mut stage = serving(&config);
    let first = tried_again(&mut stage, 2, &[]);
    assert_eq!(tried_again(&mut stage, 3, &[]), first);
}

#[test]
fn a_worker_that_hangs_at_its_birth_ends_the_reload_and_not_the_service() {
    let mut stage = serving(&www(1));
    stage.world().default_activity = Activity::Starting;
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.settle();
    stage.calls();
    stage.lines();
    stage.pass(Duration::from_millis(29_990));
    expect![""].assert_eq(&stage.lines());
    stage.pass(Duration::from_millis(20));
    expect![[r#"
        ERROR [pool www] no child of generation 2 has got as far as serving for 30 seconds, 1 pool(s) have none
        ERROR reload failed, generation 1 goes on
        DEBUG [pool www] sending signal 9 SIGKILL to child 2"#]]
    .assert_eq(&stage.lines());
    expect![[r#"
        quit zygote 2
        drain worker 2
        close sockets that only generation 2 has
        SIGKILL to worker 2 through zygote 2"#]]
    .assert_eq(&stage.calls());
}

#[test]
fn a_zygote_that_forks_nobody_ends_the_reload_and_not_the_service() {
    let mut stage = serving(&www(1));
    stage.world().default_activity = Activity::Starting;
    stage.signal(Signal::USR2);
    stage.ready(2);
    stage.calls();
    stage.pass(Duration::from_millis(30_010));
    expect![[r#"
        quit zygote 2
        drain worker 2
        close sockets that only generation 2 has
        SIGKILL to child 1002"#]]
    .assert_eq(&stage.calls());
}
