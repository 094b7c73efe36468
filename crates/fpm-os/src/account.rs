//! Users and groups by name and number, from whatever nsswitch.conf names.
//!
//! Rule: an unknown name is `None`, not an error. getpwnam(3) lists the errnos with which some systems say so.

use std::io;
use std::path::PathBuf;
use std::str;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};

/// A user as the system's database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
    /// Its home directory.
    pub home: PathBuf,
}

/// Looks a user up by name.
///
/// # Errors
/// When the database cannot be read.
pub fn user_named(name: &[u8]) -> io::Result<Option<User>> {
    // A name that is not UTF-8 is in no database that the tools of a distribution can write.
    let Ok(name) = str::from_utf8(name) else {
        return Ok(None);
    };
    Ok(found(unistd::User::from_name(name))?.map(User::from))
}

/// Looks a user up by number.
///
/// # Errors
/// When the database cannot be read.
pub fn user_with_id(uid: Uid) -> io::Result<Option<User>> {
    Ok(found(unistd::User::from_uid(uid))?.map(User::from))
}

/// Looks a group's number up by its name.
///
/// # Errors
/// When the database cannot be read.
pub fn group_named(name: &[u8]) -> io::Result<Option<Gid>> {
    let Ok(name) = str::from_utf8(name) else {
        return Ok(None);
    };
    Ok(found(unistd::Group::from_name(name))?.map(|group| group.gid))
}

impl From<unistd::User> for User {
    fn from(user: unistd::User) -> User {
        User {
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            home: user.dir,
        }
    }
}

/// Takes the errnos that mean "no such entry" (getpwnam(3)) for what they mean.
fn found<T>(entry: nix::Result<Option<T>>) -> io::Result<Option<T>> {
    match entry {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_root() {
        let root = user_named(b"root").unwrap().unwrap();
        assert_eq!((root.uid.as_raw(), root.gid.as_raw()), (0, 0));
        assert_eq!(user_with_id(Uid::from_raw(0)).unwrap(), Some(root));
        assert_eq!(group_named(b"root").unwrap(), Some(Gid::from_raw(0)));
    }

    #[test]
    fn unknown_names_are_nobody() {
        for name in [&b""[..], b"no such user", b"\xff\xfe", b"a\0b", b"12345"] {
            assert_eq!(user_named(name).unwrap_or(None), None, "{name:?}");
            assert_eq!(group_named(name).unwrap_or(None), None, "{name:?}");
        }
        assert_eq!(user_with_id(Uid::from_raw(4_294_000_000)).unwrap(), None);
    }
}
