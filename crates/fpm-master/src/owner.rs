//! Users and groups that the configuration names, found in the system's database.
//!
//! Rule: names are looked up in the master, once, before anything is started; workers get numbers.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_conf_wp`, `fpm_unix_resolve_socket_permissions`)

use std::os::unix::ffi::OsStrExt;

use bstr::{BStr, BString};
use fpm_channel::{Login, RunAs};
use fpm_conf::{Operator, Pool};
use fpm_os::account::User;
use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::error::MasterError;
use crate::program::Starter;

/// Owner of a unix socket's file; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketOwner {
    /// `listen.owner`.
    pub(crate) user: Option<Uid>,
    /// `listen.group`, or the primary group of `listen.owner`.
    pub(crate) group: Option<Gid>,
}

/// Whom the workers of a pool run as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolOwner {
    /// Whom they become; `None` when they stay who the master is.
    pub(crate) run_as: Option<RunAs>,
    /// What their environment says of the user, when that is known.
    pub(crate) login: Option<Login>,
}

impl SocketOwner {
    /// Finds the owner of a pool's unix socket.
    ///
    /// # Errors
    /// When a name is in no database.
    pub(crate) fn of(pool: &Pool, directory: &Directory) -> Result<SocketOwner, MasterError> {
        let mut owner = SocketOwner::default();
        if let Some(name) = &pool.listen_owner {
            if let Some(number) = number(name.as_ref()) {
                owner.user = Some(Uid::from_raw(number));
            } else {
                let unknown = || MasterError::SocketUser {
                    pool: pool.name.clone(),
                    user: name.clone(),
                };
                let user = directory.user(name.as_ref()).ok_or_else(unknown)?;
                (owner.user, owner.group) = (Some(user.uid), Some(user.gid));
            }
        }
        if let Some(name) = &pool.listen_group {
            let unknown = || MasterError::SocketGroup {
                pool: pool.name.clone(),
                group: name.clone(),
            };
            owner.group = Some(group(directory, name.as_ref()).ok_or_else(unknown)?);
        }
        Ok(owner)
    }

    /// Tells whether nothing is to be changed.
    pub(crate) fn is_nobody(&self) -> bool {
        *self == SocketOwner::default()
    }
}

impl PoolOwner {
    /// Finds whom the workers of a pool run as, and says which directives have no effect.
    ///
    /// # Errors
    /// When a name is in no database, or workers would be root without `-R`.
    pub(crate) fn of(
        pool: &Pool,
        starter: Starter,
        directory: &Directory,
    ) -> Result<PoolOwner, MasterError> {
        match starter {
            Starter::Unprivileged(uid) => {
                report_ignored(pool);
                let user = directory.user_with_id(uid);
                Ok(PoolOwner {
                    run_as: None,
                    login: user.as_ref().map(login),
                })
            }
            Starter::Root | Starter::RootAllowed => {
                let owner = PoolOwner::for_root(pool, directory)?;
                let is_root = owner
                    .run_as
                    .as_ref()
                    .is_none_or(|to| to.uid == 0 || to.gid == 0);
                if starter == Starter::Root && is_root {
                    return Err(MasterError::RootPool {
                        pool: pool.name.clone(),
                    });
                }
                Ok(owner)
            }
        }
    }

