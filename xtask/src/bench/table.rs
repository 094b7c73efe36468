//! What is printed: a block for every case as it ends, and all targets in one table at the end.

use std::fmt::Write as _;

use super::finding::{Finding, Row};
use super::metric::Figure;
use super::side::Side;
use super::statistics::Verdict;

/// Everything that a case showed.
pub(super) fn block(finding: &Finding) -> String {
    let case = finding.case;
    let mut text = format!("{}: {}\n", case.name, case.about);
    let _ = writeln!(
        text,
        "  {:28}{:>12}{:>12}{:>9}  95 % spread",
        "",
        Side::Ours,
        case.rival(),
        "ratio"
    );
    for row in &finding.rows {
        let comparison = &row.comparison;
        let line = format!(
            "  {:28}{:>12}{:>12}{:>9}  {:15}{}{}",
            row.metric.name(),
            Figure(comparison.ours),
            Figure(comparison.theirs),
            ratio(row),
            spread(row),
            verdict(row),
            target(row)
                .map(|target| format!("; target {target}"))
                .unwrap_or_default(),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for remark in &finding.remarks {
        let _ = writeln!(text, "  note: {remark}");
    }
    text
}

/// The row of every case that stands for it, and those with targets, in Markdown.
pub(super) fn summary(findings: &[Finding]) -> String {
    let mut text = format!(
        "| case | figure | {} | {} | ratio | 95 % spread | target |\n|---|---|---:|---:|---:|---|---|\n",
        Side::Ours,
        Side::Theirs
    );
    for finding in findings {
        let headline = finding.headline().map(|row| row.metric);
        for row in &finding.rows {
            if row.target.is_none() && Some(row.metric) != headline {
                continue;
            }
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                finding.case.about,
                row.metric.name(),
                Figure(row.comparison.ours),
                Figure(row.comparison.theirs),
                ratio(row),
                spread(row),
                target(row).unwrap_or_else(|| verdict(row).to_owned()),
            );
        }
    }
    text
}

/// The results as a text shows them: on what, by which command, and the table.
pub(super) fn section(machine: &[String], command: &str, summary: &str) -> String {
    format!(
        "```text\n$ {command}\n{}\n```\n\n{summary}",
        machine.join("\n")
    )
}

fn ratio(row: &Row) -> String {
    match row.comparison.ratio {
        Some(ratio) => format!("{ratio:.2}"),
        None => "–".to_owned(),
    }
}

fn spread(row: &Row) -> String {
    match row.comparison.spread {
        Some((low, high)) => format!("{low:.2} – {high:.2}"),
        None => "–".to_owned(),
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.comparison.verdict(row.metric.better()) {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::NoDifference => "no difference: the spread swallows it",
        Verdict::Unchecked => "",
    }
}

fn target(row: &Row) -> Option<String> {
    let (target, outcome) = row.target?;
    Some(format!("{}: {}", target.bound, outcome.name()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::bench::cases::select;
    use crate::bench::metric::Metric;
    use crate::bench::side::Measured;

    fn finding() -> Finding {
        let mut measured = Measured::default();
        for run in 0..7 {
            let noise = f64::from(run);
            let ours = [
                (Metric::RequestsPerSecond, 41_000.0 + 100.0 * noise),
                (Metric::P99, 200.0 + 10.0 * noise),
            ];
            let theirs = [(Metric::RequestsPerSecond, 24_000.0), (Metric::P99, 230.0)];
            measured.add(Side::Ours, ours);
            measured.add(Side::Theirs, theirs);
        }
        measured.add(Side::Ours, [(Metric::SystemCalls, 11.0)]);
        measured.add(Side::Theirs, [(Metric::SystemCalls, 32.0)]);
        measured.remarks.push("it rained".to_owned());
        Finding::of(select(&["hello".to_owned()]).unwrap()[0], measured)
    }

    #[test]
    fn a_block_shows_everything() {
        expect![[r#"
            hello: a line of text, one request a connection
                                                  fpmd     php-fpm    ratio  95 % spread
              requests a second                 41,300      24,000     1.72  1.71 – 1.73    better; target ≥ 1.6 ×: reached
              p99, µs                              230         230     1.00  0.87 – 1.13    no difference: the spread swallows it
              system calls a request              11.0        32.0     0.34  –              ; target ≤ 12: reached
              note: it rained
        "#]]
        .assert_eq(&block(&finding()));
    }

    #[test]
    fn the_summary_has_targets_and_headlines() {
        expect![[r#"
            | case | figure | fpmd | php-fpm | ratio | 95 % spread | target |
            |---|---|---:|---:|---:|---|---|
            | a line of text, one request a connection | requests a second | 41,300 | 24,000 | 1.72 | 1.71 – 1.73 | ≥ 1.6 ×: reached |
            | a line of text, one request a connection | system calls a request | 11.0 | 32.0 | 0.34 | – | ≤ 12: reached |
        "#]]
        .assert_eq(&summary(&[finding()]));
    }
}
