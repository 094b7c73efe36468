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
) -> anyhow::Result<[(Metric, f64); 3]> {
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
    let requests = requests(&page)?;
    Ok([
        (Metric::RequestsPerSecond, run.requests_per_second()),
        (Metric::WorkersUsed, requests.len() as f64),
        (Metric::WorkersForMost, for_most(&requests) as f64),
    ])
}

/// How many requests each worker had that had any, most first; the one that prints the page may have had no other.
fn requests(page: &[u8]) -> anyhow::Result<Vec<u64>> {
    let status: Status = serde_json::from_slice(page)
        .with_context(|| format!("not a status page: {}", String::from_utf8_lossy(page)))?;
    let requests = status.processes.iter().map(|process| process.requests);
    let mut requests: Vec<_> = requests.filter(|requests| *requests > 1).collect();
    requests.sort_unstable_by(|one, other| other.cmp(one));
    Ok(requests)
}

/// How many of the first have 99 of 100 requests.
fn for_most(requests: &[u64]) -> usize {
    let all: u64 = requests.iter().sum();
    let together = requests.iter().scan(0, |sum, requests| {
        *sum += requests;
        Some(*sum)
    });
    let before = together.take_while(|sum| sum * 100 < all * 99).count();
    requests.len().min(before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_workers_with_requests_count() {
        let page = br#"{"pool":"www","processes":[{"pid":1,"requests":9},{"pid":2,"requests":1},{"pid":3,"requests":900},{"pid":4,"requests":0}]}"#;
        assert_eq!(requests(page).unwrap(), [900, 9]);
        assert!(requests(b"File not found.").is_err());
    }

    #[test]
    fn the_fewest_that_have_most() {
        assert_eq!(for_most(&[900, 9]), 1);
        assert_eq!(for_most(&[900, 10]), 2);
        assert_eq!(for_most(&[50, 40, 9, 1]), 3);
        assert_eq!(for_most(&[1; 20]), 20);
        assert_eq!(for_most(&[]), 0);
    }
}
