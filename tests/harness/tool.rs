//! Programs that the end-to-end tests need beside the daemon.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::Result;

/// Finds an installed program, also where only root's `PATH` leads.
///
/// # Errors
/// Fails with the name of the Debian package that has it.
pub fn find(program: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(
            ["/usr/sbin", "/usr/local/sbin", "/sbin"]
                .iter()
                .map(PathBuf::from),
        )
        .map(|folder| folder.join(program))
        .find(|file| Path::is_file(file))
        .with_context(|| format!("{program} is not installed: apt-get install {package}"))
}
