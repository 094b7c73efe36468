//! Rules about where files are and how they are called.

use std::collections::BTreeSet;

use super::Violation;
use super::policy::{EMPTY_NAMES, TOP_LEVEL};

/// Checks the paths of all files, relative to the workspace.
pub(super) fn check(files: &[String]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let tops: BTreeSet<&str> = files
        .iter()
        .map(|path| path.split('/').next().unwrap_or(path))
        .collect();
    for top in tops {
        if !top.starts_with('.') && !TOP_LEVEL.contains(&top) {
            violations.push(Violation::of_file(
                top,
                "the top level has a fixed list of names",
            ));
        }
    }
    for path in files {
        if path.ends_with("/mod.rs") {
            violations.push(Violation::of_file(
                path,
                "a module is foo.rs beside foo/, not foo/mod.rs",
            ));
        }
        for part in path.split('/') {
            let name = part.split('.').next().unwrap_or(part);
            if EMPTY_NAMES.contains(&name) {
                violations.push(Violation::of_file(
                    path,
                    format!("'{name}' does not say what it is"),
                ));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_paths(paths: &[&str]) -> Vec<String> {
        let files: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        check(&files)
            .into_iter()
            .map(|violation| violation.path)
            .collect()
    }

    #[test]
    fn the_top_level_is_fixed_but_for_hidden_files() {
        assert!(
            check_paths(&["Cargo.toml", ".gitignore", ".ci/run", "crates/a/src/lib.rs"]).is_empty()
        );
        assert_eq!(
            check_paths(&["docs/a.md", "docs/b.md", "Makefile"]),
            ["Makefile", "docs"]
        );
    }

    #[test]
    fn names_say_what_is_inside() {
        assert_eq!(
            check_paths(&[
                "xtask/src/util.rs",
                "tests/common/a.rs",
                "crates/a/src/b/mod.rs"
            ]),
            [
                "xtask/src/util.rs",
                "tests/common/a.rs",
                "crates/a/src/b/mod.rs"
            ]
        );
        assert!(check_paths(&["crates/a/src/utility_bill.rs"]).is_empty());
    }
}
