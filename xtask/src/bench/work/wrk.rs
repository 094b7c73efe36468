//! Requests through nginx, asked and counted by a program that is not ours: wrk. It looks at the status of answers only.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Bench;
use super::serve::{self, Served};
use crate::bench::case::{Case, Page, Traffic, Way};
use crate::bench::metric::Metric;
use crate::bench::side::{Both, Measured};
use crate::bench::site::{Pools, Site};

/// What wrk says of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Report {
    requests: f64,
    requests_per_second: f64,
    /// In microseconds.
    median: f64,
    /// In microseconds.
    p99: f64,
}

/// Lets wrk ask both in turns.
///
/// # Errors
/// When wrk cannot be run, or reports errors.
pub(super) fn measure(bench: &Bench, case: &Case, clients: u32) -> anyhow::Result<Measured> {
    let site = Site::create(&bench.opcache)?;
    let traffic = Traffic {
        way: Way::Nginx,
        ..Traffic::of(Page::Hello)
    };
    let folder = site.root().join("www");
    let both = Both::try_make(|side| {
        let pools = Pools::fixed(traffic.workers);
        serve::start(bench, &site, side, &traffic, pools, &folder)
    })?;
    let measured = bench.alternate(case, |side| {
        let served = both.of(side);
        let tree = served.fpm.tree()?;
        let before = tree.processor_time()?;
        let report = one_run(served, clients, bench.effort.run)?;
        let used = tree.processor_time()? - before;
        Ok([
            (Metric::RequestsPerSecond, report.requests_per_second),
            (
                Metric::CpuPerRequest,
                used.as_secs_f64() * 1e6 / report.requests,
            ),
            (Metric::Median, report.median),
            (Metric::P99, report.p99),
        ])
    })?;
    both.ours.stop()?;
    both.theirs.stop()?;
    Ok(measured)
}

fn one_run(served: &Served, clients: u32, time: Duration) -> anyhow::Result<Report> {
    let nginx = served.nginx.as_ref().context("there is no nginx")?;
    // wrk counts in whole seconds.
    let seconds = time.as_secs().max(1);
    let output = Command::new("wrk")
        .args(["--threads=1", "--latency"])
        .arg(format!("--connections={clients}"))
        .arg(format!("--duration={seconds}s"))
        .arg(format!("http://{}/sized.php", nginx.address()))
        .output()
        .context("cannot start wrk (Debian: wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Socket errors:") || text.contains("Non-2xx or 3xx responses:") {
        bail!("a run with errors does not count:\n{text}");
    }
    report(&text).with_context(|| format!("cannot understand wrk:\n{text}"))
}

fn report(text: &str) -> Option<Report> {
    let after = |key: &str| {
        text.lines()
            .find_map(|line| line.trim_start().strip_prefix(key))
            .map(str::trim)
    };
    let requests = text.lines().find(|line| line.contains(" requests in "))?;
    Some(Report {
        requests: requests.split_whitespace().next()?.parse().ok()?,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        median: microseconds(after("50%")?)?,
        p99: microseconds(after("99%")?)?,
    })
}

/// Reads `1.23ms`.
fn microseconds(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    units.into_iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_understood() {
        let text = "\
Running 1s test @ http://127.0.0.1:8080/sized.php
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.59ms    0.85ms  15.28ms   93.53%
    Req/Sec    20.42k     1.53k   21.71k    90.00%
  Latency Distribution
     50%  812.00us
     75%    1.71ms
     90%    2.13ms
     99%    1.02s
  20411 requests in 1.00s, 3.62MB read
Requests/sec:  20361.41
Transfer/sec:      3.61MB
";
        let expected = Report {
            requests: 20411.0,
            requests_per_second: 20361.41,
            median: 812.0,
            p99: 1_020_000.0,
        };
        assert_eq!(report(text), Some(expected));
        assert_eq!(report("unable to connect"), None);
    }
}
