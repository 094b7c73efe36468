//! The pid file: written when the daemon is launched, removed at an end in order.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_write_pid`, `fpm_conf_unlink_pid`)

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use bstr::BString;
use nix::unistd::Pid;

use crate::cause::cause;

/// A pid file that may or may not have been written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    path: PathBuf,
}

/// The pid file cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PidFileError {
    /// It cannot be created.
    #[error("Unable to create the PID file ({}).: {}", path.display(), cause(source))]
    Create {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was created and cannot be written to.
    #[error("Unable to write to the PID file.: {}", cause(source))]
    Write {
        /// Why.
        source: io::Error,
    },
}

impl PidFile {
    /// Names the file.
    pub(crate) fn new(path: &BString) -> PidFile {
        PidFile {
            path: OsStr::from_bytes(path).into(),
        }
    }

    /// Writes the id of this process. A file that is there already is replaced.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub(crate) fn write(&self) -> Result<(), PidFileError> {
        // Whatever cannot be removed makes the next step fail, which tells more.
        let _ = fs::remove_file(&self.path);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&self.path)
            .map_err(|source| PidFileError::Create {
                path: self.path.clone(),
                source,
            })?;
        file.write_all(Pid::this().to_string().as_bytes())
            .map_err(|source| PidFileError::Write { source })
    }

    /// Removes the file.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(
                "Unable to remove the PID file ({}).: {}",
                self.path.display(),
                cause(&error)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &std::path::Path) -> PidFile {
        PidFile::new(&path.as_os_str().as_bytes().into())
    }

    #[test]
    fn an_old_file_is_replaced_and_the_new_one_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "123456789012345").unwrap();
        file(&path).write().unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            std::process::id().to_string()
        );
        file(&path).remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_created_is_named() {
        let error = file("/no/such/folder/pid".as_ref()).write().unwrap_err();
        let expected =
            "Unable to create the PID file (/no/such/folder/pid).: No such file or directory (2)";
        assert_eq!(error.to_string(), expected);
    }
}
