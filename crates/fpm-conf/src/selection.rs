//! One configuration with some pools of another: what a reload of these pools alone puts to work.

use std::collections::BTreeSet;

use bstr::{BStr, BString};

use crate::{Config, Pool, PoolIndex};

impl Config {
    /// Returns this configuration with the pools of these names, and those that report their status, as they are in `other`: some
    /// may appear and some vanish. All else stays as it is here.
    #[must_use]
    pub fn with_pools_of(&self, other: &Config, names: &BTreeSet<BString>) -> Config {
        let mut taken: Vec<(&Config, &Pool)> = Vec::new();
        for pool in &self.pools {
            if !names.contains(self.subject(pool)) {
                taken.push((self, pool));
            } else if let Some(after) = other.pool_named(pool.name.as_ref()) {
                taken.push((other, after));
            }
        }
        for pool in &other.pools {
            if names.contains(other.subject(pool)) && self.pool_named(pool.name.as_ref()).is_none()
            {
                taken.push((other, pool));
            }
        }
        // The pools of status addresses stand behind all others.
        taken.sort_by_key(|(_, pool)| pool.status_of.is_some());
        let index = |name: &BStr| {
            let position = taken.iter().position(|(_, pool)| pool.name == name);
            position
                .and_then(|index| u32::try_from(index).ok())
                .map(PoolIndex)
        };
        let pools = taken.iter().map(|(config, pool)| Pool {
            status_of: pool
                .status_of
                .and_then(|_| index(config.subject(pool).as_ref())),
            ..(*pool).clone()
        });
        Config {
            pools: pools.collect(),
            heartbeat: match (self.heartbeat, other.heartbeat) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
            ..self.clone()
        }
    }

    /// Returns the pool of this name.
    #[must_use]
    pub fn pool_named(&self, name: &BStr) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// Returns the name of the pool whose status this one reports, or its own.
    #[must_use]
    pub fn subject<'c>(&'c self, pool: &'c Pool) -> &'c BString {
        let subject = pool.status_of.and_then(|index| self.pool(index));
        &subject.unwrap_or(pool).name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool for each `name=max_children`; `name>subject` is the pool of a status address.
    fn config(text: &str) -> Config {
        let words: Vec<_> = text.split_whitespace().collect();
        let pools = words.iter().map(|word| match word.split_once('>') {
            Some((name, subject)) => {
                let of = words.iter().position(|word| word.starts_with(subject));
                let mut pool = Pool::new(name, "9000");
                pool.status_of = of.and_then(|of| u32::try_from(of).ok()).map(PoolIndex);
                pool
            }
            None => {
                let (name, max_children) = word.split_once('=').unwrap();
                let mut pool = Pool::new(name, "9000");
                pool.pm_max_children = max_children.parse().unwrap();
                pool
            }
        });
        Config {
            pools: pools.collect(),
            ..Config::default()
        }
    }

    fn written(config: &Config) -> String {
        let words = config.pools.iter().map(|pool| match pool.status_of {
            Some(_) => format!("{}>{}", pool.name, config.subject(pool)),
            None => format!("{}={}", pool.name, pool.pm_max_children),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_named_pools_are_the_other_configurations() {
        for (before, after, names, expected) in [
            ("a=1 b=1", "a=2 b=2", "b", "a=1 b=2"),
            ("a=1 b=1", "a=2 b=2", "a b", "a=2 b=2"),
            ("a=1 b=1", "a=2 b=2", "", "a=1 b=1"),
            ("a=1 b=1", "a=2 b=2", "c", "a=1 b=1"),
            ("a=1", "a=2 b=2", "b", "a=1 b=2"),
            ("a=1 b=1", "a=2", "b", "a=1"),
            ("a=1 b=1", "b=2 a=2", "b", "a=1 b=2"),
            // What reports a pool's status goes with it.
            ("a=1 b=1 a_status>a", "a=2 b=2", "a", "a=2 b=1"),
            ("a=1 b=1 a_status>a", "a=2 b=2", "b", "a=1 b=2 a_status>a"),
            ("a=1 b=1", "b=2 a=2 b_status>b", "b", "a=1 b=2 b_status>b"),
            (
                "a=1 a_status>a",
                "c=3 a=1 a_status>a",
                "c",
                "a=1 c=3 a_status>a",
            ),
        ] {
            let names = names.split_whitespace().map(BString::from).collect();
            let selected = config(before).with_pools_of(&config(after), &names);
            assert_eq!(written(&selected), expected, "{before}, {after}, {names:?}");
        }
    }
}
