//! A program that a command starts, watches and ends.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often the state of a program is looked at.
const INTERVAL: Duration = Duration::from_millis(30);

/// How long a program may take to end by itself.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How many lines of output a failure shows.
const SHOWN_LINES: usize = 12;

/// A running program; it is killed when it is dropped without having been stopped.
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    /// What it wrote to its terminal.
    output: PathBuf,
}

impl Daemon {
    /// Starts a program in a folder. It gets a process group of its own: Ctrl-C is for us to pass on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        root: &Path,
    ) -> anyhow::Result<Daemon> {
        let output = root.join("log").join(format!("{name}.output"));
        let file = File::create(&output)?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Daemon {
            name,
            child,
            output,
        })
    }

    /// Waits until the program is ready.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    pub(crate) fn wait_until(
        &mut self,
        deadline: Duration,
        is_ready: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        while !is_ready() {
            self.ensure_running()?;
            if start.elapsed() > deadline {
                bail!(self.complaint(&format!("is not ready after {deadline:?}")));
            }
            thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// Makes sure that it has not ended.
    ///
    /// # Errors
    /// When it has; the message has its last words.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(self.complaint(&format!("ended ({status})"))),
        }
    }

    /// Asks the program to finish what it is doing and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill(self.pid(), Signal::SIGQUIT)?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > STOP_DEADLINE {
                bail!(self.complaint("does not end on SIGQUIT"));
            }
            thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// A sentence about the program with the end of its output.
    pub(crate) fn complaint(&self, verdict: &str) -> String {
        let text = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n    ");
        format!("{} {verdict}; its last words:\n    {last}", self.name)
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> Pid {
        // Linux never has more than 2^22 processes.
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Only a failure leads here, and it has its message already. SIGTERM: the master ends its workers.
            let _ = kill(self.pid(), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(root: &Path, script: &str) -> Daemon {
        fs::create_dir(root.join("log")).unwrap();
        // Who starts the suite in the background of a script ignores SIGQUIT, and a shell cannot trap what is ignored.
        let arguments = ["--default-signal=QUIT", "sh", "-c", script].map(str::to_owned);
        Daemon::start("sh", Path::new("/usr/bin/env"), &arguments, root).unwrap()
    }

    #[test]
    fn a_program_that_ends_tells_why() {
        let root = tempfile::tempdir().unwrap();
        let mut daemon = start(root.path(), "echo no such pool >&2; exit 78");
        let error = daemon
            .wait_until(Duration::from_secs(20), || false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no such pool") && error.contains("78"),
            "{error}"
        );
    }

    #[test]
    fn a_program_is_asked_to_stop() {
        let root = tempfile::tempdir().unwrap();
        let ready = root.path().join("ready");
        let mut daemon = start(
            root.path(),
            "trap 'exit 0' QUIT; : > ready; while :; do read x < /dev/null; done",
        );
        daemon
            .wait_until(Duration::from_secs(20), || ready.exists())
            .unwrap();
        daemon.stop().unwrap();
    }
}
