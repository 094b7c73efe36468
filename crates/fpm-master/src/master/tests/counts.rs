//! What the master counts in the ledger.

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_channel::worker::FromWorker;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use fpm_scoreboard::Departure;

use super::fake::Stage;
use super::{serving, www};
use crate::event::Event;
use crate::obituary::killed;
use crate::world::Count;

/// Returns what has been counted since this was asked last, without the births of workers.
fn counted(stage: &mut Stage) -> Vec<Count> {
    let counts = std::mem::take(&mut stage.world().counts).into_iter();
    counts
        .filter(|count| !matches!(count, Count::Spawned(_)))
        .collect()
}

fn departures(stage: &mut Stage) -> Vec<Departure> {
    let counts = counted(stage).into_iter();
    let departures = counts.filter_map(|count| match count {
        Count::Departed(pool, departure) if pool.index.0 == 0 => Some(departure),
        _ => None,
    });
    departures.collect()
}

fn segfault() -> ExitStatus {
    killed(Signal::from_number(11).unwrap())
}

#[test]
fn births_and_ends_of_workers() {
    let mut stage = serving(&www(2));
    let births = stage.world().counts.len();
    assert_eq!((births, counted(&mut stage)), (2, vec![]));
    stage.worker_ends(1, segfault());
    stage.worker_ends(2, ExitStatus::Code(255));
    assert_eq!(
        departures(&mut stage),
        [Departure::Killed, Departure::Exited]
    );
    stage.settle();
    stage.signal(Signal::QUIT);
    stage.worker_ends(3, ExitStatus::Code(0));
    assert_eq!(departures(&mut stage), [], "the daemon ends, too");
}

#[test]
fn a_reload_its_time_and_the_workers_that_left_for_it() {
    let config = www(1);
    let mut stage = serving(&config);
    counted(&mut stage);
    stage.world().next = Some(config);
    stage.signal(Signal::USR2);
    stage.pass(Duration::from_secs(3));
    stage.ready(2);
    stage.settle();
    stage.obey();
    stage.pass(Duration::from_millis(10));
    let counts = counted(&mut stage);
    assert!(
        matches!(
            counts[..],
            [Count::Reloaded(_), Count::Departed(_, Departure::Reload)]
                | [Count::Departed(_, Departure::Reload), Count::Reloaded(_)]
        ),
        "{counts:?}"
    );
    let took_three = |count: &Count| matches!(count, Count::Reloaded(time) if time.as_secs() == 3);
    assert!(counts.iter().any(took_three), "{counts:?}");

    stage.world().next = None;
    stage.signal(Signal::USR2);
    assert_eq!(counted(&mut stage), [Count::ReloadFailed]);
}

#[test]
fn a_zygote_that_died_and_lines_that_were_lost() {
    let mut stage = serving(&www(1));
    counted(&mut stage);
    stage.play(Event::WorkerSaid(
        WorkerId(1),
        FromWorker::AccessLinesLost(7),
    ));
    stage.reaped(1001, segfault());
    let counts = counted(&mut stage);
    assert!(
        matches!(
            counts[..],
            [Count::AccessLinesLost(_, 7), Count::ZygoteLost]
        ),
        "{counts:?}"
    );
}
