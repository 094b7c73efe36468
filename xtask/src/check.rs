//! `cargo xtask check`: what every commit must pass, in a minute or two.

use xshell::Shell;

use crate::cargo::Cargo;
use crate::packages;
use crate::php::Php;
use crate::tidy;
use crate::workspace::Workspace;

const USAGE: &str = "\
cargo xtask check

Formatting, tidy, clippy, the documentation and the tests that need no PHP; warnings are errors. Some libphp
must be there for clippy to see the crates that link it: the quickest one is taken.
";

/// The command.
pub(crate) fn run(sh: &Shell, mut arguments: lexopt::Parser) -> anyhow::Result<()> {
    match arguments.next()? {
        None => {}
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => {
            print!("{USAGE}");
            return Ok(());
        }
        Some(other) => return Err(other.unexpected().into()),
    }
    packages::install(sh, &[&packages::FPMD])?;
    let php = Php::quickest(sh)?;
    eprintln!("checking with {}", php.describe());
    with(sh, &php)
}

/// Checks everything with a PHP that is there already.
///
/// # Errors
/// At the first step that fails.
pub(crate) fn with(sh: &Shell, php: &Php) -> anyhow::Result<()> {
    // The quickest first: a misplaced brace should not cost a minute.
    Cargo::new(sh, &["fmt", "--all", "--check"]).run()?;
    tidy::check(sh)?;
    Cargo::new(sh, &["clippy", "--workspace", "--all-targets"])
        .args(["--", "--deny", "warnings"])
        .with(php)
        .run()?;
    Cargo::new(sh, &["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .with(php)
        .run()?;
    let workspace = Workspace::read(sh)?;
    let linking = workspace.linking_libphp();
    let without_php = workspace
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .filter(|name| !linking.contains(name) && *name != "fpmd-tests");
    Cargo::new(sh, &["test"])
        .args(without_php.flat_map(|name| ["--package", name]))
        .run()
}
