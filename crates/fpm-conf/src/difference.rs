//! What is different between two configurations, directive by directive and pool by pool.
//!
//! A changer must know: only what the daemon acts upon is compared. Comments, order and spelling are no difference, and a
//! directive that is set to its default is as good as none.

use serde::{Deserialize, Serialize};

use crate::shown::{self, Entry};
use crate::{Config, Pool};

/// Everything that is different.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Directives of the `[global]` section.
    pub global: Vec<Change>,
    /// All pools, those that stay as they are included: first those of the configuration after, then those that it lacks.
    pub pools: Vec<PoolChange>,
}

/// A directive with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// As in the configuration: `pm.max_children`, `env[PATH]`.
    pub name: String,
    /// The value before; `None` when it was not set.
    pub before: Option<String>,
    /// The value after; `None` when it is not set.
    pub after: Option<String>,
}

/// What becomes of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolChange {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: PoolFate,
}

/// What becomes of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolFate {
    /// It appears.
    Added,
    /// It vanishes.
    Removed,
    /// It has other directives.
    Changed(Vec<Change>),
    /// It stays as it is.
    Same,
}

impl Changes {
    /// Compares two configurations.
    #[must_use]
    pub fn between(before: &Config, after: &Config) -> Changes {
        let mut pools: Vec<PoolChange> = Vec::new();
        for pool in &after.pools {
            let fate = match before.pool_named(pool.name.as_ref()) {
                None => PoolFate::Added,
                Some(known) => fate(known, pool),
            };
            pools.push(change(pool, fate));
        }
        let gone = before.pools.iter();
        let gone = gone.filter(|pool| after.pool_named(pool.name.as_ref()).is_none());
        pools.extend(gone.map(|pool| change(pool, PoolFate::Removed)));
        Changes {
            global: changes(
                &shown::global(&before.global),
                &shown::global(&after.global),
            ),
            pools,
        }
    }

    /// Tells whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let mut pools = self.pools.iter();
        self.global.is_empty() && pools.all(|pool| pool.fate == PoolFate::Same)
    }
}

fn change(pool: &Pool, fate: PoolFate) -> PoolChange {
    PoolChange {
        name: pool.name.to_string(),
        fate,
    }
}

fn fate(before: &Pool, after: &Pool) -> PoolFate {
    let changes = changes(&shown::pool(before), &shown::pool(after));
    if changes.is_empty() {
        PoolFate::Same
    } else {
        PoolFate::Changed(changes)
    }
}

/// Compares entries by their names; of several with one name the last counts, as it does when they are applied.
fn changes(before: &[Entry], after: &[Entry]) -> Vec<Change> {
    let value_in = |entries: &[Entry], name: &str| -> Option<String> {
        let mut entries = entries.iter().rev();
        entries
            .find(|entry| entry.name == name)
            .and_then(|entry| entry.value.clone())
    };
    let mut found: Vec<Change> = Vec::new();
    for entry in after.iter().chain(before) {
        if found.iter().any(|change| change.name == entry.name) {
            continue;
        }
        let (before, after) = (value_in(before, &entry.name), value_in(after, &entry.name));
        if before != after {
            found.push(Change {
                name: entry.name.clone(),
                before,
                after,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn config() -> Config {
        let mut api = Pool::new("api", "/run/api.sock");
        api.env = vec![("A".into(), "1".into()), ("B".into(), "2".into())];
        Config {
            pools: vec![Pool::new("www", "/run/www.sock"), api],
            ..Config::default()
        }
    }

    /// Compares the configuration with what `edit` makes of it; a line for each difference.
    fn check(edit: impl FnOnce(&mut Config), expected: &Expect) {
        let mut after = config();
        edit(&mut after);
        let Changes { global, pools } = Changes::between(&config(), &after);
        let line = |section: &str, change: &Change| {
            let Change {
                name,
                before,
                after,
            } = change;
            format!("{section} {name}: {before:?} -> {after:?}\n")
        };
        let mut text: String = global.iter().map(|change| line("global", change)).collect();
        for PoolChange { name, fate } in &pools {
            match fate {
                PoolFate::Changed(changes) => {
                    text.extend(changes.iter().map(|change| line(name, change)));
                }
                fate => text += &format!("{name}: {fate:?}\n"),
            }
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn what_is_the_same_is_no_difference() {
        assert!(Changes::between(&config(), &config()).is_empty());
        let of_another_file = |config: &mut Config| config.name = "other.conf".into();
        check(
            of_another_file,
            &expect![[r#"
                www: Same
                api: Same
            "#]],
        );
    }

    #[test]
    fn directives_are_told_with_both_values() {
        check(
            |config| {
                config.global.process_max = 5;
                config.global.pid = Some("/run/pid".into());
                config.pools[0].pm_max_children = 9;
                config.pools[0].listen_raw = "9000".into();
            },
            &expect![[r#"
                global pid: None -> Some("/run/pid")
                global process.max: Some("0") -> Some("5")
                www listen: Some("/run/www.sock") -> Some("9000")
                www pm.max_children: Some("1") -> Some("9")
                api: Same
            "#]],
        );
    }

    #[test]
    fn lists_are_compared_entry_by_entry_and_the_last_of_a_name_counts() {
        check(
            |config| {
                config.pools[1].env = vec![
                    ("C".into(), "3".into()),
                    ("B".into(), "x".into()),
                    ("B".into(), "2".into()),
                ];
            },
            &expect![[r#"
                www: Same
                api env[C]: None -> Some("3")
                api env[A]: Some("1") -> None
            "#]],
        );
    }

    #[test]
    fn pools_come_and_go() {
        check(
            |config| {
                config.pools[1].name = "new".into();
            },
            &expect![[r#"
                www: Same
                new: Added
                api: Removed
            "#]],
        );
    }
}
