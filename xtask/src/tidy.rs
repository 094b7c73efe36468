//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Each rule is in one of the submodules, its tables in [`policy`]. Rules look at texts and tables only, so
//! that they can be tested without a tree.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use crate::workspace::Workspace;

mod code;
mod dependencies;
mod policy;
mod sources;
mod tree;

const USAGE: &str = "\
cargo xtask tidy

Checks the allowed edges between crates, the places of unsafe code, the size and head of every file, names
and the layout of the tree.
";

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    /// The file, relative to the workspace.
    path: String,
    /// Counted from 1; `None` when it is about the whole file.
    line: Option<usize>,
    text: String,
}

impl Violation {
    fn of_file(path: &str, text: impl Into<String>) -> Violation {
        Violation {
            path: path.to_owned(),
            line: None,
            text: text.into(),
        }
    }

    fn of_line(path: &str, line: usize, text: impl Into<String>) -> Violation {
        Violation {
            path: path.to_owned(),
            line: Some(line),
            text: text.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.text),
            None => write!(f, "{}: {}", self.path, self.text),
        }
    }
}

/// The command.
pub(crate) fn run(sh: &Shell, mut arguments: lexopt::Parser) -> anyhow::Result<()> {
    match arguments.next()? {
        None => check(sh),
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(other.unexpected().into()),
    }
}

/// Checks the whole tree.
///
/// # Errors
/// When a rule is broken; each place has been printed by then.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let files = files(sh)?;
    let mut violations = tree::check(&files);
    for path in &files {
        if sources::is_source(path) {
            let text = fs::read_to_string(root.join(path))
                .with_context(|| format!("cannot read {path}"))?;
            violations.extend(sources::check(path, &text));
        }
    }
    let workspace = Workspace::read(sh)?;
    violations.extend(dependencies::check_edges(&workspace.packages));
    for package in &workspace.packages {
        let path = relative(&package.manifest_path, &root);
        let manifest = fs::read_to_string(&package.manifest_path)?;
        violations.extend(dependencies::check_manifest(&path, &manifest));
    }
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("tidy found {} place(s) that break a rule", violations.len());
    }
    Ok(())
}

/// The files of the checkout, those not yet added included.
fn files(sh: &Shell) -> anyhow::Result<Vec<String>> {
    let listing = cmd!(sh, "git ls-files --cached --others --exclude-standard -z")
        .quiet()
        .read()?;
    let mut files: Vec<String> = listing
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    // A deleted file is listed until the deletion is committed.
    files.retain(|path| sh.current_dir().join(path).exists());
    files.sort();
    files.dedup();
    Ok(files)
}

fn relative(path: &Path, root: &PathBuf) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}
