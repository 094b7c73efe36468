//! `cargo xtask test`: the whole suite, for every PHP that is supported, from nothing.
//!
//! Continuous integration calls exactly this. The order is: what fails soonest first.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::build_php::Request;
use crate::cache::Build;
use crate::cargo::{Cargo, Profile, build_fpmd};
use crate::check;
use crate::packages;
use crate::php::Php;
use crate::php_version::{SUPPORTED, Wanted};
use crate::workspace::Workspace;

const USAGE: &str = "\
cargo xtask test [--php V]… [-- FILTER…]

Installs what is missing, then: check; the jobs in ci/; and for PHP 8.2 and 8.4 the tests of the crates that
link libphp, the daemon's tests against fpmd, and the same tests against the original php-fpm.

  --php V    only with this PHP; leaves out check and the jobs
  FILTER…    handed to the daemon's tests, as `cargo test` takes it
";

/// What to test.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    /// Empty: everything.
    versions: Vec<Wanted>,
    filter: Vec<String>,
}

/// The command.
pub(crate) fn run(sh: &Shell, arguments: lexopt::Parser) -> anyhow::Result<()> {
    let Some(selection) = Selection::parse(arguments)? else {
        print!("{USAGE}");
        return Ok(());
    };
    packages::install(sh, &[&packages::FPMD, &packages::TESTS])?;
    let everything = selection.versions.is_empty();
    let versions = match everything {
        true => SUPPORTED.map(Wanted::Newest).to_vec(),
        false => selection.versions,
    };
    let mut builds = Vec::new();
    for version in versions {
        builds.push(Request::plain(version).run(sh)?);
    }
    if everything {
        check::with(sh, &Php::Built(builds[0].clone()))?;
        run_jobs(sh)?;
    }
    for build in builds {
        test_with(sh, &build, &selection.filter)?;
    }
    Ok(())
}

impl Selection {
    /// Reads the command's arguments; `None` when help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> anyhow::Result<Option<Selection>> {
        use lexopt::{Arg, ValueExt as _};

        let mut selection = Selection::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("php") => selection
                    .versions
                    .push(arguments.value()?.string()?.parse()?),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(word) => selection.filter.push(word.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(Some(selection))
    }
}

/// Runs the programs in ci/, by name.
fn run_jobs(sh: &Shell) -> anyhow::Result<()> {
    for job in sh.read_dir("ci")? {
        if job.extension().is_none() {
            cmd!(sh, "{job}")
                .run()
                .with_context(|| format!("the job {} failed", job.display()))?;
        }
    }
    Ok(())
}

/// Everything that depends on the version of PHP.
fn test_with(sh: &Shell, build: &Build, filter: &[String]) -> anyhow::Result<()> {
    eprintln!("testing with PHP {}", build.version);
    let workspace = Workspace::read(sh)?;
    let php = Php::Built(build.clone());
    if filter.is_empty() {
        let linking = workspace.linking_libphp();
        Cargo::new(sh, &["test"])
            .args(linking.into_iter().flat_map(|name| ["--package", name]))
            .with(&php)
            .run()?;
    }
    let built = build_fpmd(sh, &php, Profile::Dev)?;
    // The next version's build overwrites the program; a test that failed should find it again.
    let kept = workspace
        .target_directory
        .join(format!("php-{}/fpmd", build.version.series));
    sh.create_dir(kept.parent().unwrap_or(Path::new("/")))?;
    // Removed first: a daemon that a broken test left behind may still run the old one.
    sh.remove_path(&kept)?;
    fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;

    // Most of their time they wait, for a second or a time-out to pass.
    let at_once = 2 * thread::available_parallelism().map_or(1, NonZero::get);
    for subject in [kept, build.prefix.join("sbin/php-fpm")] {
        eprintln!("the daemon's tests against {}", subject.display());
        Cargo::new(
            sh,
            &[
                "test",
                "--package",
                "fpmd-tests",
                "--tests",
                "--no-fail-fast",
            ],
        )
        .args(["--"])
        .args(filter)
        .with(&php)
        .env("FPM_UNDER_TEST", &subject)
        .env("RUST_TEST_THREADS", at_once.to_string())
        .run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_filters_are_told_apart() {
        let arguments =
            lexopt::Parser::from_args(["--php", "8.4", "--php=8.2.32", "--", "uploads"]);
        let selection = Selection::parse(arguments).unwrap().unwrap();
        assert_eq!(
            selection.versions,
            ["8.4".parse().unwrap(), "8.2.32".parse().unwrap()]
        );
        assert_eq!(selection.filter, ["uploads"]);
    }
}
