//! Follows a file by its name, also when it is moved away and made anew.

use std::path::Path;
use std::process::{Child, Command};

use crate::log::Log;
use crate::{Result, tool};

/// A running `tail`, killed when dropped.
#[derive(Debug)]
pub(crate) struct Tail(Child);

impl Tail {
    /// Follows a file that need not be there yet.
    ///
    /// # Errors
    /// Fails when tail(1) cannot be started.
    pub(crate) fn of(file: &Path) -> Result<(Self, Log)> {
        let mut command = Command::new(tool::find("tail", "coreutils")?);
        // With inotify it looks only every few seconds whether a file that was moved away is there again.
        command
            .args(["-n", "+1", "-F", "---disable-inotify"])
            .args(["--sleep-interval=0.05", "--max-unchanged-stats=1"])
            .arg(file);
        let (child, log) = Log::of(command, &[])?;
        Ok((Self(child), log))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
