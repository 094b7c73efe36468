//! A disk that is soon full.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::{Result, tool};

/// A file system in memory with room for 4 MiB, unmounted when dropped. Only root can make one.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts it.
    ///
    /// # Errors
    /// Fails when mount(8) does.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("fpmd-disk-")?;
        let status = Command::new(tool::find("mount", "mount")?)
            .args(["-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs"])
            .arg(folder.path())
            .status()?;
        ensure!(status.success(), "cannot mount a tmpfs: {status}");
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets nobody write to it any more.
    ///
    /// # Errors
    /// Fails when mount(8) does.
    pub fn protect(&self) -> Result {
        let status = Command::new(tool::find("mount", "mount")?)
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .status()?;
        ensure!(status.success(), "cannot make a tmpfs read-only: {status}");
        Ok(())
    }

    /// Fills it and returns the file that takes all the room.
    ///
    /// # Errors
    /// Fails when anything but the room runs out.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.path().join("filler");
        let mut filler = File::create(&path)?;
        loop {
            match filler.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(path),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The daemon may not have let go of its logs yet.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
        let _ = fs::remove_dir(self.path());
    }
}
