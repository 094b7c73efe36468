//! `cargo xtask phpt`: php-src's own tests of FPM, unmodified, on fpmd and on the original beside it.
//!
//! They come from the source that build-php used. Each is run twice, as an ordinary user and as root, because
//! many are skipped for one of them; the runs take place at the same time, each in a network of its own. What fpmd
//! does differently on purpose is declared in tests/phpt-deviations.txt; an undeclared difference fails, and so does
//! a declaration that no longer holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, bail};
use xshell::Shell;

use crate::build_php::Request;
use crate::cache::{Build, Cache};
use crate::cargo::{Profile, build_fpmd};
use crate::packages;
use crate::php::Php;
use crate::php_version::{SUPPORTED, Wanted};
use crate::workspace::Workspace;
use outcome::Results;
use stage::{Network, Stage, Who};
use verdict::{Deviation, Pair};

mod outcome;
mod stage;
mod verdict;

const USAGE: &str = "\
cargo xtask phpt [--php V]… [--original] [FILTER…]

Runs php-src's own FPM tests on the original and on fpmd and compares them.

  --php V      only with this PHP (default: 8.2 and 8.4)
  --original   only the original: what the tests say on this machine
  FILTER…      only tests whose name has one of these words
";

/// Where deviations are declared.
const DEVIATIONS: &str = "tests/phpt-deviations.txt";

/// Which programs are tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Subjects {
    #[default]
    Both,
    OriginalOnly,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    versions: Vec<Wanted>,
    subjects: Subjects,
    filter: Vec<String>,
}

/// The command.
pub(crate) fn run(sh: &Shell, arguments: lexopt::Parser) -> anyhow::Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{USAGE}");
        return Ok(());
    };
    packages::install(sh, &[&packages::FPMD, &packages::PHPT])?;
    let root = sh.current_dir();
    let declared = fs::read_to_string(root.join(DEVIATIONS))
        .with_context(|| format!("cannot read {DEVIATIONS}"))?;
    let deviations = Deviation::parse_all(&declared).context(DEVIATIONS)?;
    let mut wrong = 0;
    for version in &options.versions {
        let build = Request::plain(*version).run(sh)?;
        wrong += compare(sh, &build, &options, &deviations)?;
    }
    if wrong > 0 {
        bail!("{wrong} difference(s) are not as {DEVIATIONS} declares them");
    }
    Ok(())
}

impl Options {
    /// Reads the command's arguments; `None` when help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> anyhow::Result<Option<Options>> {
        use lexopt::{Arg, ValueExt as _};

        let mut options = Options::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("php") => options.versions.push(arguments.value()?.string()?.parse()?),
                Arg::Long("original") => options.subjects = Subjects::OriginalOnly,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(word) => options.filter.push(word.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if options.versions.is_empty() {
            options.versions = SUPPORTED.map(Wanted::Newest).to_vec();
        }
        Ok(Some(options))
    }
}

