//! Some thousand configurations, checked by the daemon under test and by the original: exit code, output, log and the
//! files they leave behind have to be the same.
//!
//! A changer must know: cases that are to differ are declared in [`DEVIATIONS`] with their reason, and a declared one that
//! does not differ any more fails as well.

#[path = "config_corpus/case.rs"]
mod case;
#[path = "config_corpus/generated.rs"]
mod generated;
#[path = "config_corpus/handmade.rs"]
mod handmade;
#[path = "config_corpus/outcome.rs"]
mod outcome;

use std::thread;

use anyhow::ensure;
use fpmd_tests::{Result, Subject, Under};
use nix::unistd::Uid;

use case::Case;
use outcome::{Outcome, Starter};

/// How the names of cases begin, in lower case, that have another outcome here than with the original, and why that is
/// wanted.
const DEVIATIONS: &[(&str, &str)] = &[
    (
        "apparmor_hat = ",
        "known, as in Debian's build; ours of the original is without AppArmor",
    ),
    ("apparmor_hat in odd case", "as above"),
];

#[test]
fn lines_written_by_hand_are_checked_alike() -> Result {
    compare(Starter::Caller, &handmade::lines())
}

#[test]
fn files_written_by_hand_are_checked_alike() -> Result {
    compare(Starter::Caller, &handmade::files()?)
}

#[test]
fn every_directive_takes_every_kind_of_value_alike() -> Result {
    compare(Starter::Caller, &generated::values())
}

#[test]
fn random_configurations_are_checked_alike() -> Result {
    compare(Starter::Caller, &generated::mixtures())
}

#[test]
fn user_without_rights_is_told_alike() -> Result {
    if !Uid::effective().is_root() {
        // Then he has run all the others.
        return Ok(());
    }
    compare(Starter::Nobody, &handmade::files()?)?;
    compare(Starter::Nobody, &handmade::unreadable())?;
    compare(Starter::Nobody, &generated::mixtures())
}

/// Runs both daemons on all cases, on two threads.
fn compare(starter: Starter, cases: &[Case]) -> Result {
    let subject = Subject::from_environment()?;
    if subject.under() == Under::Original {
        println!("the original is compared with itself elsewhere: nothing to do");
        return Ok(());
    }
    ensure!(!cases.is_empty(), "no cases");
    let (front, back) = cases.split_at(cases.len() / 2);
    let compare_all = |cases: &[Case]| {
        cases
            .iter()
            .map(|case| difference(subject, starter, case))
            .collect::<Vec<_>>()
    };
    let differences = thread::scope(|scope| {
        let other = scope.spawn(|| compare_all(back));
        let mut all = compare_all(front);
        all.extend(
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        );
        all
    });
    let mut failures = Vec::new();
    for (case, difference) in cases.iter().zip(differences) {
        let name = case.name.to_lowercase();
        let declared = DEVIATIONS.iter().find(|(start, _)| name.starts_with(start));
        match (difference?, declared) {
            (Some(difference), None) => {
                failures.push(format!("=== {}\n{case}\n{difference}", case.name));
            }
            (None, Some(_)) => {
                failures.push(format!(
                    "=== {}: declared as a deviation, but is none",
                    case.name
                ));
            }
            _ => {}
        }
    }
    ensure!(
        failures.is_empty(),
        "{} of {} differ\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    Ok(())
}

/// Returns how the two outcomes of a case differ.
fn difference(subject: &Subject, starter: Starter, case: &Case) -> Result<Option<String>> {
    let home = tempfile::Builder::new().prefix("conf").tempdir()?;
    let ours = Outcome::of(subject, starter, case, home.path())?;
    let theirs = Outcome::of(&subject.original(), starter, case, home.path())?;
    Ok((ours != theirs).then(|| format!("--- original\n{theirs}--- ours\n{ours}")))
}
