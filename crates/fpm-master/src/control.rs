//! The control socket (`control.listen`): where commands reach the master.
//!
//! Rule: only root and the user that the master runs as get an answer. The file's mode says so to those who try, the kernel
//! says who they are to us.

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

use crate::error::MasterError;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// The file's permission bits.
const MODE: u32 = 0o600;

/// A socket that commands connect to. Its file goes with it.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    path: PathBuf,
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
        Ok(Rc::new(ControlSocket { path, socket }))
    }

    /// Takes over one that another program has opened at `path`.
    pub(crate) fn adopted(path: &BString, socket: OwnedFd) -> Rc<ControlSocket> {
        let path = PathBuf::from(OsStr::from_bytes(path));
        Rc::new(ControlSocket { path, socket })
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Tells whether the master does what this process wants.
pub(crate) fn is_obeyed(peer: &Peer) -> bool {
    peer.uid.is_root() || peer.uid == Uid::effective()
}
