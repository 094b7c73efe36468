//! How much memory there is, whether it is short, and what a process takes of it.
//!
//! A changer must know: a process in a container sees the machine's memory in /proc/meminfo; what it may have is in the files
//! of its control group (cgroups(7), version 2), its own or one above it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

/// Where control groups of version 2 are.
const GROUPS: &str = "/sys/fs/cgroup";

/// Returns how much memory this process and its children may have together, in bytes: the lowest limit of its control group
/// and those above it, else all that the machine has.
///
/// # Errors
/// When /proc/meminfo cannot be read or says nothing.
pub fn limit() -> io::Result<u64> {
    let machine = total(&fs::read_to_string("/proc/meminfo")?).ok_or(io::ErrorKind::InvalidData)?;
    let limits = groups().into_iter().filter_map(|group| {
        let text = fs::read_to_string(group.join("memory.max")).ok()?;
        // "max" is no limit.
        text.trim().parse::<u64>().ok()
    });
    Ok(limits.fold(machine, u64::min))
}

/// Returns for how much of the last ten seconds something had to wait for memory, in per cent, in this process's control group
/// or else on the whole machine (proc(5), psi).
///
/// # Errors
/// When the kernel does not measure it.
pub fn pressure() -> io::Result<f32> {
    let own = groups().into_iter().next();
    let own = own.and_then(|group| fs::read_to_string(group.join("memory.pressure")).ok());
    let text = match own {
        Some(text) => text,
        None => fs::read_to_string("/proc/pressure/memory")?,
    };
    Ok(some_of_ten_seconds(&text).ok_or(io::ErrorKind::InvalidData)?)
}

/// Returns what a process takes, in bytes: its own memory, and its share of what it has together with others.
///
/// # Errors
/// When the process is gone, or when it may not be asked (ptrace(2), access mode checking).
pub fn proportional_set_size(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(kilobytes(&text, "Pss:").ok_or(io::ErrorKind::InvalidData)?)
}

/// Returns the folders of this process's control group and of those above it.
fn groups() -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string("/proc/self/cgroup") else {
        return Vec::new();
    };
    folders(&text)
}

fn folders(text: &str) -> Vec<PathBuf> {
    let Some(own) = text.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let top = Path::new(GROUPS);
    let above = top.join(own);
    above
        .ancestors()
        .take_while(|folder| folder.starts_with(top))
        .map(Path::to_owned)
        .collect()
}

fn total(meminfo: &str) -> Option<u64> {
    kilobytes(meminfo, "MemTotal:")
}

/// Reads a line like `Pss:  123 kB`; returns bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

fn some_of_ten_seconds(pressure: &str) -> Option<f32> {
    let line = pressure
        .lines()
        .find_map(|line| line.strip_prefix("some "))?;
    let average = line
        .split(' ')
        .find_map(|word| word.strip_prefix("avg10="))?;
    average.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    #[test]
    fn the_kernels_files_are_understood() {
        let folders = |text: &str| {
            folders(text)
                .iter()
                .map(|f| f.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            folders("5:memory:/old\n0::/a/b\n"),
            ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]
        );
        assert_eq!(folders("0::/\n"), ["/sys/fs/cgroup/"]);
        assert_eq!(folders("5:memory:/old\n"), Vec::<String>::new());
        assert_eq!(
            total("MemTotal:       24684092 kB\nMemFree: 1 kB\n"),
            Some(24_684_092 * 1024)
        );
        assert_eq!(total("MemTotal: much\n"), None);
        let psi = "some avg10=12.50 avg60=0.12 avg300=0.36 total=10173339\nfull avg10=1.00 avg60=0 avg300=0 total=1\n";
        assert_eq!(some_of_ten_seconds(psi), Some(12.5));
        assert_eq!(some_of_ten_seconds(""), None);
    }

    #[test]
    fn this_process_takes_less_than_there_is() {
        let own = proportional_set_size(process::id()).unwrap();
        assert!(own > 0 && own < limit().unwrap());
        assert!(proportional_set_size(Pid::from_raw(i32::MAX)).is_err());
    }
}
