//! How soon a daemon is there, and how soon a pool that had no worker.

use std::time::Instant;

use super::{Bench, idle};
use crate::bench::case::{Case, Connection, Page};
use crate::bench::fpm::Fpm;
use crate::bench::load::{Question, ask};
use crate::bench::metric::Metric;
use crate::bench::procfs;
use crate::bench::side::{Both, Measured};
use crate::bench::site::{Pools, Site};
use crate::bench::statistics;

/// How many pools are woken up in one run.
const COLD_POOLS: usize = 5;

/// Starts both, one after the other, with one pool of so many workers.
///
/// # Errors
/// When one does not start.
pub(super) fn measure_workers(
    bench: &Bench,
    case: &Case,
    workers: u32,
) -> anyhow::Result<Measured> {
    let pools = Pools::fixed(workers);
    bench.alternate(case, |side| {
        let site = Site::create(&bench.opcache)?;
        let mut fpm = Fpm::start(&bench.programs, side, &site, &pools)?;
        let (_, first) = fpm.first_answer(0, &hello(&site).bytes)?;
        let all = fpm.all_workers(usize::try_from(workers)?)?;
        fpm.stop()?;
        Ok([
            (Metric::FirstAnswer, first.as_secs_f64() * 1e3),
            (Metric::AllWorkers, all.as_secs_f64() * 1e3),
        ])
    })
}

/// Starts both, one after the other, with so many `ondemand` pools, and watches them for a while.
///
/// # Errors
/// When one does not start.
pub(super) fn measure_pools(bench: &Bench, case: &Case, count: u32) -> anyhow::Result<Measured> {
    let pools = Pools::on_demand(count);
    let last = usize::try_from(count)? - 1;
    let mut watched = Both::<usize>::default();
    let mut measured = Measured::default();
    let starts = bench.alternate(case, |side| {
        let site = Site::create(&bench.opcache)?;
        let mut fpm = Fpm::start(&bench.programs, side, &site, &pools)?;
        let (_, first) = fpm.first_answer(last, &hello(&site).bytes)?;
        let master = procfs::resident(fpm.tree()?.master)?;
        // Doing nothing takes its time, and once is enough to see it.
        if *watched.of(side) == 0 {
            *watched.of_mut(side) += 1;
            let idle = idle::processor_time(&fpm, bench.effort.watch)?;
            measured.add(side, [(Metric::IdleCpu, idle)]);
        }
        let reload = fpm.reload(&site)?;
        fpm.stop()?;
        Ok([
            (Metric::FirstAnswer, first.as_secs_f64() * 1e3),
            (Metric::ReloadTime, reload.as_secs_f64() * 1e3),
            (Metric::MasterResident, master as f64),
        ])
    })?;
    measured.figures.extend(starts.figures);
    Ok(measured)
}

/// Asks pools that have no worker yet.
///
/// # Errors
/// When one does not answer.
pub(super) fn measure_cold_pool(bench: &Bench, case: &Case) -> anyhow::Result<Measured> {
    let site = Site::create(&bench.opcache)?;
    let question = hello(&site);
    let needed = 1 + COLD_POOLS * bench.effort.pairs;
    let pools = Pools::on_demand(u32::try_from(needed)?);
    let mut both = Both::try_make(|side| Fpm::start(&bench.programs, side, &site, &pools))?;
    // The first request of all compiles the script.
    both.ours.first_answer(0, &question.bytes)?;
    both.theirs.first_answer(0, &question.bytes)?;
    let mut next = Both { ours: 1, theirs: 1 };
    let measured = bench.alternate(case, |side| {
        let from = *next.of(side);
        *next.of_mut(side) += COLD_POOLS;
        let mut times = Vec::new();
        for address in &both.of(side).addresses()[from..from + COLD_POOLS] {
            let asked = Instant::now();
            Page::Hello.check(&ask(address, &question.bytes)?)?;
            times.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        Ok(statistics::median(&times).map(|time| (Metric::ColdPool, time)))
    })?;
    both.ours.stop()?;
    both.theirs.stop()?;
    Ok(measured)
}

fn hello(site: &Site) -> Question {
    Page::Hello.question(&site.root().join("www"), Connection::OneRequest)
}
