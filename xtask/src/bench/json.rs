//! All figures of all runs, for other programs.

use serde_json::{Value, json};

use super::finding::Finding;
use super::machine::Machine;
use super::work::Effort;

/// The whole report.
pub(super) fn report(machine: &Machine, effort: Effort, findings: &[Finding]) -> Value {
    let cases: Vec<Value> = findings.iter().map(case).collect();
    json!({
        "machine": machine.lines(),
        "pairs": effort.pairs,
        "seconds_a_run": effort.run.as_secs_f64(),
        "cases": cases,
    })
}

fn case(finding: &Finding) -> Value {
    let metrics: Vec<Value> = finding
        .rows
        .iter()
        .map(|row| {
            json!({
                "metric": row.metric.key(),
                "fpmd": row.runs.ours,
                "php_fpm": row.runs.theirs,
                "ratio": row.comparison.ratio,
                "spread": row.comparison.spread.map(|(low, high)| [low, high]),
                "target": row.target.map(|(target, _)| target.bound.to_string()),
                "outcome": row.target.map(|(_, outcome)| outcome.name()),
            })
        })
        .collect();
    json!({
        "case": finding.case.name,
        "about": finding.case.about,
        "metrics": metrics,
        "remarks": finding.remarks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::select;
    use crate::bench::metric::Metric;
    use crate::bench::side::{Measured, Side};

    #[test]
    fn every_run_is_in_it() {
        let mut measured = Measured::default();
        measured.add(
            Side::Ours,
            [(Metric::ColdPool, 5.0), (Metric::ColdPool, 6.0)],
        );
        measured.add(
            Side::Theirs,
            [(Metric::ColdPool, 10.0), (Metric::ColdPool, 10.0)],
        );
        let finding = Finding::of(select(&["cold".to_owned()]).unwrap()[0], measured);
        let report = report(&Machine::default(), Effort::QUICK, &[finding]);
        let metric = &report["cases"][0]["metrics"][0];
        assert_eq!(metric["metric"], "cold_pool");
        assert_eq!(metric["fpmd"], json!([5.0, 6.0]));
        assert_eq!(metric["ratio"], 0.55);
        assert_eq!(metric["outcome"], "reached");
    }
}
