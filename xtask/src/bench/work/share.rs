//! More workers than clients: whether the kernel lets a few of them do the work, so that the others are really idle.

use anyhow::Context as _;
use serde::Deserialize;

use super::Bench;
use crate::bench::case::{Case, Connection, Page};
use crate::bench::fpm::Fpm;
use crate::bench::load::{Failures, Plan, Until, ask, run};
use crate::bench::metric::Metric;
use crate::bench::pages;
use crate::bench::side::{Measured, Side};
use crate::bench::site::{Pools, Site};

/// The part of the status page that is used here.
#[derive(Deserialize)]
struct Status {
    processes: Vec<Process>,
}

#[derive(Deserialize)]
struct Process {
    requests: u64,
}

/// Counts the workers of a new daemon that had requests.
///
/// # Errors
/// When an answer is wrong or missing.
pub(super) fn measure(
    bench: &Bench,
    case: &Case,
    workers: u32,
    clients: usize,
) -> anyhow::Result<Measured> {
    bench.alternate(case, |side| one_run(bench, side, workers, clients))
}

fn one_run(
    bench: &Bench,
    side: Side,
    workers: u32,
    clients: usize,
) -> anyhow::Result<[(Metric, f64); 2]> {
    let site = Site::create(&bench.opcache)?;
    let pools = Pools::fixed(workers).beside_the_load();
    let mut fpm = Fpm::start(&bench.programs, side, &site, &pools)?;
    let mut question = Page::Hello.question(&site.root().join("www"), Connection::OneRequest);
    question.body = fpm.first_answer(0, &question.bytes)?.0;
    fpm.all_workers(usize::try_from(workers)?)?;
    let run = run(&Plan {
        address: fpm.address(),
        question: &question,
        clients,
        threads: 1,
        until: Until::Time(bench.effort.run),
        failures: Failures::Fatal,
    })?;
    let page = ask(fpm.address(), &pages::status_request(site.root()))?;
    fpm.stop()?;
    Ok([
        (Metric::RequestsPerSecond, run.requests_per_second()),
        (Metric::WorkersUsed, used(&page)? as f64),
    ])
}

/// Workers that had requests; the one that prints the page may have had no other.
fn used(page: &[u8]) -> anyhow::Result<usize> {
    let status: Status = serde_json::from_slice(page)
        .with_context(|| format!("not a status page: {}", String::from_utf8_lossy(page)))?;
    Ok(status
        .processes
        .iter()
        .filter(|process| process.requests > 1)
        .count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_workers_with_requests_count() {
        let page = br#"{"pool":"www","processes":[{"pid":1,"requests":900},{"pid":2,"requests":1},{"pid":3,"requests":0}]}"#;
        assert_eq!(used(page).unwrap(), 1);
        assert!(used(b"File not found.").is_err());
    }
}
