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
use fpm_master::company::old_name;
use fpm_master::error::MasterError;
use nix::unistd::Pid;

use crate::cause::cause;

/// A pid file that may or may not have been written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    path: PathBuf,
    whose: Whose,
}

/// Who has the file under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// This master.
    Ours,
    /// A new one beside it, to which it has left the name.
    Left,
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
            whose: Whose::Ours,
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

    /// Leaves the name to a new master.
    ///
    /// # Errors
    /// When the file is there and cannot be renamed.
    pub(crate) fn leave(&mut self) -> Result<(), MasterError> {
        match fs::rename(&self.path, old_name(&self.path)) {
            Ok(()) => {}
            // Somebody has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(MasterError::Name {
                    path: self.path.clone(),
                    source,
                });
            }
        }
        self.whose = Whose::Left;
        Ok(())
    }

    /// Has the file under its name again: the new master is gone.
    pub(crate) fn take_back(&mut self) {
        if self.whose == Whose::Ours {
            return;
        }
        let old = old_name(&self.path);
        if let Err(error) = fs::rename(&old, &self.path) {
            let (old, path) = (old.display(), self.path.display());
            tracing::error!("cannot rename {old} to {path}: {}", cause(&error));
        }
        self.whose = Whose::Ours;
    }

    /// Removes the file of an old master that has left its name to this one, if its end did not.
    pub(crate) fn remove_old(&self, master: Pid) {
        let old = old_name(&self.path);
        if fs::read_to_string(&old).is_ok_and(|text| text.trim() == master.to_string()) {
            let _ = fs::remove_file(old);
        }
    }

    /// Returns where the file is.
    fn place(&self) -> PathBuf {
        match self.whose {
            Whose::Ours => self.path.clone(),
            Whose::Left => old_name(&self.path),
        }
    }

    /// Removes the file.
    pub(crate) fn remove(&self) {
        let path = self.place();
        if let Err(error) = fs::remove_file(&path) {
            tracing::error!(
                "Unable to remove the PID file ({}).: {}",
                path.display(),
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
    fn each_of_two_masters_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("pid"), folder.path().join("pid.oldbin"));
        let pid = std::process::id().to_string();
        let mut before = file(&path);
        before.write().unwrap();
        before.leave().unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(&old).unwrap(), pid);
        // Another one begins and ends.
        fs::write(&path, "7").unwrap();
        file(&path).remove_old(Pid::from_raw(7));
        assert!(old.exists(), "it is another master's");
        before.take_back();
        assert_eq!(fs::read_to_string(&path).unwrap(), pid);
        assert!(!old.exists());
        // The next one stays.
        before.leave().unwrap();
        fs::write(&path, "8").unwrap();
        file(&path).remove_old(Pid::this());
        assert!(!old.exists());
        fs::write(&old, &pid).unwrap();
        before.remove();
        assert!(!old.exists());
        assert_eq!(fs::read_to_string(&path).unwrap(), "8");
    }

    #[test]
    fn what_cannot_be_created_is_named() {
        let error = file("/no/such/folder/pid".as_ref()).write().unwrap_err();
        let expected =
            "Unable to create the PID file (/no/such/folder/pid).: No such file or directory (2)";
        assert_eq!(error.to_string(), expected);
    }
}
