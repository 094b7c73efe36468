//! The daemon's log as it is written, with waiting for a line.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use crate::heir::{BIRTH, with_descriptors};
use crate::{PATIENCE, Result};

/// Everything that a daemon has written to its standard output and standard error so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    is_closed: bool,
}

impl Log {
    /// Starts a program, with these descriptors as its 3, 4 and so on, and follows what it says on both its outputs.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub(crate) fn of(command: Command, descriptors: &[Arc<OwnedFd>]) -> Result<(Child, Self)> {
        let _alone = BIRTH.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut command, _until_started) = match descriptors {
            [] => (command, Vec::new()),
            _ => with_descriptors(&command, descriptors)?,
        };
        let (reader, writer) = io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        // The command holds our ends of the pipe's writing side; the log ends when the program's are closed.
        drop(command);
        Ok((child, Self::follow(reader)))
    }

    /// Follows a pipe until its last writer is gone.
    #[must_use]
    fn follow(pipe: PipeReader) -> Self {
        let log = Self::default();
        let writer = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe)
                .split(b'\n')
                .map_while(std::result::Result::ok)
            {
                writer
                    .written()
                    .lines
                    .push(String::from_utf8_lossy(&line).into_owned());
                writer.shared.1.notify_all();
            }
            writer.written().is_closed = true;
            writer.shared.1.notify_all();
        });
        log
    }

    /// Waits for a line that contains `text` and returns it.
    ///
    /// # Errors
    /// Fails when none comes in [`PATIENCE`] or the daemon ends.
    pub fn wait_for(&self, text: &str) -> Result<String> {
        self.wait_for_nth(text, 1)
    }

    /// Waits for the `nth` line that contains `text` and returns it.
    ///
    /// # Errors
    /// Fails when none comes in [`PATIENCE`] or the daemon ends.
    pub fn wait_for_nth(&self, text: &str, nth: usize) -> Result<String> {
        // Each line is looked at once: a daemon that says much would otherwise have a slow reader.
        let (mut looked, mut left, mut found) = (0, nth, None);
        let missing = |written: &mut Written| {
            for line in &written.lines[looked..] {
                looked += 1;
                left -= usize::from(line.contains(text));
                if left == 0 {
                    found = Some(line.clone());
                    return false;
                }
            }
            !written.is_closed
        };
        let (written, _) = self
            .shared
            .1
            .wait_timeout_while(self.written(), PATIENCE, missing)
            .unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(line) => Ok(line),
            None => bail!(
                "line {nth} with {text:?} is not in the log:\n{}",
                written.lines.join("\n")
            ),
        }
    }

    /// Waits until all writers are gone and returns all lines.
    ///
    /// # Errors
    /// Fails when a process still holds the log after [`PATIENCE`].
    pub fn wait_for_end(&self) -> Result<Vec<String>> {
        let (written, _) = self
            .shared
            .1
            .wait_timeout_while(self.written(), PATIENCE, |written| !written.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if !written.is_closed {
            bail!(
                "some process still holds the log open:\n{}",
                written.lines.join("\n")
            );
        }
        Ok(written.lines.clone())
    }

    /// The lines so far that contain `text`.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.written()
            .matching(text)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// All of it so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.written().lines.join("\n")
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn matching<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .map(String::as_str)
            .filter(move |line| line.contains(text))
    }
}
