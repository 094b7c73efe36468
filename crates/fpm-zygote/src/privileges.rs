//! Whether the zygote itself becomes the user of its pools, so that no extension and no preload script runs as root.
//!
//! It does when all pools share one user and none needs root for what its workers do at their birth. Else it stays root, as
//! php-fpm's master is, and each worker changes on its own.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fpm_channel::{PoolStart, RunAs};
use fpm_conf::{Config, Pool};
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::identity::{self, Identity};
use fpm_os::limits::{self, Limit};
use fpm_os::process;
use fpm_os::wait::{ExitStatus, wait};
use nix::unistd::geteuid;

use crate::error::ZygoteError;

/// What a process may do without being root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    /// How far RLIMIT_NOFILE may be raised.
    open_files: u64,
    /// How far RLIMIT_CORE may be raised, in bytes.
    core_size: u64,
    /// The lowest nice value that it may have.
    nice: i32,
}

/// Returns whom the zygote is to become before PHP's extensions start; `None` when it stays who it is.
pub(crate) fn shared_identity(config: &Config, pools: &[PoolStart]) -> Option<Identity> {
    if !geteuid().is_root() {
        return None;
    }
    let room = Room {
        open_files: limits::open_files().ok()?.hard,
        core_size: limits::hard_core_size().ok()?,
        nice: limits::priority().ok()?,
    };
    if !config.pools.iter().all(fpm_worker::birth::limits::fit) {
        return None;
    }
    let owners = pools.iter().map(|pool| pool.run_as.as_ref());
    let shared = crate::worker::identity(shared_user(config.pools.iter().zip(owners), room)?);
    may_enter(&config.pools, &shared).then_some(shared)
}

/// Tells whether `opcache.preload_user` is somebody else: PHP needs a root to become it from.
pub(crate) fn preloads_as_other(shared: &Identity, preload_user: Option<&CStr>) -> bool {
    preload_user.is_some_and(|user| user != shared.user.as_c_str())
}

/// Becomes the user that all pools share, for good.
///
/// # Errors
/// The kernel refuses. The process must end.
pub(crate) fn become_shared(shared: &Identity) -> Result<(), ZygoteError> {
    identity::assume(shared)?;
    // Its memory holds what is said about every pool.
    process::make_undumpable().map_err(ZygoteError::call("prctl()"))
}

/// Finds the one user that all pools have, if none of them needs root at the birth of a worker.
fn shared_user<'a>(
    pools: impl IntoIterator<Item = (&'a Pool, Option<&'a RunAs>)>,
    room: Room,
) -> Option<&'a RunAs> {
    let mut shared: Option<&RunAs> = None;
    for (pool, run_as) in pools {
        let run_as = run_as?;
        if needs_root(pool, room) || shared.is_some_and(|other| other != run_as) {
            return None;
        }
        shared = Some(run_as);
    }
    shared.filter(|run_as| run_as.uid != 0 && run_as.gid != 0)
}

/// Tells whether a worker of this pool does something that only root may do, beside becoming its user. An AppArmor hat is put
/// on after that anyway.
fn needs_root(pool: &Pool, room: Room) -> bool {
    let beyond = |limit: i32, hard: u64| limit != 0 && !Limit(limit).fits(hard);
    pool.chroot.is_some()
        || pool.process_priority.is_some_and(|nice| nice < room.nice)
        || beyond(pool.rlimit_files, room.open_files)
        || beyond(pool.rlimit_core, room.core_size)
}

/// Tries in a process of its own whether the user may enter each pool's `chdir`; root enters every directory.
fn may_enter(pools: &[Pool], who: &Identity) -> bool {
    let mut directories = pools.iter().filter_map(|pool| pool.chdir.as_ref());
    if directories.clone().next().is_none() {
        return true;
    }
    let tried = fork(OtherThreads::Refuse, || {
        let entered = identity::assume(who).and_then(|()| {
            directories.try_for_each(|directory| {
                identity::change_directory(Path::new(OsStr::from_bytes(directory)))
            })
        });
        u8::from(entered.is_err())
    });
    tried.is_ok_and(|pid| matches!(wait(pid), Ok(ExitStatus::Code(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        open_files: 1024,
        core_size: 0,
        nice: 0,
    };

    fn user(uid: u32, gid: u32) -> RunAs {
        RunAs {
            uid,
            gid,
            user: "www".into(),
        }
    }

    fn pool(change: impl FnOnce(&mut Pool)) -> Pool {
        let mut pool = Pool::new("www", "9000");
        change(&mut pool);
        pool
    }

    #[test]
    fn pools_that_share_a_user_are_served_as_that_user() {
        let pool = pool(|_| ());
        let (www, api, group) = (user(33, 33), user(34, 33), user(33, 34));
        let shared = |users: &[Option<&RunAs>]| {
            shared_user(users.iter().map(|user| (&pool, *user)), ROOM).cloned()
        };
        assert_eq!(shared(&[Some(&www), Some(&www)]), Some(www.clone()));
        for others in [
            &[Some(&www), Some(&api)][..],
            &[Some(&www), Some(&group)],
            &[Some(&www), None],
            &[None],
            &[Some(&user(0, 33))],
            &[Some(&user(33, 0))],
        ] {
            assert_eq!(shared(others), None, "{others:?}");
        }
    }

    #[test]
    fn a_pool_that_needs_root_keeps_it() {
        let www = user(33, 33);
        for (pool, needs) in [
            (pool(|_| ()), false),
            (pool(|pool| pool.chroot = Some("/srv".into())), true),
            (pool(|pool| pool.process_priority = Some(-1)), true),
            (pool(|pool| pool.process_priority = Some(5)), false),
            (pool(|pool| pool.rlimit_files = 1024), false),
            (pool(|pool| pool.rlimit_files = 1025), true),
            (pool(|pool| pool.rlimit_core = -1), true),
            (pool(|pool| pool.apparmor_hat = Some("hat".into())), false),
            (pool(|pool| pool.process_dumpable = true), false),
        ] {
            let found = shared_user([(&pool, Some(&www))], ROOM);
            assert_eq!(found.is_none(), needs, "{pool:?}");
        }
    }

    #[test]
    fn somebody_elses_preload_script_keeps_root() {
        let shared = Identity {
            user: c"www".to_owned(),
            uid: nix::unistd::Uid::from_raw(33),
            gid: nix::unistd::Gid::from_raw(33),
        };
        assert!(preloads_as_other(&shared, Some(c"deploy")));
        assert!(!preloads_as_other(&shared, Some(c"www")));
        assert!(!preloads_as_other(&shared, None));
    }
}
