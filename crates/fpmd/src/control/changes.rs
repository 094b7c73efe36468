//! What a reload would change, for people.

use fpm_conf::{Change, Changes, PoolChange, PoolFate};

/// Writes it down: a line for each pool, and below it one for each directive with another value.
pub(super) fn text(changes: &Changes) -> String {
    if changes.is_empty() {
        return "nothing would change but the processes\n".to_owned();
    }
    let mut text = String::new();
    if !changes.global.is_empty() {
        text += "[global]\n";
        text.extend(changes.global.iter().map(line));
    }
    for PoolChange { name, fate } in &changes.pools {
        match fate {
            PoolFate::Same => text += &format!("[{name}] unchanged\n"),
            PoolFate::Added => text += &format!("[{name}] added\n"),
            PoolFate::Removed => text += &format!("[{name}] removed\n"),
            PoolFate::Changed(changes) => {
                text += &format!("[{name}] changed\n");
                text.extend(changes.iter().map(line));
            }
        }
    }
    text
}

fn line(change: &Change) -> String {
    let value = |value: &Option<String>| match value {
        Some(value) => value.clone(),
        None => "(not set)".to_owned(),
    };
    let (before, after) = (value(&change.before), value(&change.after));
    format!("  {}: {before} -> {after}\n", change.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
        Change {
            name: name.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn pool_by_pool() {
        let pool = |name: &str, fate: PoolFate| PoolChange {
            name: name.to_owned(),
            fate,
        };
        let mut changes = Changes {
            global: vec![change("pid", None, Some("/run/pid"))],
            pools: vec![
                pool("www", PoolFate::Same),
                pool(
                    "api",
                    PoolFate::Changed(vec![change("pm", Some("static"), Some("dynamic"))]),
                ),
                pool("new", PoolFate::Added),
                pool("old", PoolFate::Removed),
            ],
        };
        let expected = "\
[global]
  pid: (not set) -> /run/pid
[www] unchanged
[api] changed
  pm: static -> dynamic
[new] added
[old] removed
";
        assert_eq!(text(&changes), expected);
        changes.global.clear();
        changes.pools.truncate(1);
        assert_eq!(text(&changes), "nothing would change but the processes\n");
    }
}