    fn for_root(pool: &Pool, directory: &Directory) -> Result<PoolOwner, MasterError> {
        let mut owner = PoolOwner::default();
        let mut to = RunAs {
            uid: 0,
            gid: 0,
            user: BString::default(),
        };
        if let Some(name) = &pool.user {
            if let Some(number) = number(name.as_ref()) {
                to.uid = number;
                let known = directory.user_with_id(Uid::from_raw(number));
                to.gid = known.as_ref().map_or(to.gid, |user| user.gid.as_raw());
                to.user = known.map_or_else(|| name.clone(), |user| user.name.into());
            } else {
                let unknown = || MasterError::PoolUser {
                    pool: pool.name.clone(),
                    user: name.clone(),
                };
                let user = directory.user(name.as_ref()).ok_or_else(unknown)?;
                owner.login = Some(login(&user));
                to = RunAs {
                    uid: user.uid.as_raw(),
                    gid: user.gid.as_raw(),
                    user: user.name.into(),
                };
            }
        }
        if let Some(name) = &pool.group {
            let unknown = || MasterError::PoolGroup {
                pool: pool.name.clone(),
                group: name.clone(),
            };
            to.gid = group(directory, name.as_ref())
                .ok_or_else(unknown)?
                .as_raw();
        }
        owner.run_as = (pool.user.is_some() || pool.group.is_some()).then_some(to);
        Ok(owner)
    }
}

/// Finds whom the operator process becomes; `None` when it stays who the master is, who is not root.
///
/// # Errors
/// When a name is in no database, or the process would be root.
pub(crate) fn operator(
    settings: &Operator,
    starter: Starter,
    directory: &Directory,
) -> Result<Option<RunAs>, MasterError> {
    if let Starter::Unprivileged(_) = starter {
        return Ok(None);
    }
    let name = &settings.user;
    let known = match number(name.as_ref()) {
        Some(number) => directory.user_with_id(Uid::from_raw(number)),
        None => directory.user(name.as_ref()),
    };
    let known = known.ok_or_else(|| MasterError::OperatorUser { user: name.clone() })?;
    let gid = match &settings.group {
        Some(name) => {
            let unknown = || MasterError::OperatorGroup {
                group: name.clone(),
            };
            group(directory, name.as_ref()).ok_or_else(unknown)?
        }
        None => known.gid,
    };
    if known.uid.is_root() || gid.as_raw() == 0 {
        return Err(MasterError::RootOperator);
    }
    Ok(Some(RunAs {
        uid: known.uid.as_raw(),
        gid: gid.as_raw(),
        user: known.name.into(),
    }))
}

/// Says which directives of a pool need root.
fn report_ignored(pool: &Pool) {
    let given = [
        ("user", pool.user.is_some()),
        ("group", pool.group.is_some()),
        ("chroot", pool.chroot.is_some()),
        ("process.priority", pool.process_priority.is_some()),
    ];
    for (directive, _) in given.iter().filter(|(_, given)| *given) {
        tracing::info!(
            "[pool {}] '{directive}' directive is ignored when FPM is not running as root",
            pool.name
        );
    }
}

/// Reads an id that is given as a number: digits only.
fn number(name: &BStr) -> Option<u32> {
    let all_digits = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    all_digits
        .then(|| std::str::from_utf8(name).ok()?.parse().ok())
        .flatten()
}

fn group(directory: &Directory, name: &BStr) -> Option<Gid> {
    match number(name) {
        Some(number) => Some(Gid::from_raw(number)),
        None => directory.group(name),
    }
}

