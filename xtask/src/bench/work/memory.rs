//! What workers cost in memory.

use super::Bench;
use crate::bench::case::{Case, Connection, Page};
use crate::bench::fpm::Fpm;
use crate::bench::load::{Failures, Plan, Until, run};
use crate::bench::metric::Metric;
use crate::bench::procfs::{Memory, Tree};
use crate::bench::side::{Measured, Side};
use crate::bench::site::{Pools, Site};

/// How many requests each worker has had on average before it is looked at.
const REQUESTS: usize = 40;

/// Looks at the memory of so many workers after traffic that reached all of them.
///
/// # Errors
/// When an answer is wrong or missing.
pub(super) fn measure(bench: &Bench, case: &Case, workers: u32) -> anyhow::Result<Measured> {
    bench.alternate(case, |side| one_run(bench, side, workers))
}

fn one_run(bench: &Bench, side: Side, workers: u32) -> anyhow::Result<Vec<(Metric, f64)>> {
    let site = Site::create(&bench.opcache)?;
    let mut fpm = Fpm::start(&bench.programs, side, &site, &Pools::fixed(workers))?;
    let count = usize::try_from(workers)?;
    // A kept connection holds its worker: with as many clients as workers each of them has its share.
    for page in [Page::Hello, Page::Json] {
        let mut question = page.question(&site.root().join("www"), Connection::Kept);
        question.body = fpm.first_answer(0, &question.bytes)?.0;
        fpm.all_workers(count)?;
        run(&Plan {
            address: fpm.address(),
            question: &question,
            clients: count,
            threads: 1,
            until: Until::Requests(REQUESTS * count),
            failures: Failures::Fatal,
        })?;
    }
    let figures = figures(&fpm.tree()?)?;
    fpm.stop()?;
    Ok(figures)
}

fn figures(tree: &Tree) -> anyhow::Result<Vec<(Metric, f64)>> {
    let sum = |pids: &[i32]| -> anyhow::Result<Memory> {
        pids.iter().try_fold(Memory::default(), |sum, pid| {
            let memory = Memory::of(*pid)?;
            Ok(Memory {
                pss: sum.pss + memory.pss,
                private_dirty: sum.private_dirty + memory.private_dirty,
            })
        })
    };
    let workers = sum(&tree.workers)?;
    let all = sum(&tree.all().collect::<Vec<i32>>())?;
    let count = tree.workers.len() as f64;
    Ok(vec![
        (Metric::WorkerPss, workers.pss as f64 / count),
        (Metric::WorkerPrivate, workers.private_dirty as f64 / count),
        (Metric::DaemonPss, all.pss as f64),
    ])
}
