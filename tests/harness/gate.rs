//! A named pipe between a test and a script, so that each can wait for the other.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::{PATIENCE, Result, Site};

/// A pipe that a PHP script opens by its path.
///
/// A script waits with `fgets(fopen($gate, 'r'))` and reports with `file_put_contents($gate, "here\n")`. The test holds both ends
/// open, so that neither `fopen` ever blocks.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
    pipe: File,
}

impl Gate {
    /// A script that says `begun`, waits at the gate that its query names (`?gate=…`, else at the one called `gate`), and says `done`.
    pub const SCRIPT: &str = "<?php echo 'begun '; flush();
        fgets(fopen(__DIR__ . '/../var/' . ($_GET['gate'] ?? 'gate'), 'r')); echo 'done';";

    /// Makes the pipe in the writable folder of `site`.
    ///
    /// # Errors
    /// Fails when there is a file of that name.
    pub fn new(site: &Site, name: &str) -> Result<Self> {
        let path = site.var().join(name);
        mkfifo(&path, Mode::S_IRWXU)
            .with_context(|| format!("cannot make the pipe {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        let pipe = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self { path, pipe })
    }

    /// The path, for the script.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets one waiting script go on.
    ///
    /// # Errors
    /// Fails when the pipe is full.
    pub fn open(&self) -> Result {
        (&self.pipe)
            .write_all(b"\n")
            .context("cannot write to the pipe")
    }

    /// Waits for a script to write something and returns it.
    ///
    /// # Errors
    /// Fails when no script does in [`PATIENCE`].
    pub fn wait(&self) -> Result<String> {
        ensure!(
            self.has_something(PATIENCE.as_millis().try_into()?)?,
            "no script wrote to {}",
            self.path.display()
        );
        let mut buffer = [0; 4096];
        let count = (&self.pipe).read(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..count])
            .trim_end()
            .to_owned())
    }

    /// Reads until a text has come, and returns all that was read.
    ///
    /// # Errors
    /// Fails when nothing comes for [`PATIENCE`] before the text.
    pub fn read_until(&self, text: &str) -> Result<String> {
        let mut read = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            ensure!(
                self.has_something(PATIENCE.as_millis().try_into()?)?,
                "no {text:?} among {} octets from {}",
                read.len(),
                self.path.display()
            );
            let count = (&self.pipe).read(&mut buffer)?;
            read.extend_from_slice(&buffer[..count]);
            let read = String::from_utf8_lossy(&read);
            if read.contains(text) {
                return Ok(read.into_owned());
            }
        }
    }

    /// Whether a script has written something that no one has read.
    ///
    /// # Errors
    /// Fails when the pipe cannot be looked at.
    pub fn is_written(&self) -> Result<bool> {
        self.has_something(0)
    }

    fn has_something(&self, milliseconds: u16) -> Result<bool> {
        let mut pipes = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut pipes, PollTimeout::from(milliseconds))? > 0)
    }
}
