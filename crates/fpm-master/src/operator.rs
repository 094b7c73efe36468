//! The post of the operator process (`operator.listen`): its socket, and whom it becomes.
//!
//! Rule: the socket is the master's and outlives the process, so that whoever connects while there is none is answered by the
//! next. The process gets a copy of it, and of nothing else that clients come to.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use fpm_channel::RunAs;
use fpm_conf::{Operator, OperatorAddress};
use fpm_os::listener::{inet, unix};
use nix::unistd::Gid;

use crate::directory::Directory;
use crate::error::MasterError;
use crate::owner;
use crate::program::Starter;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// The permission bits of a unix socket's file: for its owner, who is the master's user, and for the operator's group.
const MODE: u32 = 0o660;

/// What an operator process is started with.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) settings: Operator,
    /// `None` when it stays who the master is.
    pub(crate) run_as: Option<RunAs>,
    socket: Rc<Socket>,
}

/// A listening socket. The file of a unix socket goes with it.
#[derive(Debug)]
struct Socket {
    address: OperatorAddress,
    /// Whose group the file is.
    group: Option<u32>,
    socket: OwnedFd,
}

impl Post {
    /// Finds out whom the process becomes and opens the socket, or shares what the post `before` has.
    ///
    /// # Errors
    /// When its user is in no database or the socket cannot be bound.
    pub(crate) fn open(
        settings: &Operator,
        starter: Starter,
        before: Option<&Rc<Post>>,
    ) -> Result<Rc<Post>, MasterError> {
        let run_as = owner::operator(settings, starter, &Directory::default())?;
        let group = run_as.as_ref().map(|run_as| run_as.gid);
        let same = before.filter(|before| before.settings == *settings && before.run_as == run_as);
        if let Some(same) = same {
            return Ok(Rc::clone(same));
        }
        let socket = before
            .map(|before| &before.socket)
            .filter(|socket| socket.address == settings.listen && socket.group == group);
        let socket = match socket {
            Some(socket) => Rc::clone(socket),
            None => Rc::new(Socket::open(&settings.listen, group)?),
        };
        Ok(Rc::new(Post {
            settings: settings.clone(),
            run_as,
            socket,
        }))
    }

    /// Takes over one that another program has opened.
    pub(crate) fn adopted(settings: Operator, run_as: Option<RunAs>, socket: OwnedFd) -> Rc<Post> {
        let socket = Socket {
            address: settings.listen.clone(),
            group: run_as.as_ref().map(|run_as| run_as.gid),
            socket,
        };
        Rc::new(Post {
            settings,
            run_as,
            socket: Rc::new(socket),
        })
    }
}

impl AsFd for Post {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.socket.as_fd()
    }
}

impl Socket {
    fn open(address: &OperatorAddress, group: Option<u32>) -> Result<Socket, MasterError> {
        let configured = address.to_string();
        let socket = match address {
            OperatorAddress::Loopback(loopback) => inet::listen(*loopback, &configured, BACKLOG)?,
            OperatorAddress::Unix(path) => {
                let path = Path::new(OsStr::from_bytes(path));
                let socket = unix::listen(path, MODE, BACKLOG)?;
                if let Some(group) = group {
                    unix::change_owner(path, None, Some(Gid::from_raw(group)))?;
                }
                socket
            }
        };
        Ok(Socket {
            address: address.clone(),
            group,
            socket,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let OperatorAddress::Unix(path) = &self.address {
            let _ = fs::remove_file(OsStr::from_bytes(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    use fpm_conf::Percent;
    use nix::unistd::Uid;

    use super::*;

    const NOBODY_ELSE: Starter = Starter::Unprivileged(Uid::from_raw(1000));

    fn at(path: &Path) -> Operator {
        Operator {
            listen: OperatorAddress::Unix(path.as_os_str().as_bytes().into()),
            user: "nobody".into(),
            group: None,
            ready_queue: Percent(50),
            ready_busy: Percent(100),
        }
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator");
        (folder, path)
    }

    #[test]
    fn other_thresholds_change_the_post_but_not_the_socket() {
        let (_folder, path) = folder();
        let settings = at(&path);
        let first = Post::open(&settings, NOBODY_ELSE, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let same = Post::open(&settings, NOBODY_ELSE, Some(&first)).unwrap();
        assert!(Rc::ptr_eq(&first, &same));
        let changed = Operator {
            ready_busy: Percent(80),
            ..settings
        };
        let changed = Post::open(&changed, NOBODY_ELSE, Some(&first)).unwrap();
        assert!(!Rc::ptr_eq(&first, &changed));
        drop((first, same));
        UnixStream::connect(&path).unwrap();
        drop(changed);
        assert!(!path.exists());
    }

    #[test]
    fn a_place_where_somebody_listens_is_refused() {
        let (_folder, path) = folder();
        let _first = Post::open(&at(&path), NOBODY_ELSE, None).unwrap();
        let error = Post::open(&at(&path), NOBODY_ELSE, None).unwrap_err();
        let text = "Another FPM instance seems to already listen on";
        assert!(error.to_string().contains(text), "{error}");
        UnixStream::connect(&path).unwrap();
    }
}
