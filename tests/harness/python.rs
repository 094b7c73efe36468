//! Python with a package of PyPI, in an environment that belongs to the tests alone.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use nix::fcntl::{Flock, FlockArg};

use crate::packages::cache;
use crate::{Result, tool};

/// A Python that has one package more than every other.
#[derive(Debug)]
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// Installs a package, named as pip wants it (`name==1.0`), once; it is kept in `~/.cache/fpmd/python`.
    ///
    /// # Errors
    /// Fails when there is no Python or the package cannot be fetched.
    pub fn with(package: &str) -> Result<Self> {
        let cache = cache("python")?;
        let lock = File::create(cache.join("lock"))?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
        let folder = cache.join(package);
        let python = Self {
            program: folder.join("bin/python"),
        };
        let complete = folder.join("complete");
        if !complete.is_file() {
            run(Command::new(tool::find("python3", "python3-venv")?)
                .args(["-m", "venv", "--clear"])
                .arg(&folder))?;
            run(Command::new(&python.program)
                .args(["-m", "pip", "--disable-pip-version-check"])
                .args(["install", "--quiet", package]))?;
            fs::write(&complete, "")?;
        }
        Ok(python)
    }

    /// Runs a script, which reads `input`, and returns what it prints.
    ///
    /// # Errors
    /// Fails with what the script complains of.
    pub fn run(&self, script: &str, input: &str) -> Result<String> {
        let mut child = Command::new(&self.program)
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("it was piped")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the script failed:\n{complaint}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn run(command: &mut Command) -> Result {
    let status = command
        .status()
        .with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(
        status.success(),
        "{command:?} failed: apt-get install python3-venv?"
    );
    Ok(())
}
