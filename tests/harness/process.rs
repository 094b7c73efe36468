//! Other processes, seen through /proc, and waiting for their end.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{PATIENCE, Result, wait_until};

/// A process that is not ours to `wait` for. The file descriptor keeps its pid from being mixed up with a later process.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// Takes hold of a running process.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub fn of(pid: i32) -> Result<Self> {
        let handle = rustix::process::Pid::from_raw(pid)
            .context("not a pid")
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
            .with_context(|| format!("cannot take hold of process {pid}"))?;
        Ok(Self {
            pid: Pid::from_raw(pid),
            handle,
        })
    }

    /// Finds the processes of a session whose title starts with `title`, oldest first.
    ///
    /// # Errors
    /// Fails when /proc cannot be read.
    pub fn titled(session: i32, title: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else {
                continue;
            };
            // A process may end between any two looks.
            let Some(stat) = Stat::of(pid).ok().filter(|stat| stat.session == session) else {
                continue;
            };
            let Ok(process) = Self::of(pid) else { continue };
            if process.title().is_ok_and(|text| text.starts_with(title)) {
                found.push((stat.start_time, process));
            }
        }
        found.sort_unstable_by_key(|(start_time, process)| (*start_time, process.pid()));
        Ok(found.into_iter().map(|(_, process)| process).collect())
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The title that `ps` shows.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn title(&self) -> Result<String> {
        read_title(self.pid())
    }

    /// The file that it runs.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn program(&self) -> Result<PathBuf> {
        Ok(fs::read_link(format!("/proc/{}/exe", self.pid))?)
    }

    /// The process's parent.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn parent(&self) -> Result<i32> {
        Ok(Stat::of(self.pid())?.parent)
    }

    /// A line of `/proc/PID/status`, such as `Uid`.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn status(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .with_context(|| format!("no {name} in /proc/{}/status", self.pid))
    }

    /// The open files, as /proc names them.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn open_files(&self) -> Result<Vec<String>> {
        open_files(&format!("/proc/{}/fd", self.pid))
    }

    /// What each of its threads but the first has open.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn open_files_of_other_threads(&self) -> Result<Vec<Vec<String>>> {
        let threads = format!("/proc/{}/task", self.pid);
        let mut files = Vec::new();
        for entry in fs::read_dir(&threads)? {
            let thread = entry?.file_name();
            let thread = thread.to_string_lossy();
            if thread != self.pid.to_string() {
                files.push(open_files(&format!("{threads}/{thread}/fd"))?);
            }
        }
        Ok(files)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// Fails when the process is gone.
    pub fn signal(&self, signal: Signal) -> Result {
        kill(self.pid, signal).with_context(|| format!("cannot send {signal} to {}", self.pid))
    }

    /// Stops the process until it gets SIGCONT, and waits until it has stopped.
    ///
    /// # Errors
    /// Fails when the process is gone, or has not stopped after [`PATIENCE`].
    pub fn stop(&self) -> Result {
        self.signal(Signal::SIGSTOP)?;
        wait_until("it stops", || Ok(self.status("State")?.starts_with('T')))
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// Fails when it lives on for [`PATIENCE`].
    pub fn wait_for_end(&self) -> Result {
        ensure!(
            self.ends_within(PATIENCE)?,
            "process {} ({:?}) does not end",
            self.pid,
            self.title()
        );
        Ok(())
    }

    /// Whether the process ends within that time.
    ///
    /// # Errors
    /// Fails when waiting fails.
    pub fn ends_within(&self, time: Duration) -> Result<bool> {
        let mut ends = [PollFd::new(&self.handle, PollFlags::IN)];
        let time = Timespec::try_from(time)?;
        Ok(poll(&mut ends, Some(&time))? > 0)
    }
}

/// What a folder of descriptors in /proc leads to.
fn open_files(folder: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        // It may be closed before one looks what it is.
        if let Ok(file) = fs::read_link(entry?.path()) {
            files.push(file.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}

/// What the tests need of `/proc/PID/stat`; proc(5) numbers the fields.
struct Stat {
    parent: i32,
    session: i32,
    start_time: u64,
}

impl Stat {
    fn of(pid: i32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field is the name in parentheses, which may itself hold blanks and parentheses.
        let (_, rest) = text
            .rsplit_once(") ")
            .context("no name in /proc/PID/stat")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| {
            fields
                .get(number - 3)
                .context("a field is missing in /proc/PID/stat")
        };
        Ok(Self {
            parent: field(4)?.parse()?,
            session: field(6)?.parse()?,
            start_time: field(22)?.parse()?,
        })
    }
}

fn read_title(pid: i32) -> Result<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline"))?;
    Ok(String::from_utf8_lossy(&text)
        .trim_end_matches('\0')
        .to_owned())
}