fn login(user: &User) -> Login {
    Login {
        user: user.name.clone().into(),
        home: user.home.as_os_str().as_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(user: Option<&str>, group: Option<&str>) -> Pool {
        let mut pool = Pool::new("www", "/run/www.sock");
        pool.user = user.map(BString::from);
        pool.group = group.map(BString::from);
        pool
    }

    fn becomes(
        user: Option<&str>,
        group: Option<&str>,
        starter: Starter,
    ) -> Result<Option<(u32, u32, String)>, String> {
        PoolOwner::of(&pool(user, group), starter, &Directory::default())
            .map(|owner| owner.run_as.map(|to| (to.uid, to.gid, to.user.to_string())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn users_and_groups_by_name_and_number() {
        let daemon = Directory::default().user("daemon".into()).unwrap();
        let (uid, gid) = (daemon.uid.as_raw(), daemon.gid.as_raw());
        let known = |gid| Ok(Some((uid, gid, "daemon".to_owned())));
        assert_eq!(becomes(Some("daemon"), None, Starter::Root), known(gid));
        assert_eq!(
            becomes(Some(&uid.to_string()), None, Starter::Root),
            known(gid)
        );
        assert_eq!(
            becomes(Some("daemon"), Some("4711"), Starter::Root),
            known(4711)
        );
        assert_eq!(
            becomes(Some("99999"), Some("4711"), Starter::Root),
            Ok(Some((99999, 4711, "99999".to_owned())))
        );
    }

    #[test]
    fn root_is_refused_unless_allowed() {
        let refused = Err("[pool www] please specify user and group other than root".to_owned());
        assert_eq!(becomes(Some("root"), None, Starter::Root), refused);
        assert_eq!(
            becomes(Some("daemon"), Some("root"), Starter::Root),
            refused
        );
        assert_eq!(
            becomes(Some("99999"), None, Starter::Root),
            refused,
            "a number without an entry leaves root's group"
        );
        assert_eq!(becomes(None, None, Starter::RootAllowed), Ok(None));
        assert_eq!(
            becomes(Some("0"), None, Starter::RootAllowed),
            Ok(Some((0, 0, "root".to_owned())))
        );
    }

    #[test]
    fn names_that_nobody_has() {
        let error = becomes(Some("no such user"), None, Starter::Root).unwrap_err();
        assert_eq!(error, "[pool www] cannot get uid for user 'no such user'");
        let error = becomes(Some("12x"), None, Starter::Root).unwrap_err();
        assert_eq!(error, "[pool www] cannot get uid for user '12x'");
        let error = becomes(Some("daemon"), Some("no such group"), Starter::Root).unwrap_err();
        assert_eq!(error, "[pool www] cannot get gid for group 'no such group'");
    }

    #[test]
    fn somebody_else_stays_who_he_is() {
        let starter = Starter::Unprivileged(Uid::from_raw(0));
        let owner =
            PoolOwner::of(&pool(Some("daemon"), None), starter, &Directory::default()).unwrap();
        assert_eq!(owner.run_as, None);
        assert_eq!(owner.login.unwrap().user, "root");
    }

    #[test]
    fn home_and_user_are_known_for_names_only() {
        let named = PoolOwner::of(
            &pool(Some("daemon"), None),
            Starter::Root,
            &Directory::default(),
        )
        .unwrap();
        assert_eq!(named.login.unwrap().user, "daemon");
        let numbered =
            PoolOwner::of(&pool(Some("1"), None), Starter::Root, &Directory::default()).unwrap();
        assert_eq!(numbered.login, None);
    }

    #[test]
    fn owners_of_sockets() {
        let daemon = Directory::default().user("daemon".into()).unwrap();
        let owner = |user: Option<&str>, group: Option<&str>| {
            let mut pool = pool(None, None);
            pool.listen_owner = user.map(BString::from);
            pool.listen_group = group.map(BString::from);
            SocketOwner::of(&pool, &Directory::default()).map_err(|error| error.to_string())
        };
        let expected = |user, group| Ok(SocketOwner { user, group });
        assert_eq!(owner(None, None), expected(None, None));
        assert_eq!(
            owner(Some("daemon"), None),
            expected(Some(daemon.uid), Some(daemon.gid))
        );
        assert_eq!(
            owner(Some("7"), None),
            expected(Some(Uid::from_raw(7)), None)
        );
        assert_eq!(
            owner(Some("daemon"), Some("8")),
            expected(Some(daemon.uid), Some(Gid::from_raw(8)))
        );
        assert_eq!(
            owner(Some("no such user"), None),
            Err("[pool www] cannot get uid for user 'no such user': Success (0)".to_owned())
        );
        assert_eq!(
            owner(None, Some("no such group")),
            Err("[pool www] cannot get gid for group 'no such group': Success (0)".to_owned())
        );
    }
}
