//! Which pools share a zygote.
//!
//! Rule: a group is a key computed from the pool. Nothing else in this crate may assume how many groups there are.

use fpm_channel::Generation;
use fpm_conf::{Config, Pool, PoolIndex};

/// What pools must have in common to share a zygote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKey;

/// A group as an index into its generation's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupIndex(pub(crate) usize);

/// A group of any generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId {
    /// The generation.
    pub(crate) generation: Generation,
    /// The group in it.
    pub(crate) index: GroupIndex,
}

impl GroupKey {
    /// Computes the key of a pool. One opcache for all, as in the original: all pools have the same key.
    pub(crate) fn of(_pool: &Pool) -> GroupKey {
        GroupKey
    }
}

/// Sorts the pools of `config` into groups; groups and the pools in them keep the order of the configuration.
#[must_use]
pub(crate) fn groups(config: &Config) -> Vec<(GroupKey, Vec<PoolIndex>)> {
    let mut groups: Vec<(GroupKey, Vec<PoolIndex>)> = Vec::new();
    for (index, pool) in (0..).zip(&config.pools) {
        let key = GroupKey::of(pool);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, pools)) => pools.push(PoolIndex(index)),
            None => groups.push((key, vec![PoolIndex(index)])),
        }
    }
    groups
}
