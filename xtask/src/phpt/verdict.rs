//! Compares outcomes: what differs, what is declared, what is declared in vain. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use super::outcome::Outcome;
use super::stage::Who;
use crate::php_version::Series;

/// One test's outcomes.
pub(super) struct Pair {
    pub(super) test: String,
    pub(super) who: Who,
    pub(super) original: Outcome,
    /// `None` when only the original was run.
    pub(super) ours: Option<Outcome>,
}

/// A difference that is meant to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deviation {
    test: String,
    /// `None`: with every PHP.
    series: Option<Series>,
    reason: String,
}

/// Whether all tests were run. A declaration can only be stale when its test was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Some,
}

impl Deviation {
    /// Reads lines of `test.phpt: reason` or `test.phpt 8.4: reason`; `#` starts a comment line.
    ///
    /// # Errors
    /// When a line has another form or no reason.
    pub(super) fn parse_all(text: &str) -> anyhow::Result<Vec<Deviation>> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Deviation::parse)
            .collect()
    }

    fn parse(line: &str) -> anyhow::Result<Deviation> {
        let (head, reason) = line
            .split_once(": ")
            .with_context(|| format!("'{line}' gives no reason"))?;
        let mut words = head.split_whitespace();
        let test = words.next().unwrap_or_default().to_owned();
        ensure!(
            test.ends_with(".phpt"),
            "'{test}' is not the name of a test"
        );
        let series = words.next().map(str::parse).transpose()?;
        Ok(Deviation {
            test,
            series,
            reason: reason.trim().to_owned(),
        })
    }

    fn is_about(&self, series: Series) -> bool {
        self.series.is_none_or(|of| of == series)
    }
}

impl Pair {
    /// To pass where the original does not is no reason to complain; a warning is an unexpected pass.
    fn differs(&self) -> bool {
        let passes = |outcome| matches!(outcome, Outcome::Passed | Outcome::Warned);
        self.ours
            .is_some_and(|ours| ours != self.original && !passes(ours))
    }
}

/// The differences that nobody has declared.
pub(super) fn undeclared<'p>(
    series: Series,
    pairs: &'p [Pair],
    deviations: &'p [Deviation],
) -> impl Iterator<Item = &'p Pair> {
    let is_declared = move |pair: &Pair| {
        let mut known = deviations.iter();
        known.any(|known| known.test == pair.test && known.is_about(series))
    };
    let differences = pairs.iter().filter(|pair| pair.differs());
    differences.filter(move |pair| !is_declared(pair))
}

/// Says what is not as declared.
pub(super) fn judge(
    series: Series,
    pairs: &[Pair],
    deviations: &[Deviation],
    scope: Scope,
) -> Vec<String> {
    let mut complaints: Vec<String> = undeclared(series, pairs, deviations)
        .map(|pair| format!("{} as {}: differs, undeclared", pair.test, pair.who))
        .collect();
    for known in deviations.iter().filter(|known| known.is_about(series)) {
        let mut runs = pairs
            .iter()
            .filter(|pair| pair.test == known.test)
            .peekable();
        let was_run = runs.peek().is_some();
        // Where both fail, as some of the original's do on a busy machine, nothing is shown.
        if (was_run || scope == Scope::All && known.series.is_some())
            && !runs.any(|pair| pair.differs() || pair.ours == Some(Outcome::Failed))
        {
            complaints.push(format!(
                "{}: does not differ any more ({})",
                known.test, known.reason
            ));
        }
    }
    complaints
}

