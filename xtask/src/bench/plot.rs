//! A chart of all cases, as SVG: how many times better, with the spread.

use std::fmt::Write as _;

use super::finding::{Finding, Row};
use super::metric::Better;

const ROW: f64 = 26.0;
const TOP: f64 = 56.0;
const LABELS: f64 = 430.0;
const BARS: f64 = 420.0;
const MARGIN: f64 = 60.0;

/// How many times better a ratio is than 1, whichever way is better.
fn gain(row: &Row, ratio: f64) -> f64 {
    match row.metric.better() {
        Better::Higher => ratio,
        Better::Lower => 1.0 / ratio,
    }
}

/// Draws the row of every case that stands for it; `title` is a line of text.
pub(super) fn svg(findings: &[Finding], title: &str) -> String {
    let rows: Vec<(&str, &Row, f64)> = findings
        .iter()
        .filter_map(|finding| {
            let row = finding.headline()?;
            let gain = gain(row, row.comparison.ratio?);
            gain.is_finite().then_some((finding.case.name, row, gain))
        })
        .collect();
    let most = rows
        .iter()
        .map(|(_, row, gain)| gain.max(ends(row, *gain).1))
        .fold(2.0, f64::max);
    let scale = BARS / most;
    let height = TOP + ROW * rows.len() as f64 + 40.0;
    let width = LABELS + BARS + MARGIN;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\">{}</text>\n\
         <text x=\"12\" y=\"40\" fill=\"#555\">how many times better than php-fpm; lines are the 95 % spread</text>\n",
        escaped(title)
    );
    for (index, (name, row, gain)) in rows.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let middle = y + ROW / 2.0;
        let (low, high) = ends(row, *gain);
        let colour = if low > 1.0 {
            "#2f7d4f"
        } else if high < 1.0 {
            "#b5442e"
        } else {
            "#9a9a9a"
        };
        let label = format!("{name}: {}", row.metric.name());
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            LABELS - 10.0,
            middle + 4.0,
            escaped(&label)
        );
        let _ = writeln!(
            text,
            "<rect x=\"{LABELS}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>",
            y + 4.0,
            gain * scale,
            ROW - 8.0
        );
        let _ = writeln!(
            text,
            "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.0}\" y2=\"{middle:.0}\" stroke=\"black\"/>",
            LABELS + low * scale,
            LABELS + high * scale
        );
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.0}\">{gain:.2} ×</text>",
            LABELS + gain.max(high) * scale + 6.0,
            middle + 4.0
        );
    }
    let one = LABELS + scale;
    let _ = writeln!(
        text,
        "<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{TOP}\" y2=\"{:.0}\" stroke=\"black\" stroke-dasharray=\"3 3\"/>",
        height - 36.0
    );
    let _ = writeln!(
        text,
        "<text x=\"{one:.1}\" y=\"{:.0}\" text-anchor=\"middle\">1 ×</text>\n</svg>",
        height - 20.0
    );
    text
}

/// The ends of the spread, the lesser gain first.
fn ends(row: &Row, gain_of_ratio: f64) -> (f64, f64) {
    let Some((low, high)) = row.comparison.spread else {
        return (gain_of_ratio, gain_of_ratio);
    };
    let (low, high) = (gain(row, low), gain(row, high));
    (low.min(high), low.max(high))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::select;
    use crate::bench::metric::Metric;
    use crate::bench::side::{Measured, Side};

    fn finding(name: &str, metric: Metric, ours: f64, theirs: f64) -> Finding {
        let mut measured = Measured::default();
        measured.add(Side::Ours, [(metric, ours); 7]);
        measured.add(Side::Theirs, [(metric, theirs); 7]);
        Finding::of(select(&[name.to_owned()]).unwrap()[0], measured)
    }

    #[test]
    fn less_is_drawn_as_more_where_less_is_better() {
        let findings = [
            finding("hello", Metric::RequestsPerSecond, 3.0, 2.0),
            finding("cold", Metric::ColdPool, 2.0, 5.0),
            finding("idle", Metric::WorkerWakeups, 1.0, 0.0),
        ];
        let svg = svg(&findings, "a < b");
        assert!(
            svg.contains(">1.50 ×<") && svg.contains(">2.50 ×<"),
            "{svg}"
        );
        assert!(svg.contains("a &lt; b") && svg.trim_end().ends_with("</svg>"));
        // No ratio, no bar.
        assert!(!svg.contains("idle"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
