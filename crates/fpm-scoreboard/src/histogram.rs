//! Histograms with logarithmic buckets: which bucket a value is in, and what a filled histogram says.
//!
//! Every doubling is cut into four equal steps, so a bucket is never wider than a quarter of the values in it, and a percentile is
//! right to that. Bounds are inclusive, as OpenMetrics wants them (`le`), and every fourth is a power of two: who wants
//! fewer buckets takes only those. Pure.

use serde::{Deserialize, Serialize};

/// Steps of each doubling.
const STEPS: usize = 4;

/// What the values of a histogram are, and which range is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// Microseconds: 16 µs to 36 minutes.
    Time,
    /// Bytes: 256 KiB to 16 GiB.
    Memory,
}

/// How often values were seen, by their size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// What the values are.
    scale: Scale,
    /// All values added up.
    sum: u64,
    /// How many there were in each bucket.
    counts: Vec<u64>,
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The highest value that it has, in the unit of the scale; `None` in the last one, which has no limit.
    pub most: Option<u64>,
    /// How many values there were in it and in all before it.
    pub cumulated: u64,
}

impl Scale {
    /// Returns the binary logarithms of the first bound and of the last.
    const fn exponents(self) -> (u32, u32) {
        match self {
            Scale::Time => (4, 31),
            Scale::Memory => (18, 34),
        }
    }

    /// Returns how many buckets there are: one below the first bound, one above the last.
    #[must_use]
    pub const fn buckets(self) -> usize {
        let (first, last) = self.exponents();
        (last - first) as usize * STEPS + 2
    }

    /// Returns the bucket of a value.
    #[must_use]
    pub fn bucket(self, value: u64) -> usize {
        let (first, _) = self.exponents();
        // Bounds are inclusive: a power of two is the last value of its bucket.
        let below = value.saturating_sub(1);
        if below >> first == 0 {
            return 0;
        }
        let exponent = below.ilog2();
        let step = (below >> (exponent - STEPS.ilog2())) as usize % STEPS;
        let bucket = 1 + (exponent - first) as usize * STEPS + step;
        bucket.min(self.buckets() - 1)
    }

    /// Returns the highest value of a bucket; the last one has none.
    #[must_use]
    pub fn most(self, bucket: usize) -> Option<u64> {
        let (first, _) = self.exponents();
        if bucket >= self.buckets() - 1 {
            return None;
        }
        let doubled = 1 << (first as usize + bucket / STEPS);
        Some(doubled + doubled / STEPS as u64 * (bucket % STEPS) as u64)
    }
}

impl Histogram {
    /// Makes one of what was counted in each bucket.
    ///
    /// # Panics
    /// When there are not as many as the scale has.
    #[must_use]
    pub fn new(scale: Scale, counts: Vec<u64>, sum: u64) -> Histogram {
        assert_eq!(counts.len(), scale.buckets(), "{scale:?}");
        Histogram { scale, sum, counts }
    }

    /// Makes an empty one.
    #[must_use]
    pub fn empty(scale: Scale) -> Histogram {
        Histogram::new(scale, vec![0; scale.buckets()], 0)
    }