/// The tests that did not simply pass, and the sums.
pub(super) fn table(pairs: &[Pair]) -> String {
    let mut table = String::new();
    let mut sums: BTreeMap<(String, &str, Outcome), usize> = BTreeMap::new();
    for pair in pairs {
        *sums
            .entry((pair.who.to_string(), "original", pair.original))
            .or_default() += 1;
        if let Some(ours) = pair.ours {
            *sums
                .entry((pair.who.to_string(), "fpmd", ours))
                .or_default() += 1;
        }
        let all_passed = pair.original == Outcome::Passed
            && pair.ours.is_none_or(|ours| ours == Outcome::Passed);
        if !all_passed {
            let ours = pair.ours.map(|ours| ours.to_string()).unwrap_or_default();
            let mark = if pair.differs() { "*" } else { "" };
            let _ = writeln!(
                table,
                "{:60} {:5} {:8} {ours:8}{mark}",
                pair.test, pair.who, pair.original
            );
        }
    }
    let mut last = None;
    for ((who, subject, outcome), count) in sums {
        let column = (who.clone(), subject);
        if last.as_ref() != Some(&column) {
            let _ = write!(table, "\n{subject} as {who}:");
            last = Some(column);
        }
        let _ = write!(table, " {count} {outcome}");
    }
    table.push_str("\n\n");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHP_8_2: Series = Series(8, 2);

    fn pair(test: &str, original: Outcome, ours: Outcome) -> Pair {
        Pair {
            test: test.to_owned(),
            who: Who::User,
            original,
            ours: Some(ours),
        }
    }

    fn complaints(pairs: &[Pair], declared: &str) -> Vec<String> {
        judge(
            PHP_8_2,
            pairs,
            &Deviation::parse_all(declared).unwrap(),
            Scope::All,
        )
    }

    #[test]
    fn equal_or_better_is_fine() {
        let pairs = [
            pair("a.phpt", Outcome::Passed, Outcome::Passed),
            pair("b.phpt", Outcome::Failed, Outcome::Failed),
            pair("c.phpt", Outcome::Failed, Outcome::Passed),
        ];
        assert!(complaints(&pairs, "").is_empty());
    }

    #[test]
    fn a_difference_wants_a_reason() {
        let pairs = [pair("a.phpt", Outcome::Passed, Outcome::Failed)];
        assert_eq!(
            complaints(&pairs, ""),
            ["a.phpt as user: differs, undeclared"]
        );
        assert!(complaints(&pairs, "# why\na.phpt: no SIGKILL here\n").is_empty());
        assert!(complaints(&pairs, "a.phpt 8.2: no SIGKILL here\n").is_empty());
        assert_eq!(
            complaints(&pairs, "a.phpt 8.4: no SIGKILL there\n").len(),
            1
        );
    }

    #[test]
    fn a_declaration_in_vain_is_told() {
        let pairs = [pair("a.phpt", Outcome::Passed, Outcome::Passed)];
        assert_eq!(
            complaints(&pairs, "a.phpt: old story\n"),
            ["a.phpt: does not differ any more (old story)"]
        );
        // The original fails as well now and then.
        let pairs = [pair("a.phpt", Outcome::Failed, Outcome::Failed)];
        assert!(complaints(&pairs, "a.phpt: a long story\n").is_empty());
        // The test may exist in the other series only.
        assert!(complaints(&pairs, "b.phpt: new in 8.4\n").is_empty());
        assert_eq!(complaints(&pairs, "b.phpt 8.2: gone\n").len(), 1);
    }

    #[test]
    fn declarations_have_a_form() {
        assert!(Deviation::parse_all("a.phpt\n").is_err());
        assert!(Deviation::parse_all("a: because\n").is_err());
    }

    #[test]
    fn the_table_shows_what_did_not_simply_pass() {
        let pairs = [
            pair("a.phpt", Outcome::Passed, Outcome::Passed),
            pair("b.phpt", Outcome::Passed, Outcome::Failed),
        ];
        let table = table(&pairs);
        assert!(!table.contains("a.phpt") && table.contains("b.phpt") && table.contains('*'));
        assert!(
            table.contains("original as user: 2 pass")
                && table.contains("fpmd as user: 1 pass 1 FAIL")
        );
    }
}
