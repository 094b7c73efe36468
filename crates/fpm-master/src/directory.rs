//! The system's users and groups, remembered while a configuration is put to work: thousands of pools have a handful of users, and a
//! lookup reads files or asks a server.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

use bstr::{BStr, BString};
use fpm_os::account::{self, User};
use nix::unistd::{Gid, Uid};

/// What was found so far. Somebody who cannot be looked up is nobody, and stays so for this configuration.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    users: Known<BString, User>,
    users_by_id: Known<Uid, User>,
    groups: Known<BString, Gid>,
}

type Known<K, V> = RefCell<HashMap<K, Option<V>>>;

impl Directory {
    /// Finds the user of this name.
    pub(crate) fn user(&self, name: &BStr) -> Option<User> {
        known(&self.users, name.to_owned(), || {
            account::user_named(name).ok().flatten()
        })
    }

    /// Finds the user with this number.
    pub(crate) fn user_with_id(&self, uid: Uid) -> Option<User> {
        known(&self.users_by_id, uid, || {
            account::user_with_id(uid).ok().flatten()
        })
    }

    /// Finds the number of the group of this name.
    pub(crate) fn group(&self, name: &BStr) -> Option<Gid> {
        known(&self.groups, name.to_owned(), || {
            account::group_named(name).ok().flatten()
        })
    }
}

fn known<K: Eq + Hash, V: Clone>(
    found: &Known<K, V>,
    key: K,
    look_up: impl FnOnce() -> Option<V>,
) -> Option<V> {
    found
        .borrow_mut()
        .entry(key)
        .or_insert_with(look_up)
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_found_once_is_known() {
        let directory = Directory::default();
        for _ in 0..2 {
            let daemon = directory.user("daemon".into()).unwrap();
            assert_eq!(directory.user_with_id(daemon.uid), Some(daemon));
            assert_eq!(directory.user("no such user".into()), None);
            assert_eq!(directory.group("root".into()), Some(Gid::from_raw(0)));
        }
        assert_eq!(directory.users.borrow().len(), 2);
    }
}
