//! Reloads under load: who waits, and whose request is lost.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::Bench;
use crate::bench::case::{Case, Connection, Page};
use crate::bench::fpm::Fpm;
use crate::bench::load::{Failures, Plan, Until, run};
use crate::bench::metric::Metric;
use crate::bench::side::{Measured, Side};
use crate::bench::site::{Pools, Site};

/// How many reloads there are in one run.
const RELOADS: u32 = 10;

/// How long a reload has before the next one.
const INTERVAL: Duration = Duration::from_millis(500);

/// Serves through reloads, and without for comparison.
///
/// # Errors
/// When an answer is wrong; missing ones are counted.
pub(super) fn measure(bench: &Bench, case: &Case) -> anyhow::Result<Measured> {
    bench.alternate(case, |side| one_run(bench, side))
}

fn one_run(bench: &Bench, side: Side) -> anyhow::Result<[(Metric, f64); 3]> {
    let site = Site::create(&bench.opcache)?;
    let mut fpm = Fpm::start(&bench.programs, side, &site, &Pools::fixed(2))?;
    let mut question = Page::Hello.question(&site.root().join("www"), Connection::OneRequest);
    question.body = fpm.first_answer(0, &question.bytes)?.0;
    let plan = |time| Plan {
        address: fpm.address(),
        question: &question,
        clients: 4,
        threads: 1,
        until: Until::Time(time),
        failures: Failures::Counted,
    };
    let calm = run(&plan(bench.effort.run))?;
    let reloaded = reloading(&fpm, || run(&plan(INTERVAL * (RELOADS + 1))))?;
    fpm.stop()?;
    Ok([
        (
            Metric::ReloadSlowdown,
            reloaded.quantile(0.999) / calm.quantile(0.999),
        ),
        (Metric::ReloadLongest, reloaded.quantile(1.0) / 1e3),
        (Metric::ReloadFailures, reloaded.failures as f64),
    ])
}

/// Asks the master to reload again and again while `work` runs.
fn reloading<T>(fpm: &Fpm, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let operator = scope.spawn(move || -> anyhow::Result<()> {
            for _ in 0..RELOADS {
                fpm.signal(Signal::SIGUSR2)?;
                if stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            Ok(())
        });
        let result = work();
        drop(stop);
        match operator.join() {
            Ok(reloaded) => reloaded.context("cannot signal the master")?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        result
    })
}
