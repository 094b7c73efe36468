//! The control socket (`control.listen`): where commands reach the master.
//!
//! Rule: only root and the user that the master runs as get an answer. The file's mode says so to those who try, the kernel
//! says who they are to us.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use bstr::BString;
use fpm_os::listener::unix;
use fpm_os::peer::Peer;
use nix::unistd::Uid;

use crate::company::old_name;
use crate::error::MasterError;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// The file's permission bits.
const MODE: u32 = 0o600;

/// A socket that commands connect to. Its file goes with it.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    path: PathBuf,
    /// Where its file is: there, or under the name of an old master's.
    file: RefCell<PathBuf>,
    socket: OwnedFd,
}

impl ControlSocket {
    /// Opens the socket at `path`, or shares the one `before`, if it is there.
    ///
    /// # Errors
    /// When it cannot be bound, or another daemon takes orders there.
    pub(crate) fn open(
        path: &BString,
        before: Option<&Rc<ControlSocket>>,
    ) -> Result<Rc<ControlSocket>, MasterError> {
        let path = PathBuf::from(OsStr::from_bytes(path));
        if let Some(before) = before.filter(|before| before.path == path) {
            return Ok(Rc::clone(before));
        }
        let socket = unix::listen(&path, MODE, BACKLOG)?;
        Ok(ControlSocket::at(path, socket))
    }

    /// Takes over one that another program has opened at `path`.
    pub(crate) fn adopted(path: &BString, socket: OwnedFd) -> Rc<ControlSocket> {
        let path = PathBuf::from(OsStr::from_bytes(path));
        ControlSocket::at(path, socket)
    }

    fn at(path: PathBuf, socket: OwnedFd) -> Rc<ControlSocket> {
        let file = RefCell::new(path.clone());
        Rc::new(ControlSocket { path, file, socket })
    }

    /// Leaves the name to a new master.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub(crate) fn leave_name(&self) -> Result<(), MasterError> {
        let old = old_name(&self.path);
        fs::rename(&self.path, &old).map_err(|source| MasterError::Name {
            path: self.path.clone(),
            source,
        })?;
        self.file.replace(old);
        Ok(())
    }

    /// Has its name again: the new master is gone.
    pub(crate) fn take_name_back(&self) {
        let file = self.file.replace(self.path.clone());
        if file != self.path
            && let Err(error) = fs::rename(&file, &self.path)
        {
            let (file, path) = (file.display(), self.path.display());
            tracing::error!("cannot rename {file} to {path}: {error}");
        }
    }

    /// Removes the file that an old master has left, if it has.
    pub(crate) fn remove_old(&self) {
        let _ = fs::remove_file(old_name(&self.path));
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&*self.file.borrow());
    }
}

/// Tells whether the master does what this process wants.
pub(crate) fn is_obeyed(peer: &Peer) -> bool {
    peer.uid.is_root() || peer.uid == Uid::effective()
}