/// Runs the tests for one PHP, prints the table and returns how many places are not as declared.
fn compare(
    sh: &Shell,
    build: &Build,
    options: &Options,
    deviations: &[Deviation],
) -> anyhow::Result<usize> {
    let source = Cache::locate()?.source(build.version);
    let tests = select(&source.join("sapi/fpm/tests"), &options.filter)?;
    let logs = Workspace::read(sh)?
        .target_directory
        .join(format!("phpt/{}", build.version));
    sh.remove_path(&logs)?;
    let original = build.prefix.join("sbin/php-fpm");
    let ours = match options.subjects {
        Subjects::Both => Some(build_fpmd(sh, &Php::Built(build.clone()), Profile::Dev)?),
        Subjects::OriginalOnly => None,
    };

    let programs: Vec<(&str, &Path)> = std::iter::once(("original", original.as_path()))
        .chain(ours.as_deref().map(|program| ("fpmd", program)))
        .collect();
    let mut runs = Vec::new();
    for &who in Who::possible() {
        for &(name, program) in &programs {
            let stage = Stage::create(sh, build, &source, program)?;
            runs.push(Run {
                stage,
                who,
                logs: logs.join(format!("{name}-{who}")),
            });
        }
    }
    eprintln!(
        "PHP {}: {} run(s) of {} tests",
        build.version,
        runs.len(),
        tests.len()
    );
    let results = run_all(&runs, &tests)?;
    let mut pairs = pair_up(&runs, &results, &tests);
    let doubtful: BTreeSet<String> = verdict::undeclared(build.version.series, &pairs, deviations)
        .map(|pair| pair.test.clone())
        .collect();
    if !doubtful.is_empty() {
        let doubtful = Vec::from_iter(doubtful);
        eprintln!("once more, by themselves: {}", doubtful.join(" "));
        let results: Vec<Results> = runs
            .iter()
            .map(|run| run.again(&doubtful))
            .collect::<anyhow::Result<_>>()?;
        pairs.retain(|pair| !doubtful.contains(&pair.test));
        pairs.extend(pair_up(&runs, &results, &doubtful));
    }
    print!("{}", verdict::table(&pairs));
    println!("logs and differences: {}", logs.display());
    if options.subjects == Subjects::OriginalOnly {
        return Ok(0);
    }
    let scope = if options.filter.is_empty() {
        verdict::Scope::All
    } else {
        verdict::Scope::Some
    };
    let complaints = verdict::judge(build.version.series, &pairs, deviations, scope);
    for complaint in &complaints {
        println!("PHP {}: {complaint}", build.version.series);
    }
    Ok(complaints.len())
}

/// The tests once over, by one user, on one program.
struct Run {
    stage: Stage,
    who: Who,
    logs: PathBuf,
}

impl Run {
    /// Runs a few tests that came out differently, with nothing beside them: many wait three seconds and no more, which
    /// is little on a busy machine.
    fn again(&self, tests: &[String]) -> anyhow::Result<Results> {
        let logs = self.logs.join("again");
        self.stage.run(self.who, Network::Machines, tests, &logs)
    }
}

/// Puts the outcomes of both programs beside each other. The runs are in the order of who, and for each the original's is
/// the first.
fn pair_up(runs: &[Run], results: &[Results], tests: &[String]) -> Vec<Pair> {
    let all: Vec<_> = runs.iter().map(|run| run.who).zip(results).collect();
    let mut pairs = Vec::new();
    for of_one in all.chunk_by(|one, next| one.0 == next.0) {
        let (who, original) = of_one[0];
        pairs.extend(tests.iter().map(|test| Pair {
            test: test.clone(),
            who,
            original: original.of(test),
            ours: of_one.get(1).map(|(_, ours)| ours.of(test)),
        }));
    }
    pairs
}

/// Runs all beside each other, for the tests mostly wait; one after the other where they would share their ports.
fn run_all(runs: &[Run], tests: &[String]) -> anyhow::Result<Vec<Results>> {
    let network = Network::possible();
    let run = |run: &Run| run.stage.run(run.who, network, tests, &run.logs);
    if network == Network::Machines {
        return runs.iter().map(run).collect();
    }
    thread::scope(|scope| {
        let started: Vec<_> = runs.iter().map(|one| scope.spawn(|| run(one))).collect();
        started
            .into_iter()
            .map(|started| {
                started
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// The names of the tests that a filter leaves, sorted.
fn select(folder: &PathBuf, filter: &[String]) -> anyhow::Result<Vec<String>> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(folder)
        .with_context(|| format!("cannot open {}; build-php keeps it", folder.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let wanted = filter.is_empty() || filter.iter().any(|word| name.contains(word.as_str()));
        if name.ends_with(".phpt") && wanted {
            tests.push(name);
        }
    }
    if tests.is_empty() {
        bail!(
            "no test of {} has one of these words in its name",
            folder.display()
        );
    }
    tests.sort();
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_version_all_are_meant() {
        let parse = |arguments: &[&str]| {
            Options::parse(lexopt::Parser::from_args(arguments))
                .unwrap()
                .unwrap()
        };
        assert_eq!(parse(&[]).versions.len(), SUPPORTED.len());
        let options = parse(&["--php", "8.4", "--original", "socket", "status"]);
        assert_eq!(options.versions, ["8.4".parse().unwrap()]);
        assert_eq!(options.subjects, Subjects::OriginalOnly);
        assert_eq!(options.filter, ["socket", "status"]);
    }
}
