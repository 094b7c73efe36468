//! What the kernel knows about a daemon's processes (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::unistd::{SysconfVar, sysconf};

/// A daemon's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) master: i32,
    /// Processes between the master and the workers; the original has none.
    pub(super) zygotes: Vec<i32>,
    pub(super) workers: Vec<i32>,
}

/// The part of `/proc/PID/stat` that is used here.
struct Stat {
    /// In clock ticks: what ended children, and theirs, have used.
    of_ended_children: u64,
}

/// Memory of one process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Proportional share.
    pub(super) pss: u64,
    pub(super) private_dirty: u64,
}

/// The title of the workers of both daemons.
const WORKER_TITLE: &str = "php-fpm: pool ";

impl Tree {
    /// Finds all processes below a master.
    ///
    /// # Errors
    /// When the master is gone.
    pub(super) fn of(master: i32) -> anyhow::Result<Tree> {
        let mut tree = Tree {
            master,
            ..Tree::default()
        };
        let mut unseen = vec![master];
        while let Some(pid) = unseen.pop() {
            for child in children(pid)? {
                match title(child).starts_with(WORKER_TITLE) {
                    true => tree.workers.push(child),
                    false => {
                        tree.zygotes.push(child);
                        unseen.push(child);
                    }
                }
            }
        }
        Ok(tree)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = i32> {
        [self.master]
            .into_iter()
            .chain(self.zygotes.iter().copied())
            .chain(self.workers.iter().copied())
    }

    /// The processor time of all processes, those that have ended included.
    ///
    /// # Errors
    /// When one of them ends meanwhile.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        let ticks = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
        let tick = 1_000_000_000 / u64::try_from(ticks)?;
        let mut nanoseconds = 0;
        for pid in self.all() {
            // /proc/PID/stat has whole ticks only, which is little for a run of a second.
            let text = read(pid, "schedstat")?;
            let own: u64 = text.split(' ').next().unwrap_or_default().parse()?;
            nanoseconds += own + Stat::of(pid)?.of_ended_children * tick;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

/// The children of a process; a look that costs it and us very little.
///
/// # Errors
/// When it is gone.
pub(super) fn children(pid: i32) -> anyhow::Result<Vec<i32>> {
    let text = read(pid, &format!("task/{pid}/children"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect())
}

impl Memory {
    /// What a process has.
    ///
    /// # Errors
    /// When it is gone, or not ours to look at.
    pub(super) fn of(pid: i32) -> anyhow::Result<Memory> {
        Memory::parse(&read(pid, "smaps_rollup")?).context("no figures in smaps_rollup")
    }

    fn parse(text: &str) -> Option<Memory> {
        Some(Memory {
            pss: number_after(text, "Pss:")?,
            private_dirty: number_after(text, "Private_Dirty:")?,
        })
    }
}

/// The resident memory of a process, in KiB.
///
/// # Errors
/// When it is gone.
pub(super) fn resident(pid: i32) -> anyhow::Result<u64> {
    number_after(&read(pid, "status")?, "VmRSS:").context("no VmRSS")
}

/// How often a process has been given a processor so far.
///
/// # Errors
/// When it is gone.
pub(super) fn switches(pid: i32) -> anyhow::Result<u64> {
    let text = read(pid, "status")?;
    let kinds = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
    kinds.iter().try_fold(0, |sum, kind| {
        Ok(sum + number_after(&text, kind).with_context(|| format!("no {kind}"))?)
    })
}

/// The process that traces this one; 0 for none.
///
/// # Errors
/// When it is gone.
pub(super) fn tracer(pid: i32) -> anyhow::Result<u64> {
    number_after(&read(pid, "status")?, "TracerPid:").context("no TracerPid")
}

/// The first number of the line that starts with `key`.
fn number_after(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

fn title(pid: i32) -> String {
    fs::read(format!("/proc/{pid}/cmdline"))
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .unwrap_or_default()
}

fn read(pid: i32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

impl Stat {
    fn of(pid: i32) -> anyhow::Result<Stat> {
        Stat::parse(&read(pid, "stat")?).context("cannot understand /proc/PID/stat")
    }

    fn parse(text: &str) -> Option<Stat> {
        // The second field is the name in parentheses, which may itself hold blanks and parentheses.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // proc(5) counts from 1, and two are before the parenthesis.
        let field = |number: usize| fields.get(number - 3);
        let ended = [16, 17].map(|number| field(number).and_then(|text| text.parse::<u64>().ok()));
        Some(Stat {
            of_ended_children: ended[0]? + ended[1]?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let text = "7 (a) b (c) S 5 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 99";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat.of_ended_children, 70);
        assert!(Stat::parse("7 (a").is_none());
    }

    #[test]
    fn memory_is_read_from_its_lines() {
        let text = "5600-7ffe ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss:             123 kB\nPss_Dirty: 9 kB\nPrivate_Dirty:    45 kB\n";
        let expected = Memory {
            pss: 123,
            private_dirty: 45,
        };
        assert_eq!(Memory::parse(text), Some(expected));
        assert_eq!(Memory::parse("Pss: 1 kB\n"), None);
    }

    #[test]
    fn this_process_has_figures() {
        let pid = std::process::id().try_into().unwrap();
        assert!(resident(pid).unwrap() > 0);
        assert!(Memory::of(pid).unwrap().pss > 0);
        assert_eq!(tracer(pid).unwrap(), 0);
        let tree = Tree::of(pid).unwrap();
        assert_eq!(tree.all().next(), Some(pid));
        assert!(switches(pid).unwrap() > 0);
    }
}
