//! `cargo xtask test`: the whole suite, for every PHP that is supported, from nothing.
//!
//! Continuous integration calls exactly this. The order is: what fails soonest first.

use std::fs;
use std::path::{Path, PathBuf};

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

Installs what is missing, then: check; the jobs in ci/; some of the daemon's tests against fpmd with a static
libphp; and for PHP 8.2 and 8.4 the tests of the crates that link libphp, the daemon's tests against fpmd, and
the same tests against the original php-fpm.

  --php V    only with this PHP; leaves out check, the jobs and the static libphp
  FILTER…    handed to the daemon's tests, as `cargo test` takes it
";

/// Tests of the daemon that tell whether a static libphp is one like the others: it is there, starts and ends, is forked, reads
/// its settings, and gives its symbols to extensions.
const STATIC_TOPICS: [&str; 8] = [
    "library", "crashes", "signals", "user_ini", "ini", "opcache", "reload", "upgrade",
];

/// The extensions that these tests use.
const STATIC_EXTENSIONS: [&str; 4] = [
    "--enable-pcntl",
    "--enable-posix",
    "--enable-session",
    "--enable-dl-test=shared",
];

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
        test_static(sh, &selection.filter)?;
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

/// fpmd with PHP within itself, the one that is built soonest.
fn test_static(sh: &Shell, filter: &[String]) -> anyhow::Result<()> {
    // The libraries below a static libphp are linked with fpmd.
    packages::install(sh, &[&packages::PHP])?;
    let build =
        Request::smallest_static(Wanted::Newest(SUPPORTED[0]), &STATIC_EXTENSIONS).run(sh)?;
    let program = build_and_keep(sh, &build, "static")?;
    let topics = STATIC_TOPICS
        .into_iter()
        .flat_map(|topic| ["--test", topic]);
    test_daemon(sh, &build, &program, topics, filter)
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
    let kept = build_and_keep(sh, build, &build.version.series.to_string())?;
    for subject in [kept, build.prefix.join("sbin/php-fpm")] {
        test_daemon(sh, build, &subject, ["--tests"], filter)?;
    }
    Ok(())
}

/// Builds fpmd against a PHP and keeps it under a name: the next build overwrites the program, and a test that failed should find
/// it again. All builds share cargo's folder, because little of fpmd depends on PHP.
fn build_and_keep(sh: &Shell, build: &Build, name: &str) -> anyhow::Result<PathBuf> {
    let built = build_fpmd(sh, &Php::Built(build.clone()), Profile::Dev)?;
    let folder = Workspace::read(sh)?
        .target_directory
        .join(format!("php-{name}"));
    sh.create_dir(&folder)?;
    let kept = folder.join("fpmd");
    // Removed first: a daemon that a broken test left behind may still run the old one.
    sh.remove_path(&kept)?;
    fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(kept)
}

/// Runs the daemon's tests, those that cargo's `targets` select, against a program.
fn test_daemon<'a>(
    sh: &Shell,
    build: &Build,
    subject: &Path,
    targets: impl IntoIterator<Item = &'a str>,
    filter: &[String],
) -> anyhow::Result<()> {
    eprintln!("the daemon's tests against {}", subject.display());
    Cargo::new(sh, &["test", "--package", "fpmd-tests", "--no-fail-fast"])
        .args(targets)
        .args(["--"])
        .args(filter)
        .with(&Php::Built(build.clone()))
        .env("FPM_UNDER_TEST", subject)
        .run()
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
