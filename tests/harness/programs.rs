//! Builds of the daemon beside each other on disk, as a package that is upgraded leaves them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::executable::{copy_program, write_program};
use crate::{Daemon, Fpm, Result, Subject};

/// A place for programs, and the link by which one of them is called.
#[derive(Debug)]
pub struct Programs {
    folder: TempDir,
}

impl Programs {
    /// Two builds, `one` and `two`, as far as a daemon can tell; `one` is called.
    ///
    /// # Errors
    /// Fails when the program under test cannot be copied.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = Subject::from_environment()?.program();
        for (name, behind) in [("one", ""), ("two", "2")] {
            copy_program(program, &folder.path().join(name), behind)?;
        }
        let programs = Self { folder };
        programs.put("one")?;
        Ok(programs)
    }

    /// Where the programs lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn called(&self) -> PathBuf {
        self.folder.path().join("fpmd")
    }

    /// Has the link lead to another program.
    ///
    /// # Errors
    /// Fails when there can be no link.
    pub fn put(&self, name: &str) -> Result {
        let next = self.folder.path().join("next");
        symlink(name, &next)?;
        fs::rename(next, self.called())?;
        Ok(())
    }

    /// Puts a script there.
    ///
    /// # Errors
    /// Fails when it cannot be written.
    pub fn put_script(&self, text: &str) -> Result {
        let script = self.folder.path().join("script");
        write_program(&script, text)?;
        self.put("script")
    }

    /// Starts a daemon from the program that is called.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn start(&self, daemon: Daemon) -> Result<Fpm> {
        let subject = Subject::from_environment()?.called(&self.called());
        daemon.subject(&subject).start()
    }
}
