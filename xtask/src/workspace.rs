//! What cargo says about this workspace.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use xshell::{Shell, cmd};

/// The part of `cargo metadata` that commands here use.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    /// Where cargo puts what it builds.
    pub(crate) target_directory: PathBuf,
}

/// A member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a member's dependency tables.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<Kind>,
}

/// What a dependency is for, when it is not for the crate itself.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// For the tests.
    Dev,
    /// For the build script.
    Build,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// When a manifest is broken.
    pub(crate) fn read(sh: &Shell) -> anyhow::Result<Workspace> {
        let json = cmd!(sh, "cargo metadata --format-version 1 --no-deps")
            .quiet()
            .read()?;
        Ok(serde_json::from_str(&json)?)
    }

    /// The members that link libphp: php-sys and whoever uses it, directly or not.
    pub(crate) fn linking_libphp(&self) -> BTreeSet<&str> {
        let mut linking = BTreeSet::from(["php-sys"]);
        loop {
            let before = linking.len();
            for package in &self.packages {
                if package
                    .dependencies
                    .iter()
                    .any(|used| linking.contains(used.name.as_str()))
                {
                    linking.insert(&package.name);
                }
            }
            if linking.len() == before {
                return linking;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linking_follows_the_edges() {
        let json = r#"{"target_directory": "/t", "packages": [
            {"name": "fpmd", "manifest_path": "/p", "dependencies": [{"name": "fpm-worker"}]},
            {"name": "fpm-worker", "manifest_path": "/p", "dependencies": [{"name": "sapi"}, {"name": "nix"}]},
            {"name": "sapi", "manifest_path": "/p", "dependencies": [{"name": "php-sys"}]},
            {"name": "php-sys", "manifest_path": "/p", "dependencies": []},
            {"name": "fcgi-proto", "manifest_path": "/p", "dependencies": [{"name": "nom"}]}
        ]}"#;
        let workspace: Workspace = serde_json::from_str(json).unwrap();
        let linking: Vec<&str> = workspace.linking_libphp().into_iter().collect();
        assert_eq!(linking, ["fpm-worker", "fpmd", "php-sys", "sapi"]);
    }
}