    /// Returns what the values are.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Returns all values added up.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns how many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns all buckets, smallest values first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        let mut cumulated = 0;
        (0..).zip(&self.counts).map(move |(bucket, count)| {
            cumulated += count;
            Bucket {
                most: self.scale.most(bucket),
                cumulated,
            }
        })
    }

    /// Returns the buckets that end at powers of two, and the last one: fewer, for who has to keep them all.
    pub fn doublings(&self) -> impl Iterator<Item = Bucket> {
        self.buckets()
            .filter(|bucket| bucket.most.is_none_or(u64::is_power_of_two))
    }

    /// Returns what has been counted since `before`, which was read earlier from the same place.
    #[must_use]
    pub fn since(&self, before: &Histogram) -> Histogram {
        let both = self.counts.iter().zip(&before.counts);
        Histogram {
            scale: self.scale,
            sum: self.sum.saturating_sub(before.sum),
            counts: both.map(|(now, then)| now.saturating_sub(*then)).collect(),
        }
    }

    /// Adds what has been counted elsewhere.
    ///
    /// # Panics
    /// When it is on another scale.
    pub fn add(&mut self, other: &Histogram) {
        assert_eq!(self.scale, other.scale);
        self.sum = self.sum.saturating_add(other.sum);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Returns the value that so many per cent of all values do not exceed, as far as the buckets tell; `None` without any.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = u128::from(count) * u128::from(percent.min(100));
        let rank = u64::try_from(rank.div_ceil(100)).unwrap_or(count).max(1);
        let (mut least, mut before) = (0, 0);
        for bucket in self.buckets() {
            if bucket.cumulated >= rank {
                // Nobody knows where in the last bucket: at least at its beginning.
                let width = bucket.most.map_or(0, |most| most - least);
                let share = u128::from(width) * u128::from(rank - before)
                    / u128::from(bucket.cumulated - before);
                return Some(least + u64::try_from(share).unwrap_or(width));
            }
            before = bucket.cumulated;
            least = bucket.most.unwrap_or(least);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn scale() -> impl Strategy<Value = Scale> {
        prop_oneof![Just(Scale::Time), Just(Scale::Memory)]
    }

    fn histogram(scale: Scale, values: &[u64]) -> Histogram {
        let mut counts = vec![0; scale.buckets()];
        for value in values {
            counts[scale.bucket(*value)] += 1;
        }
        Histogram::new(scale, counts, values.iter().sum())
    }

    #[test]
    fn bounds_are_inclusive_and_a_quarter_of_a_doubling_apart() {
        let most: Vec<_> = (0..10).map(|n| Scale::Time.most(n).unwrap()).collect();
        assert_eq!(most, [16, 20, 24, 28, 32, 40, 48, 56, 64, 80]);
        for (value, bucket) in [(0, 0), (16, 0), (17, 1), (20, 1), (21, 2), (32, 4), (33, 5)] {
            assert_eq!(Scale::Time.bucket(value), bucket, "{value}");
        }
        for (scale, last) in [(Scale::Time, 1 << 31), (Scale::Memory, 1 << 34)] {
            let buckets = scale.buckets();
            assert_eq!(scale.most(buckets - 2), Some(last));
            assert_eq!(scale.most(buckets - 1), None);
            assert_eq!(scale.bucket(last), buckets - 2);
            assert_eq!(scale.bucket(last + 1), buckets - 1);
            assert_eq!(scale.bucket(u64::MAX), buckets - 1);
        }
    }

    #[test]
    fn percentiles_of_few_values() {
        let none = Histogram::empty(Scale::Time);
        assert_eq!((none.count(), none.percentile(50)), (0, None));
        let one = histogram(Scale::Time, &[100]);
        assert_eq!(
            (one.percentile(0), one.percentile(100)),
            (Some(112), Some(112))
        );
        let endless = histogram(Scale::Time, &[u64::MAX]);
        assert_eq!(endless.percentile(50), Some(1 << 31));
    }

    #[test]
    fn doublings_have_everything() {
        let all = histogram(Scale::Time, &[1, 17, 33, 40, u64::MAX >> 1]);
        let doublings: Vec<_> = all.doublings().collect();
        assert_eq!(doublings.len(), 29);
        let cumulated = |most| doublings.iter().find(|b| b.most == most).unwrap().cumulated;
        assert_eq!(
            [Some(16), Some(32), Some(64), None].map(cumulated),
            [1, 2, 4, 5]
        );
    }

    proptest! {
        #[test]
        fn a_value_is_between_the_bounds_of_its_bucket(scale in scale(), bits in 0..64_u32, value: u64) {
            let value = value >> bits;
            let bucket = scale.bucket(value);
            let least = bucket.checked_sub(1).and_then(|before| scale.most(before));
            prop_assert!(least.is_none_or(|least| value > least));
            prop_assert!(scale.most(bucket).is_none_or(|most| value <= most));
            if let (Some(least), Some(most)) = (least, scale.most(bucket)) {
                prop_assert!(most - least <= least / 4);
            }
        }

        #[test]
        fn percentiles_are_right_to_a_quarter(
            values in vec(17..1_u64 << 31, 1..200),
            percent in 0..=100_u8,
        ) {
            let found = histogram(Scale::Time, &values).percentile(percent).unwrap();
            let mut values = values;
            values.sort_unstable();
            let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
            let exact = values[rank - 1];
            prop_assert!(found >= exact - exact / 4 && found <= exact + exact / 4, "{found} {exact}");
        }

        #[test]
        fn what_was_counted_before_is_not_counted_since(
            before in vec(any::<u32>().prop_map(u64::from), 0..50),
            after in vec(any::<u32>().prop_map(u64::from), 0..50),
        ) {
            let all: Vec<_> = before.iter().chain(&after).copied().collect();
            let [before, after, all] = [&before, &after, &all].map(|values| histogram(Scale::Time, values));
            prop_assert_eq!(all.since(&before), after);
        }
    }
}
