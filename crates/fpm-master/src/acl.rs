//! Users and groups that may connect to a unix socket besides its owner.
//!
//! Rule: a pool that names any has no `listen.owner` and no `listen.group`; they are not even looked up.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_resolve_socket_permissions`, `fpm_unix_set_socket_permissions`)

use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::Pool;
use fpm_os::acl;
use nix::unistd::{Gid, Uid};

use crate::directory::Directory;
use crate::error::MasterError;

/// `listen.acl_users` and `listen.acl_groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketAcl {
    users: Vec<Uid>,
    groups: Vec<Gid>,
}

impl SocketAcl {
    /// Finds the users and groups of a pool; `None` when it names none.
    ///
    /// # Errors
    /// When a name is in no database. Numbers are names here, as they are for the original.
    pub(crate) fn of(pool: &Pool, directory: &Directory) -> Result<Option<SocketAcl>, MasterError> {
        if pool.listen_acl_users.is_none() && pool.listen_acl_groups.is_none() {
            return Ok(None);
        }
        let users = names(pool.listen_acl_users.as_ref()).map(|name| user(pool, name, directory));
        let groups =
            names(pool.listen_acl_groups.as_ref()).map(|name| group(pool, name, directory));
        let acl = SocketAcl {
            users: users.collect::<Result<_, _>>()?,
            groups: groups.collect::<Result<_, _>>()?,
        };
        for (directive, name) in [
            ("listen.owner", &pool.listen_owner),
            ("listen.group", &pool.listen_group),
        ] {
            if let Some(name) = name {
                tracing::warn!(
                    "[pool {}] ACL set, {directive} = '{name}' is ignored",
                    pool.name
                );
            }
        }
        Ok(Some(acl))
    }

    /// Lets them connect to the socket at `path`.
    ///
    /// # Errors
    /// When its file system has no access control lists.
    pub(crate) fn set(&self, pool: &Pool, path: &Path) -> Result<(), MasterError> {
        acl::allow(path, &self.users, &self.groups).map_err(|source| {
            MasterError::ListenerOwner {
                pool: pool.name.clone(),
                source,
            }
        })?;
        tracing::debug!(
            "[pool {}] ACL of the socket '{}' is set",
            pool.name,
            path.display()
        );
        Ok(())
    }
}

fn names(list: Option<&BString>) -> impl Iterator<Item = &BStr> {
    list.into_iter()
        .flat_map(|list| list.split_str(","))
        .map(BStr::new)
}

fn user(pool: &Pool, name: &BStr, directory: &Directory) -> Result<Uid, MasterError> {
    let user = directory
        .user(name)
        .ok_or_else(|| MasterError::SocketUser {
            pool: pool.name.clone(),
            user: name.to_owned(),
        })?;
    tracing::debug!("[pool {}] user '{name}' have uid={}", pool.name, user.uid);
    Ok(user.uid)
}

fn group(pool: &Pool, name: &BStr, directory: &Directory) -> Result<Gid, MasterError> {
    let gid = directory
        .group(name)
        .ok_or_else(|| MasterError::SocketGroup {
            pool: pool.name.clone(),
            group: name.to_owned(),
        })?;
    tracing::debug!("[pool {}] group '{name}' have gid={gid}", pool.name);
    Ok(gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(users: Option<&str>, groups: Option<&str>) -> Result<Option<SocketAcl>, String> {
        let mut pool = Pool::new("www", "/run/www.sock");
        pool.listen_acl_users = users.map(BString::from);
        pool.listen_acl_groups = groups.map(BString::from);
        SocketAcl::of(&pool, &Directory::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_looked_up() {
        assert_eq!(of(None, None), Ok(None));
        let acl = of(Some("root,daemon"), Some("root")).unwrap().unwrap();
        assert_eq!((acl.users.len(), acl.groups.len()), (2, 1));
        assert_eq!(
            of(Some("root, daemon"), None),
            Err("[pool www] cannot get uid for user ' daemon': Success (0)".to_owned())
        );
        assert_eq!(
            of(None, Some("no such group")),
            Err("[pool www] cannot get gid for group 'no such group': Success (0)".to_owned())
        );
    }
}
