//! What came of a case: comparisons, and whether the targets are reached.

use super::case::{Bound, Case, Target};
use super::metric::Metric;
use super::side::{Both, Measured};
use super::statistics::Comparison;

/// A case with its figures.
pub(super) struct Finding {
    pub(super) case: &'static Case,
    pub(super) rows: Vec<Row>,
    pub(super) remarks: Vec<String>,
}

/// One metric of a case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) metric: Metric,
    pub(super) comparison: Comparison,
    /// The figures of all runs.
    pub(super) runs: Both<Vec<f64>>,
    pub(super) target: Option<(Target, Outcome)>,
}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Reached,
    Missed,
    /// The target lies within the spread.
    Open,
}

impl Finding {
    /// Compares.
    pub(super) fn of(case: &'static Case, measured: Measured) -> Finding {
        let rows = measured.figures.into_iter().filter_map(|(metric, runs)| {
            let comparison = Comparison::of(&runs.ours, &runs.theirs)?;
            let target = case
                .targets
                .iter()
                .find(|target| target.metric == metric)
                .map(|target| (*target, outcome(target.bound, &comparison)));
            Some(Row {
                metric,
                comparison,
                runs,
                target,
            })
        });
        Finding {
            case,
            rows: rows.collect(),
            remarks: measured.remarks,
        }
    }

    /// The row that stands for the case: that of its first target, else its first.
    pub(super) fn headline(&self) -> Option<&Row> {
        let first = self.case.targets.first();
        self.rows
            .iter()
            .find(|row| first.is_some_and(|target| target.metric == row.metric))
            .or_else(|| self.rows.first())
    }
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Reached => "reached",
            Outcome::Missed => "missed",
            Outcome::Open => "within the spread",
        }
    }
}

/// Holds a comparison against a bound, with the spread if there is one.
fn outcome(bound: Bound, comparison: &Comparison) -> Outcome {
    // Two noughts are as good as each other.
    let ratio = match (comparison.ratio, comparison.ours) {
        (Some(ratio), _) => ratio,
        (None, 0.0) => 1.0,
        (None, _) => f64::INFINITY,
    };
    let (low, high) = comparison.spread.unwrap_or((ratio, ratio));
    let (surely, perhaps) = match bound {
        Bound::RatioFrom(least) => (low >= least, high >= least),
        Bound::RatioTo(most) => (high <= most, low <= most),
        Bound::ValueTo(most) => {
            // As exact as it is shown: a worker that looks for a client in vain is no call more a request.
            let value = (comparison.ours * 10.0).round() / 10.0;
            (value <= most, value <= most)
        }
    };
    match (surely, perhaps) {
        (true, _) => Outcome::Reached,
        (false, true) => Outcome::Open,
        (false, false) => Outcome::Missed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::select;
    use crate::bench::side::Side;

    #[test]
    fn bounds_are_held_against_the_whole_spread() {
        let spread = |low, high| Comparison {
            ours: 11.0,
            theirs: 10.0,
            ratio: Some(f64::midpoint(low, high)),
            spread: Some((low, high)),
        };
        let more = Bound::RatioFrom(1.6);
        assert_eq!(outcome(more, &spread(1.6, 1.8)), Outcome::Reached);
        assert_eq!(outcome(more, &spread(1.5, 1.8)), Outcome::Open);
        assert_eq!(outcome(more, &spread(1.2, 1.5)), Outcome::Missed);
        let less = Bound::RatioTo(1.0);
        assert_eq!(outcome(less, &spread(0.5, 1.0)), Outcome::Reached);
        assert_eq!(outcome(less, &spread(0.9, 1.1)), Outcome::Open);
        assert_eq!(outcome(less, &spread(1.1, 1.2)), Outcome::Missed);
        assert_eq!(
            outcome(Bound::ValueTo(12.0), &spread(0.5, 2.0)),
            Outcome::Reached
        );
        assert_eq!(
            outcome(Bound::ValueTo(10.0), &spread(0.5, 2.0)),
            Outcome::Missed
        );
    }

    #[test]
    fn two_noughts_are_equal() {
        let nought = |ours| Comparison::of(&[ours], &[0.0]).unwrap();
        assert_eq!(outcome(Bound::RatioTo(1.0), &nought(0.0)), Outcome::Reached);
        assert_eq!(outcome(Bound::RatioTo(1.0), &nought(1.0)), Outcome::Missed);
    }

    #[test]
    fn the_first_target_stands_for_the_case() {
        let case = select(&["share".to_owned()]).unwrap()[0];
        let mut measured = Measured::default();
        for side in Side::BOTH {
            measured.add(
                side,
                [(Metric::RequestsPerSecond, 9.0), (Metric::WorkersUsed, 4.0)],
            );
        }
        let finding = Finding::of(case, measured);
        assert_eq!(finding.rows.len(), 2);
        assert_eq!(finding.headline().unwrap().metric, Metric::WorkersUsed);
    }
}
