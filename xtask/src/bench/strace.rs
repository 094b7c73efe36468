//! System calls a request, counted by strace.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::procfs;

/// How long strace may take to hold all processes.
const DEADLINE: Duration = Duration::from_secs(10);

/// Counts the system calls that these processes make while `work` runs.
///
/// # Errors
/// When strace may not trace, or `work` fails.
pub(super) fn count(
    pids: &[i32],
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let summary = tempfile::NamedTempFile::new()?;
    let mut strace = Command::new("strace")
        .args(["-c", "-f", "-o"])
        .arg(summary.path())
        .args(
            pids.iter()
                .flat_map(|pid| ["-p".to_owned(), pid.to_string()]),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start strace")?;
    let worked = wait_until_traced(pids).and_then(|()| work());
    // It writes its summary when it is interrupted.
    kill(Pid::from_raw(i32::try_from(strace.id())?), Signal::SIGINT)?;
    strace.wait()?;
    worked?;
    let text = std::fs::read_to_string(summary.path())?;
    total(&text).with_context(|| format!("no total in strace's summary:\n{text}"))
}

fn wait_until_traced(pids: &[i32]) -> anyhow::Result<()> {
    let start = Instant::now();
    for pid in pids {
        while procfs::tracer(*pid)? == 0 {
            if start.elapsed() > DEADLINE {
                bail!("strace does not get hold of process {pid}");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// The number of calls in the last line of a summary.
fn total(summary: &str) -> Option<u64> {
    let line = summary.lines().find(|line| line.ends_with(" total"))?;
    // % time, seconds, microseconds a call, calls, perhaps errors.
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_in_the_last_line() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000060           6        10           write
 40.00    0.000040           4        10         2 accept4
------ ----------- ----------- --------- --------- ----------------
100.00    0.000100           5        20         2 total
";
        assert_eq!(total(summary), Some(20));
        assert_eq!(total(""), None);
    }
}
