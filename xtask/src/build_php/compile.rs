//! Configures, compiles and installs an unpacked source, outside of its tree.
//!
//! The prefix counts as finished only with its stamp, which is written last; whatever an interrupted build
//! left behind is removed by the next one.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::flags::{self, Options};
use super::log::{Progress, run_logged};
use super::source::Source;
use crate::cache::{Cache, Stamp};

/// Builds the source into its prefix in the cache.
///
/// # Errors
/// When a step fails; the message names its log, which stays until the next try.
pub(super) fn compile(
    cache: &Cache,
    source: &Source,
    key: &str,
    options: &Options,
    features: &[String],
    jobs: NonZero<usize>,
) -> anyhow::Result<()> {
    let version = source.version;
    let prefix = cache.prefix(version, key);
    let tree = cache.work().join(format!("build-{version}-{key}"));
    for leftover in [&prefix, &tree] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)
                .with_context(|| format!("cannot remove the unfinished {}", leftover.display()))?;
        }
    }
    fs::create_dir_all(&tree)?;
    fs::create_dir_all(prefix.join("etc/conf.d"))?;

    eprintln!("PHP {version}: configuring");
    let mut configure = step(&source.directory.join("configure"), &tree);
    configure.args(flags::places(&prefix)).args(features);
    let optimisation = flags::optimisation(options.variant);
    configure
        .env("CFLAGS", optimisation)
        .env("CXXFLAGS", optimisation);
    run_logged(configure, &tree.join("configure.log"), |_| ())?;

    let mut progress = Progress::new(format!("PHP {version}"), count_compilations(&tree)?);
    let mut make = step(Path::new("make"), &tree);
    // PHP's configure has no use for it, its Makefiles take it from the environment.
    make.arg(format!("--jobs={jobs}"))
        .env("LDFLAGS", flags::BINDING);
    run_logged(make, &tree.join("make.log"), |line| {
        if is_compilation(line) {
            progress.step();
        }
    })?;

    eprintln!("PHP {version}: installing into {}", prefix.display());
    let mut install = step(Path::new("make"), &tree);
    install.arg("install");
    run_logged(install, &tree.join("install.log"), |_| ())?;

    let stamp = Stamp {
        version,
        special: options.are_special(),
        source: &source.directory,
        configure: features,
    };
    stamp.write(&prefix).context("cannot write the stamp")?;
    fs::remove_dir_all(&tree).context("cannot remove the build tree")
}

fn step(program: &Path, tree: &Path) -> Command {
    let mut command = Command::new(program);
    // Messages are searched for words: no translations.
    command.current_dir(tree).env("LC_ALL", "C");
    // A make above us would hand down its job server.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    command
}

/// Asks make how much there is to do.
fn count_compilations(tree: &Path) -> anyhow::Result<usize> {
    let plan = step(Path::new("make"), tree).arg("--dry-run").output()?;
    Ok(String::from_utf8_lossy(&plan.stdout)
        .lines()
        .filter(|line| is_compilation(line))
        .count())
}

fn is_compilation(line: &str) -> bool {
    line.contains("--mode=compile")
}
