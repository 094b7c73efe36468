//! The status page for Prometheus, read by Prometheus' own parsers for Python.

use anyhow::Context;
use fpmd_tests::{Daemon, PhpVersion, Python, Result, Subject};
use serde_json::Value;

/// Reads a page with the parser that Prometheus' text format has and with that of OpenMetrics, which is strict. Prints what each
/// found, or what it complained of.
const READ: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict

def read(parse, page):
    try:
        return {f.name: [f.type, s.value, f.documentation] for f in parse(page) for s in f.samples}
    except ValueError as error:
        return str(error)

page = sys.stdin.read()
print(json.dumps([read(text, page), read(strict, page), read(strict, page.replace(' counter\\n', ' unknown\\n'))]))
";

/// Every metric, its kind, and its value in a pool whose only worker has just been asked for the first time.
const METRICS: [(&str, &str, Option<f64>); 12] = [
    ("phpfpm_up", "gauge", Some(1.0)),
    ("phpfpm_start_since", "counter", None),
    ("phpfpm_accepted_connections", "counter", Some(1.0)),
    ("phpfpm_listen_queue", "gauge", Some(0.0)),
    ("phpfpm_max_listen_queue", "counter", Some(0.0)),
    ("phpfpm_listen_queue_length", "gauge", None),
    ("phpfpm_idle_processes", "gauge", Some(0.0)),
    ("phpfpm_active_processes", "gauge", Some(1.0)),
    ("phpfpm_total_processes", "gauge", Some(1.0)),
    ("phpfpm_max_active_processes", "counter", Some(1.0)),
    ("phpfpm_max_children_reached", "counter", Some(0.0)),
    ("phpfpm_slow_requests", "counter", Some(0.0)),
];

fn read() -> Result<[Value; 3]> {
    let fpm = Daemon::new().pool("pm.status_path = /status").start()?;
    let page = fpm.status_page("?openmetrics")?.text();
    let printed = Python::with("prometheus_client==0.26.0")?.run(READ, &page)?;
    serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))
}

/// Checks that a parser has found all metrics and nothing else, with counters called `counter`.
fn check(found: &Value, counter: &str) -> Result {
    let mut expected = METRICS.to_vec();
    if Subject::from_environment()?.php() >= PhpVersion(8, 4) {
        expected.push(("phpfpm_memory_peak", "gauge", None));
    }
    let count = found.as_object().map(serde_json::Map::len);
    assert_eq!(count, Some(expected.len()), "{found}");
    for (name, kind, value) in expected {
        let metric = &found[name];
        let kind = if kind == "counter" { counter } else { kind };
        assert_eq!(metric[0], kind, "{name}: {found}");
        let number = metric[1].as_f64().context("no number")?;
        assert!(value.is_none_or(|value| value == number), "{name}: {found}");
        assert!(
            metric[2]
                .as_str()
                .is_some_and(|help| help.ends_with(['.', '?']))
        );
    }
    Ok(())
}

#[test]
fn prometheus_text_parser_reads_all_of_it() -> Result {
    let [text, ..] = read()?;
    check(&text, "counter")
}

#[test]
fn strict_parser_only_misses_the_ending_of_counters() -> Result {
    let [_, strict, with_unknown_for_counters] = read()?;
    // OpenMetrics wants a counter's sample to end with `_total`; the name without that ending is then taken.
    assert_eq!(strict, "Clashing name: phpfpm_start_since");
    check(&with_unknown_for_counters, "unknown")
}
