//! The alert rules and the dashboard in conf/: what they ask for is there, and Prometheus understands them and the operator.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fpmd_tests::{Daemon, Fpm, Prometheus, Result, Under, operator, under, wait_until};
use serde_json::Value;

/// What Grafana puts in for its variables.
const VARIABLES: [(&str, &str); 3] = [
    ("$instance", ".*"),
    ("$pool", ".*"),
    ("$__rate_interval", "1m"),
];

fn conf(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../conf")
        .join(file)
}

/// The expressions of all panels, by their titles.
fn panels() -> Result<Vec<(String, String)>> {
    let board: Value = serde_json::from_str(&fs::read_to_string(conf("grafana-dashboard.json"))?)?;
    let mut found = Vec::new();
    for panel in board["panels"].as_array().context("no panels")? {
        let title = panel["title"].as_str().context("a panel without a title")?;
        let targets = panel["targets"].as_array().map(Vec::as_slice);
        for target in targets.unwrap_or_default() {
            let mut expression = target["expr"].as_str().context("no expression")?.to_owned();
            for (variable, value) in VARIABLES {
                expression = expression.replace(variable, value);
            }
            assert!(!expression.contains('$'), "{title}: {expression}");
            found.push((title.to_owned(), expression));
        }
    }
    Ok(found)
}

/// The metrics that a text names, without the endings of a histogram's samples.
fn metrics(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let names = text.split(word).filter(|word| word.starts_with("fpmd_"));
    names
        .map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned())
        .collect()
}

/// A daemon that has served somebody, and the operator's address.
fn daemon() -> Result<(Fpm, String)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let fpm = Daemon::echo()
        .global(&format!("operator.listen = {port}"))
        .start()?;
    fpm.serves_on()?;
    Ok((fpm, format!("127.0.0.1:{port}")))
}

#[test]
fn prometheus_reads_the_numbers_and_understands_rules_and_dashboard() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let (_fpm, address) = daemon()?;
    let prometheus = Prometheus::start(&address, &conf("prometheus-rules.yml"))?;
    let served = "fpmd_pool_requests_total{pool=\"www\"} > 0";
    wait_until("it has read the numbers", || {
        Ok(!prometheus.evaluate(served)?.is_empty())
    })?;
    let targets = prometheus.ask("/api/v1/targets")?;
    let target = &targets["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["lastError"]),
        (&"up".into(), &"".into())
    );
    let histogram = "histogram_quantile(0.5, fpmd_pool_request_duration_seconds_bucket)";
    assert_eq!(prometheus.evaluate(histogram)?.len(), 1);

    for (title, expression) in panels()? {
        prometheus.evaluate(&expression).context(title)?;
    }
    let is_read = |rule: &Value| rule["health"] == "ok";
    wait_until("every rule has been evaluated", || {
        let groups = prometheus.ask("/api/v1/rules")?;
        let rules = groups["groups"][0]["rules"].as_array().cloned();
        Ok(rules.is_some_and(|rules| rules.len() > 10 && rules.iter().all(is_read)))
    })?;
    let alarm = prometheus.evaluate("ALERTS{alertstate=\"firing\"}")?;
    assert!(alarm.is_empty(), "a daemon that is well: {alarm:?}");
    Ok(())
}

#[test]
fn rules_and_dashboard_ask_for_nothing_that_is_not_there() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let (_fpm, address) = daemon()?;
    let told = operator::ask(std::net::TcpStream::connect(&address)?, "/metrics")?;
    let there = metrics(&told.body);
    for file in ["prometheus-rules.yml", "grafana-dashboard.json"] {
        let wanted = metrics(&fs::read_to_string(conf(file))?);
        assert!(wanted.len() > 5, "{file}: {wanted:?}");
        let missing: Vec<_> = wanted.difference(&there).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
    Ok(())
}
