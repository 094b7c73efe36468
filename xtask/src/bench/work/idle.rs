//! What a daemon does while there is nothing to do.

use std::thread;
use std::time::Duration;

use super::Bench;
use crate::bench::case::{Connection, Page};
use crate::bench::fpm::Fpm;
use crate::bench::metric::Metric;
use crate::bench::procfs::{self, Tree};
use crate::bench::side::{Both, Measured, Side};
use crate::bench::site::{Pools, Site};

/// How long a daemon may still be busy with its start.
const SETTLE: Duration = Duration::from_secs(2);

/// Watches both at the same time: a static pool of two workers after one request.
///
/// # Errors
/// When one does not start.
pub(super) fn measure(bench: &Bench) -> anyhow::Result<Measured> {
    let site = Site::create(&bench.opcache)?;
    let question = Page::Hello.question(&site.root().join("www"), Connection::OneRequest);
    let both = Both::try_make(|side| {
        let mut fpm = Fpm::start(&bench.programs, side, &site, &Pools::fixed(2))?;
        fpm.first_answer(0, &question.bytes)?;
        fpm.all_workers(2)?;
        anyhow::Ok(fpm)
    })?;
    thread::sleep(SETTLE);
    let trees = Both::try_make(|side| both.of(side).tree())?;
    let before = Both::try_make(|side| Wakeups::of(trees.of(side)))?;
    eprintln!("  idle: watching both for {:?}", bench.effort.watch);
    thread::sleep(bench.effort.watch);
    let mut measured = Measured::default();
    for side in Side::BOTH {
        let (before, after) = (before.of(side), Wakeups::of(trees.of(side))?);
        let minutes = bench.effort.watch.as_secs_f64() / 60.0;
        let rate = |after: u64, before: u64| (after - before) as f64 / minutes;
        measured.add(
            side,
            [
                (Metric::MasterWakeups, rate(after.master, before.master)),
                (Metric::ZygoteWakeups, rate(after.zygote, before.zygote)),
                // Two workers.
                (
                    Metric::WorkerWakeups,
                    rate(after.workers, before.workers) / 2.0,
                ),
            ],
        );
    }
    both.ours.stop()?;
    both.theirs.stop()?;
    Ok(measured)
}

/// The processor time, in milliseconds a minute, of a daemon that nobody asks.
///
/// # Errors
/// When one of its processes ends.
pub(super) fn processor_time(fpm: &Fpm, watch: Duration) -> anyhow::Result<f64> {
    thread::sleep(SETTLE);
    let tree = fpm.tree()?;
    let before = tree.processor_time()?;
    thread::sleep(watch);
    let used = tree.processor_time()? - before;
    Ok(used.as_secs_f64() * 1e3 * 60.0 / watch.as_secs_f64())
}

/// How often processes have been given a processor so far.
struct Wakeups {
    master: u64,
    zygote: u64,
    workers: u64,
}

impl Wakeups {
    fn of(tree: &Tree) -> anyhow::Result<Wakeups> {
        let sum = |pids: &[i32]| {
            pids.iter()
                .try_fold(0, |sum, pid| anyhow::Ok(sum + procfs::switches(*pid)?))
        };
        Ok(Wakeups {
            master: procfs::switches(tree.master)?,
            zygote: sum(&tree.zygotes)?,
            workers: sum(&tree.workers)?,
        })
    }
}
