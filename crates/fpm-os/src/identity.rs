//! A change of root, directory, group and user that cannot be taken back.
//!
//! Rule: whoever has changed asks the kernel whether the old identity is really gone, capabilities included, and ends if it
//! is not.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_init_child`)

use std::ffi::CString;
use std::path::Path;

use nix::unistd::{
    Gid, ResGid, ResUid, Uid, chdir, getgrouplist, getgroups, getresgid, getresuid, setgid,
    setgroups, setresgid, setresuid, setuid,
};

use crate::capabilities;
use crate::error::OsError;

/// Whom a worker runs as. Id 0 means "as it is", as in the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user whose supplementary groups are taken; one that no database knows has none but `gid`.
    pub user: CString,
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
}

/// Makes `path` the root directory. The working directory is still outside: change it next.
///
/// # Errors
/// [`OsError::ChangeRoot`].
pub fn change_root(path: &Path) -> Result<(), OsError> {
    nix::unistd::chroot(path).map_err(|errno| OsError::ChangeRoot {
        path: path.to_owned(),
        errno,
    })
}

/// Makes `path` the working directory.
///
/// # Errors
/// [`OsError::ChangeDirectory`].
pub fn change_directory(path: &Path) -> Result<(), OsError> {
    chdir(path).map_err(|errno| OsError::ChangeDirectory {
        path: path.to_owned(),
        errno,
    })
}

/// Takes on the identity for good: group, supplementary groups, user, no capabilities, in this order, and then makes
/// sure.
///
/// # Errors
/// [`OsError::SetGroup`], [`OsError::SupplementaryGroups`], [`OsError::SetUser`] when the kernel refuses (EPERM for all
/// but root), [`OsError::Revocable`] when root could come back. After any of them the process must end.
pub fn assume(identity: &Identity) -> Result<(), OsError> {
    let Identity { user, uid, gid } = identity;
    if !is_root_group(*gid) {
        setgid(*gid).map_err(|errno| OsError::SetGroup {
            gid: gid.as_raw(),
            errno,
        })?;
    }
    if !uid.is_root() {
        let refused = |errno| OsError::SupplementaryGroups {
            user: user.to_string_lossy().into_owned(),
            gid: gid.as_raw(),
            errno,
        };
        let groups = getgrouplist(user, *gid).map_err(refused)?;
        setgroups(&groups).map_err(refused)?;
        setuid(*uid).map_err(|errno| OsError::SetUser {
            uid: uid.as_raw(),
            errno,
        })?;
        // The kernel has taken most of them with the user id, unless it was told not to (securebits).
        capabilities::give_up().map_err(OsError::call("capset()"))?;
        if !same_groups(&groups, &getgroups().map_err(refused)?) {
            return Err(OsError::Revocable {
                what: "its supplementary groups are others",
            });
        }
    }
    verify(*uid, *gid)
}

/// Compares two lists of groups, whatever their order.
fn same_groups(one: &[Gid], other: &[Gid]) -> bool {
    let sorted = |groups: &[Gid]| {
        let mut groups: Vec<u32> = groups.iter().map(|group| group.as_raw()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    };
    sorted(one) == sorted(other)
}

/// Makes sure that the process has this identity, no capability, and cannot become root again. Id 0 is not looked at.
///
/// # Errors
/// [`OsError::Revocable`].
pub fn verify(uid: Uid, gid: Gid) -> Result<(), OsError> {
    let revocable = |what| Err(OsError::Revocable { what });
    let root = Uid::from_raw(0);
    if uid.is_root() {
        return Ok(());
    }
    let users = getresuid().map_err(|errno| OsError::Call {
        call: "getresuid()",
        errno,
    })?;
    if users
        != (ResUid {
            real: uid,
            effective: uid,
            saved: uid,
        })
    {
        return revocable("a user id is still another");
    }
    let groups = getresgid().map_err(|errno| OsError::Call {
        call: "getresgid()",
        errno,
    })?;
    if !is_root_group(gid) {
        if groups
            != (ResGid {
                real: gid,
                effective: gid,
                saved: gid,
            })
        {
            return revocable("a group id is still another");
        }
        let root_group = Gid::from_raw(0);
        if setresgid(root_group, root_group, root_group).is_ok() {
            return revocable("it may change its group to root's");
        }
    }
    if capabilities::any_left().map_err(OsError::call("capget()"))? {
        return revocable("it has capabilities");
    }
    if setresuid(root, root, root).is_ok() {
        return revocable("it may change its user to root");
    }
    Ok(())
}

/// Tells whether this is root's group.
fn is_root_group(gid: Gid) -> bool {
    gid.as_raw() == 0
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;
    use nix::unistd::geteuid;

    use super::*;

    #[test]
    fn root_is_not_taken_for_somebody_else() {
        // The successful change is tested in tests/processes.rs, in a process of its own.
        let stranger = Uid::from_raw(54_321);
        let refused = verify(stranger, Gid::from_raw(54_322)).unwrap_err();
        assert_eq!(
            refused,
            OsError::Revocable {
                what: "a user id is still another"
            }
        );
    }

    #[test]
    fn groups_are_compared_as_sets() {
        let groups = |ids: &[u32]| ids.iter().copied().map(Gid::from_raw).collect::<Vec<_>>();
        assert!(same_groups(&groups(&[1, 2, 2]), &groups(&[2, 1])));
        assert!(!same_groups(&groups(&[1, 2]), &groups(&[1, 2, 0])));
        assert!(!same_groups(&groups(&[1]), &groups(&[])));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let path = Path::new("/no/such/directory");
        let missing = change_directory(path).unwrap_err();
        assert_eq!(
            missing,
            OsError::ChangeDirectory {
                path: path.into(),
                errno: Errno::ENOENT
            }
        );
        let errno = if geteuid().is_root() {
            Errno::ENOENT
        } else {
            Errno::EPERM
        };
        let refused = change_root(path).unwrap_err();
        // A root without capabilities is told that it may not; one with them that there is no such directory.
        assert!(
            matches!(refused, OsError::ChangeRoot { errno: found, .. } if found == errno || found == Errno::ENOENT)
        );
    }
}
