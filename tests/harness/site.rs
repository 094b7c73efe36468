//! The temporary directory of one daemon: document root, sockets, configuration, files that scripts may write.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::Result;

/// A directory tree that is removed with its last user.
#[derive(Debug)]
pub struct Site {
    path: PathBuf,
    root: PathBuf,
    /// Removes the tree when dropped.
    _folder: TempDir,
}

impl Site {
    /// Makes `www` (the document root) and `var` (writable for everybody) in a new temporary directory.
    ///
    /// # Errors
    /// Fails when the directory for temporary files is not writable.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("fpmd-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        // PHP resolves links in paths it reports, so the tests must compare with resolved paths.
        let path = folder.path().canonicalize()?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        let root = path.join("www");
        fs::create_dir(&root)?;
        let var = path.join("var");
        fs::create_dir(&var)?;
        fs::set_permissions(&var, Permissions::from_mode(0o777))?;
        Ok(Self {
            path,
            root,
            _folder: folder,
        })
    }

    /// The document root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The temporary directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// A path below the temporary directory.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// The directory that every user may write to.
    #[must_use]
    pub fn var(&self) -> PathBuf {
        self.path("var")
    }

    /// Writes a file below the document root, with the folders it needs.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let file = self.root.join(relative);
        let parent = file.parent().context("a file has a folder")?;
        fs::create_dir_all(parent)?;
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// Moves the document root, for applications that live elsewhere.
    pub fn set_root(&mut self, root: &Path) {
        self.root = root.to_path_buf();
    }
}
