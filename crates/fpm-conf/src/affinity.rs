//! `process.cpu_affinity`: on which CPUs workers run.

use std::collections::BTreeSet;

use bstr::{BStr, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::own::digits;
use crate::value::Reason;

/// The highest number of a CPU that the kernel's interface has room for, as glibc declares it (CPU_SET(3)).
const HIGHEST: usize = 1023;

/// On which CPUs the workers of a pool run. Those that they may not use are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CpuAffinity {
    /// `auto`, or `auto 0-3`: each worker on one, in turn; of these, or of all.
    Each(Option<BTreeSet<usize>>),
    /// `0-3 4-7`: each worker on one of these lists, in turn.
    Lists(Vec<BTreeSet<usize>>),
}

impl CpuAffinity {
    /// Reads `auto`, `auto LIST` or `LIST LIST …`; a list is one as taskset(1) takes it, `0-3,8`.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        let reason =
            "must be auto, auto LIST, or LIST LIST …; a LIST is one of CPUs, such as 0-3,8";
        let mut words = value
            .fields_with(|character| character.is_ascii_whitespace())
            .peekable();
        let auto = words
            .next_if(|word| word.eq_ignore_ascii_case(b"auto"))
            .is_some();
        let lists: Option<Vec<_>> = words.map(list).collect();
        let mut lists = lists.ok_or(reason)?;
        match (auto, lists.len()) {
            (true, 0 | 1) => Ok(Self::Each(lists.pop())),
            (false, 1..) => Ok(Self::Lists(lists)),
            _ => Err(reason),
        }
    }

    /// Returns the CPUs of a pool's worker with this number, of those that it may use (lowest first); none when it may use none.
    #[must_use]
    pub fn of_worker(&self, number: usize, allowed: &[usize]) -> Vec<usize> {
        let may = |list: &BTreeSet<usize>| -> Vec<usize> {
            let allowed = allowed.iter().copied();
            allowed.filter(|cpu| list.contains(cpu)).collect()
        };
        match self {
            Self::Each(list) => {
                let cpus = list.as_ref().map_or_else(|| allowed.to_vec(), may);
                let own = number.checked_rem(cpus.len()).map(|turn| cpus[turn]);
                own.into_iter().collect()
            }
            Self::Lists(lists) => {
                let turn = number.checked_rem(lists.len());
                turn.map_or_else(Vec::new, |turn| may(&lists[turn]))
            }
        }
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Each(None) => "auto".to_owned(),
            Self::Each(Some(list)) => format!("auto {}", written(list)),
            Self::Lists(lists) => {
                let lists: Vec<_> = lists.iter().map(written).collect();
                lists.join(" ")
            }
        }
    }
}

/// Reads `0-3,8`.
fn list(text: &[u8]) -> Option<BTreeSet<usize>> {
    let mut cpus = BTreeSet::new();
    for part in text.split_str(",") {
        let (first, last) = part.split_once_str("-").unwrap_or((part, part));
        let (first, last) = (digits::<usize>(first)?, digits::<usize>(last)?);
        if first > last || last > HIGHEST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// Writes a list as short as it can be.
fn written(list: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &cpu in list {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn affinity(text: &str) -> CpuAffinity {
        CpuAffinity::parse(text.into()).unwrap()
    }

    #[test]
    fn what_is_understood_and_how_it_is_shown() {
        for (text, shown) in [
            ("auto", "auto"),
            ("AUTO  0-3", "auto 0-3"),
            ("0", "0"),
            ("3,1,2,8", "1-3,8"),
            (" 0-1\t2,3 ", "0-1 2-3"),
            ("0-1023", "0-1023"),
        ] {
            assert_eq!(affinity(text).shown(), shown, "{text}");
        }
        for text in [
            "",
            " ",
            "auto 0 1",
            "0 auto",
            "1-0",
            "0-",
            "-1",
            "0,",
            ",",
            "0x3",
            "1024",
            "0;1",
            "99999999999999999999",
        ] {
            assert!(CpuAffinity::parse(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn workers_get_their_cpus_in_turn() {
        let cpus = |text: &str, allowed: &[usize]| -> Vec<Vec<usize>> {
            (0..3)
                .map(|number| affinity(text).of_worker(number, allowed))
                .collect()
        };
        assert_eq!(cpus("auto", &[2, 5]), [[2], [5], [2]]);
        assert_eq!(cpus("auto 0-3", &[2, 3, 4]), [[2], [3], [2]]);
        assert_eq!(cpus("0-1 2-9", &[0, 1, 2, 3]), [[0, 1], [2, 3], [0, 1]]);
        assert_eq!(cpus("8 0", &[0, 1]), [vec![], vec![0], vec![]]);
        assert_eq!(cpus("auto 8", &[0, 1]), [[0_usize; 0]; 3]);
        assert_eq!(cpus("auto", &[]), [[0_usize; 0]; 3]);
    }

    proptest! {
        #[test]
        fn nobody_is_bound_to_what_is_not_allowed(
            lists in prop::collection::vec(prop::collection::btree_set(0_usize..64, 1..8), 1..4),
            allowed in prop::collection::btree_set(0_usize..64, 0..16),
            number in 0_usize..1000,
        ) {
            let allowed: Vec<_> = allowed.into_iter().collect();
            let all = [CpuAffinity::Each(None), CpuAffinity::Each(lists.first().cloned()), CpuAffinity::Lists(lists)];
            for affinity in all {
                let own = affinity.of_worker(number, &allowed);
                prop_assert!(own.iter().all(|cpu| allowed.contains(cpu)));
                let again = CpuAffinity::parse(affinity.shown().as_str().into());
                prop_assert_eq!(again, Ok(affinity));
            }
        }

        #[test]
        fn workers_are_spread_evenly(cpus in 1_usize..32, workers in 0_usize..200) {
            let allowed: Vec<_> = (0..cpus).collect();
            let mut load = vec![0_usize; cpus];
            for number in 0..workers {
                for cpu in CpuAffinity::Each(None).of_worker(number, &allowed) {
                    load[cpu] += 1;
                }
            }
            prop_assert!(load.iter().max().unwrap() - load.iter().min().unwrap() <= 1);
        }
    }
}
