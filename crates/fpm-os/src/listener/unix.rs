//! Unix sockets: a file that is the address.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c, sapi/fpm/fpm/fpm_unix.c (`fpm_unix_set_socket_permissions`)

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, UnixAddr, connect};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chown};

use crate::error::OsError;
use crate::listener;

/// The longest path that a socket can have, in bytes: the kernel's field less the NUL (unix(7)).
pub const MAX_PATH: usize = 107;

/// Listens at `path`; the file gets exactly the permission bits `mode`.
///
/// A file that is there already is removed, unless a server accepts connections at it. The process's umask changes for
/// a moment, so no other thread may create files meanwhile.
///
/// # Errors
/// [`OsError::Socket`], [`OsError::AlreadyListening`], [`OsError::Bind`] (ENAMETOOLONG for a path longer than
/// [`MAX_PATH`], see [`cut`]), [`OsError::Listen`].
pub fn listen(path: &Path, mode: u32, backlog: i32) -> Result<OwnedFd, OsError> {
    let configured = path.to_string_lossy();
    let socket = listener::open(AddressFamily::Unix)?;
    if path.as_os_str().len() > MAX_PATH {
        return Err(listener::bind_failed(&configured, Errno::ENAMETOOLONG));
    }
    let address = UnixAddr::new(path).map_err(|errno| listener::bind_failed(&configured, errno))?;
    if is_served(&address)? {
        return Err(OsError::AlreadyListening {
            path: path.to_owned(),
        });
    }
    // What cannot be removed (a directory, no permission) makes the bind fail, which tells more.
    let _ = fs::remove_file(path);
    let before = umask(Mode::from_bits_truncate(!mode & 0o777));
    let bound = listener::bind_to(&socket, &address, &configured);
    umask(before);
    bound?;
    listener::listen(&socket, backlog, &configured).inspect_err(|_| {
        // Nobody would ever answer there.
        let _ = fs::remove_file(path);
    })?;
    Ok(socket)
}

/// Tells whether a server accepts connections at `path`. What cannot be found out is taken for a yes. Whoever serves there sees a
/// client that leaves at once.
#[must_use]
pub fn is_answered(path: &Path) -> bool {
    UnixAddr::new(path).is_ok_and(|address| is_served(&address).unwrap_or(true))
}

/// Tells whether a server accepts connections at the address, be it with its queue full (EAGAIN; a connect that waits
/// would wait for that server).
fn is_served(address: &UnixAddr) -> Result<bool, OsError> {
    let client = listener::open(AddressFamily::Unix)?;
    Ok(matches!(
        connect(client.as_raw_fd(), address),
        Ok(()) | Err(Errno::EAGAIN)
    ))
}

/// Cuts a path that is too long for a socket, as the original does after a warning; `None` when it fits.
#[must_use]
pub fn cut(path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_bytes();
    let cut = bytes
        .get(..MAX_PATH)
        .filter(|cut| cut.len() < bytes.len())?;
    Some(PathBuf::from(OsStr::from_bytes(cut)))
}

/// Gives the socket's file to a user, a group, or both.
///
/// # Errors
/// [`OsError::ChangeOwner`].
pub fn change_owner(path: &Path, user: Option<Uid>, group: Option<Gid>) -> Result<(), OsError> {
    chown(path, user, group).map_err(|errno| OsError::ChangeOwner {
        path: path.to_owned(),
        errno,
    })
}
