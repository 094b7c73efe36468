//! Medians, ratios and how far they can be trusted.
//!
//! Nothing is assumed about how the noise is distributed: the spread of a ratio is the narrowest pair of measured values,
//! counted from both ends, that holds the true median with 95 %. It takes six pairs to have one.

use super::metric::Better;

/// How sure the spread is to hold the true median.
const CONFIDENCE: f64 = 0.95;

/// What the runs of both daemons say about one metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    /// The median of our runs.
    pub(super) ours: f64,
    /// The median of the original's runs.
    pub(super) theirs: f64,
    /// The median of the ratios of ours to theirs, run by run; `None` when the original's figure is 0.
    pub(super) ratio: Option<f64>,
    /// The spread of the ratios; `None` with too few runs.
    pub(super) spread: Option<(f64, f64)>,
}

/// What a comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Better,
    Worse,
    /// The spread swallows the difference.
    NoDifference,
    /// Too few runs to say how far the ratio can be trusted.
    Unchecked,
}

impl Comparison {
    /// Compares run by run; both sides have equally many, at least one.
    pub(super) fn of(ours: &[f64], theirs: &[f64]) -> Option<Comparison> {
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let finite = ratios.iter().all(|ratio| ratio.is_finite());
        Some(Comparison {
            ours: median(ours)?,
            theirs: median(theirs)?,
            ratio: if finite { median(&ratios) } else { None },
            spread: if finite { spread(&ratios) } else { None },
        })
    }

    /// Says what it shows.
    pub(super) fn verdict(&self, better: Better) -> Verdict {
        let Some((low, high)) = self.spread else {
            return Verdict::Unchecked;
        };
        if low <= 1.0 && high >= 1.0 {
            return Verdict::NoDifference;
        }
        if (low > 1.0) == (better == Better::Higher) {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    }
}

/// The value in the middle; `None` of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The narrowest pair of values that holds the true median with [`CONFIDENCE`].
fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values);
    let outside = values_outside(sorted.len())?;
    Some((sorted[outside], sorted[sorted.len() - 1 - outside]))
}

/// How many of `count` values may be left out on either side; `None` when even all of them are too few.
///
/// The true median lies below the k-th smallest value with the probability of fewer than k heads in `count` throws.
fn values_outside(count: usize) -> Option<usize> {
    let all = 0.5_f64.powi(i32::try_from(count).ok()?);
    let (mut ways, mut below, mut outside) = (1.0, 0.0, None);
    for left_out in 0..count / 2 {
        below += ways * all;
        if 1.0 - 2.0 * below < CONFIDENCE {
            break;
        }
        outside = Some(left_out);
        ways *= (count - left_out) as f64 / (left_out + 1) as f64;
    }
    outside
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn the_spread_leaves_out_what_95_percent_allow() {
        // From tables of the sign test.
        let expected = [
            (5, None),
            (6, Some(0)),
            (7, Some(0)),
            (9, Some(1)),
            (12, Some(2)),
            (20, Some(5)),
            (25, Some(7)),
        ];
        for (count, outside) in expected {
            assert_eq!(values_outside(count), outside, "{count}");
        }
    }

    #[test]
    fn ratios_are_taken_run_by_run() {
        // The machine was twice as fast in the second half; the ratio was not.
        let theirs = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0];
        let ours = theirs.map(|value| value * 1.5);
        let comparison = Comparison::of(&ours, &theirs).unwrap();
        assert_eq!(comparison.ratio, Some(1.5));
        assert_eq!(comparison.spread, Some((1.5, 1.5)));
        assert_eq!(comparison.verdict(Better::Higher), Verdict::Better);
        assert_eq!(comparison.verdict(Better::Lower), Verdict::Worse);
    }

    #[test]
    fn a_difference_inside_the_spread_is_none() {
        let ours = [0.9, 1.1, 1.2, 1.2, 1.3, 1.1, 1.2];
        let comparison = Comparison::of(&ours, &[1.0; 7]).unwrap();
        assert_eq!(comparison.ratio, Some(1.2));
        assert_eq!(comparison.verdict(Better::Higher), Verdict::NoDifference);
    }

    #[test]
    fn few_runs_and_noughts_decide_nothing() {
        let few = Comparison::of(&[2.0], &[1.0]).unwrap();
        assert_eq!(
            (few.ratio, few.verdict(Better::Lower)),
            (Some(2.0), Verdict::Unchecked)
        );
        let nought = Comparison::of(&[2.0], &[0.0]).unwrap();
        assert_eq!((nought.ratio, nought.spread), (None, None));
        assert_eq!(Comparison::of(&[], &[]), None);
    }
}
