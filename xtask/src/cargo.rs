//! Cargo, run for one PHP or for none.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use xshell::Shell;

use crate::php::Php;
use crate::workspace::Workspace;

/// A cargo command, the PHP it builds against included.
pub(crate) struct Cargo {
    command: Command,
    line: String,
}

/// How fpmd is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build: for tests.
    Dev,
    /// As it is meant to run.
    Release,
}

impl Cargo {
    /// Prepares `cargo` with these arguments.
    pub(crate) fn new(sh: &Shell, arguments: &[&str]) -> Cargo {
        let mut command = Command::new("cargo");
        command.current_dir(sh.current_dir()).args(arguments);
        Cargo {
            line: format!("cargo {}", arguments.join(" ")),
            command,
        }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Cargo {
        for argument in arguments {
            self.line.push(' ');
            self.line.push_str(&argument.as_ref().to_string_lossy());
            self.command.arg(argument);
        }
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Cargo {
        self.command.env(name, value);
        self
    }

    /// Builds against this PHP and no other, whatever our own environment says.
    pub(crate) fn with(mut self, php: &Php) -> Cargo {
        let decisive = php.environment();
        if !decisive.is_empty() {
            for name in ["FPMD_PHP_PREFIX", "PHP_CONFIG", "FPMD_PHP_VERSION"] {
                self.command.env_remove(name);
            }
        }
        self.command.envs(decisive);
        self
    }

    /// Runs it on our own terminal.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        eprintln!("$ {}", self.line);
        let status = self.command.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("`{}` failed", self.line);
        }
        Ok(())
    }
}

/// Builds fpmd against a PHP and returns the program.
///
/// # Errors
/// When it does not build.
pub(crate) fn build_fpmd(sh: &Shell, php: &Php, profile: Profile) -> anyhow::Result<PathBuf> {
    let (options, folder): (&[&str], _) = match profile {
        Profile::Dev => (&[], "debug"),
        Profile::Release => (&["--release"], "release"),
    };
    Cargo::new(sh, &["build", "--package", "fpmd"])
        .args(options)
        .with(php)
        .run()?;
    let target = Workspace::read(sh)?.target_directory;
    Ok(Path::new(&target).join(folder).join("fpmd"))
}
