//! What run-tests.php says about each test, in the file that its option -W writes.

use std::collections::BTreeMap;
use std::fmt;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// It was expected to fail and passed.
    Warned,
    Skipped,
    /// It failed as expected.
    ExpectedlyFailed,
    /// The test itself is broken, or run-tests did not come to it.
    Missing,
}

/// The outcomes of one run, by the test's name.
pub(super) struct Results(BTreeMap<String, Outcome>);

impl Results {
    /// Reads lines of an outcome, a tab, and the test's path.
    pub(super) fn parse(text: &str) -> Results {
        let outcome = |line: &str| {
            let (word, path) = line.split_once('\t')?;
            // A test that leaks memory as well has several words.
            let outcome = match word.split(' ').next()? {
                "PASSED" => Outcome::Passed,
                "FAILED" | "LEAKED" => Outcome::Failed,
                "WARNED" => Outcome::Warned,
                "SKIPPED" => Outcome::Skipped,
                "XFAILED" => Outcome::ExpectedlyFailed,
                _ => Outcome::Missing,
            };
            Some((path.rsplit('/').next()?.to_owned(), outcome))
        };
        Results(text.lines().filter_map(outcome).collect())
    }

    /// How one test ended.
    pub(super) fn of(&self, test: &str) -> Outcome {
        self.0.get(test).copied().unwrap_or(Outcome::Missing)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Passed => "pass",
            Outcome::Failed => "FAIL",
            Outcome::Warned => "warn",
            Outcome::Skipped => "skip",
            Outcome::ExpectedlyFailed => "xfail",
            Outcome::Missing => "MISSING",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_run_tests_writes() {
        let results =
            Results::parse("PASSED\tsapi/fpm/tests/a.phpt\nFAILED\tsapi/fpm/tests/b.phpt\nodd\n");
        assert_eq!(results.of("a.phpt"), Outcome::Passed);
        assert_eq!(results.of("b.phpt"), Outcome::Failed);
        assert_eq!(results.of("c.phpt"), Outcome::Missing);
    }
}
