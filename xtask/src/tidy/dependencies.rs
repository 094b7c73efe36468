//! Rules about who depends on whom, and how manifests say it.

use super::Violation;
use super::policy::{FOR_TESTS, MEMBERS, RESTRICTED};
use crate::workspace::{Kind, Package};

/// Checks every edge, those of tests and build scripts included.
pub(super) fn check_edges(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let Some(member) = MEMBERS.iter().find(|member| member.name == package.name) else {
            violations.push(Violation::of_file(
                &package.name,
                "this package is not in the table of members",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let is_member = MEMBERS.iter().any(|member| member.name == name);
            let for_tests = dependency.kind == Some(Kind::Dev) && FOR_TESTS.contains(&name);
            if is_member && !for_tests && !member.may_use.contains(&name) {
                violations.push(Violation::of_file(
                    member.directory,
                    format!("may not use {name}"),
                ));
            }
            let restriction = RESTRICTED
                .iter()
                .find(|(restricted, _)| *restricted == name);
            if let Some((_, users)) = restriction
                && !users.contains(&member.name)
            {
                let users = users.join(", ");
                violations.push(Violation::of_file(
                    member.directory,
                    format!("may not use {name}; only {users} may"),
                ));
            }
        }
    }
    violations
}

/// Checks that versions and lints come from the workspace.
pub(super) fn check_manifest(path: &str, manifest: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut table = "";
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            table = line;
        } else if table.ends_with("dependencies]")
            && line.contains('=')
            && !line.starts_with('#')
            && !line.replace(' ', "").contains("workspace=true")
        {
            violations.push(Violation::of_line(
                path,
                index + 1,
                "versions stand in the workspace's manifest only",
            ));
        }
    }
    if !manifest.contains("[lints]\nworkspace = true") {
        violations.push(Violation::of_file(
            path,
            "lints come from the workspace: [lints] workspace = true",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn edges(package: &str, dependencies: &[&str]) -> Vec<String> {
        edges_of_kind(None, package, dependencies)
    }

    fn edges_of_kind(kind: Option<Kind>, package: &str, dependencies: &[&str]) -> Vec<String> {
        let package = Package {
            name: package.to_owned(),
            manifest_path: "/p".into(),
            dependencies: dependencies
                .iter()
                .map(|name| Dependency {
                    name: (*name).to_owned(),
                    kind,
                })
                .collect(),
        };
        check_edges(&[package])
            .into_iter()
            .map(|violation| violation.to_string())
            .collect()
    }

    #[test]
    fn only_edges_of_the_table_exist() {
        assert!(edges("fpm-worker", &["sapi", "fcgi-proto", "nix"]).is_empty());
        assert_eq!(
            edges("fpm-master", &["sapi"]),
            ["crates/fpm-master/: may not use sapi"]
        );
        assert_eq!(
            edges("fpmd", &["php-sys"]),
            ["crates/fpmd/: may not use php-sys"]
        );
        assert_eq!(edges("newcomer", &[]).len(), 1);
    }

    #[test]
    fn tests_may_bring_a_client() {
        assert!(edges_of_kind(Some(Kind::Dev), "fpm-zygote", &["fcgi-proto"]).is_empty());
        assert_eq!(
            edges_of_kind(Some(Kind::Dev), "fpm-zygote", &["fpm-master"]).len(),
            1
        );
        assert_eq!(
            edges_of_kind(Some(Kind::Build), "fpm-zygote", &["fcgi-proto"]).len(),
            1
        );
    }

    #[test]
    fn some_crates_of_others_have_few_users() {
        assert!(edges("fpmd", &["anyhow", "tracing-subscriber"]).is_empty());
        assert_eq!(
            edges("fpm-worker", &["libc"]),
            ["crates/fpm-worker/: may not use libc; only fpm-os, php-sys, sapi may"]
        );
    }

    #[test]
    fn versions_and_lints_come_from_the_workspace() {
        let good = "[dependencies]\n# why\nnix.workspace = true\nnom = { workspace = true }\n\n[lints]\nworkspace = true\n";
        assert!(check_manifest("a/Cargo.toml", good).is_empty());
        let bad = "[dev-dependencies]\nproptest = \"1\"\n";
        assert_eq!(check_manifest("a/Cargo.toml", bad).len(), 2);
    }

    #[test]
    fn the_table_knows_only_its_own_names() {
        for member in MEMBERS {
            for used in member.may_use {
                assert!(MEMBERS.iter().any(|other| other.name == *used), "{used}");
            }
        }
    }
}
