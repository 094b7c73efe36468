//! The program around the master: what the master needs of it and cannot know.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use fpm_channel::{Generation, PhpOptions};
use fpm_conf::{Config, Pool};
use nix::unistd::{Pid, Uid};
use serde::{Deserialize, Serialize};

use crate::error::MasterError;
use crate::store::Store;

/// What the command line and the environment say.
#[derive(Clone, Debug)]
pub struct Options {
    /// Absolute path of the executable that zygotes are started from.
    pub executable: PathBuf,
    /// The command line, beginning with the program's name: for another program that takes the place of this one.
    pub arguments: Vec<OsString>,
    /// How PHP is to be started.
    pub php: PhpOptions,
    /// Who started the master.
    pub starter: Starter,
    /// What standard error was at the start, which soon is the error log: access logs may go there. `None` in the background, which
    /// lets go of it.
    pub stderr: Option<Arc<File>>,
    /// Where a service manager wants to be told how the daemon is doing (`NOTIFY_SOCKET`); `None` when none does.
    pub notify_socket: Option<OsString>,
    /// Whether it keeps sockets while no daemon runs.
    pub store: Option<Store>,
}

/// Who the master is, as far as it decides who workers may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter {
    /// This user, who cannot become anybody else.
    Unprivileged(Uid),
    /// Root; pools have to name somebody else.
    Root,
    /// Root with `-R`.
    RootAllowed,
}

/// The program: its pid file, its log, whoever waits for it to be ready.
pub trait Program {
    /// PHP is up, the sockets are bound: writes the pid file, says `fpm is running` and tells whoever waits.
    ///
    /// # Errors
    /// When the pid file cannot be written; the error's text is logged by whoever ends the program.
    fn launched(&mut self) -> Result<(), MasterError>;

    /// Leaves the name of the pid file to another master beside this one.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    fn leave_pid_file(&mut self) -> Result<(), MasterError>;

    /// Has the pid file under its name again: the other master is gone.
    fn take_pid_file_back(&mut self);

    /// Removes the pid file of the master `of` this process id that has left its name to this one and is gone.
    fn remove_old_pid_file(&mut self, of: Pid);

    /// Reads the configuration again, as at the start, and says what is wrong with it. Until [`Program::adopt`] nothing else
    /// changes.
    ///
    /// # Errors
    /// What was said, when it cannot be used.
    fn load(&mut self) -> Result<Config, Vec<String>>;

    /// Reads the configuration again for a look at it: nothing is said and nothing changes.
    ///
    /// # Errors
    /// What there is to say, when it cannot be used.
    fn preview(&self) -> Result<Config, Vec<String>>;

    /// The configuration that was loaded last is in force: log, pid file and what else is the program's follow it, and `fpm is
    /// running` is said again.
    fn adopt(&mut self);

    /// Opens the error log again under its name.
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen_log(&mut self) -> io::Result<()>;

    /// Returns how many bytes of what this worker says fit in one line of the log.
    fn room(&self, speaker: &Speaker<'_>) -> usize;

    /// Writes a line of what a worker has said to the log, whatever the log's level.
    fn worker_said(&mut self, speaker: &Speaker<'_>, words: &Words<'_>);

    /// Writes bytes to the log as they are.
    fn write(&mut self, bytes: &[u8]);

    /// Tries again to write what the log did not take when it was to be written.
    fn flush_log(&mut self) -> Backlog;

    /// Has the log take what it did not take before, for a moment at the most: nobody will try again.
    fn finish_log(&mut self);
}

/// A worker that says something on its outputs.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Its pool.
    pub pool: &'a Pool,
    /// Its process.
    pub process: Pid,
    /// The generation of its configuration.
    pub generation: Generation,
}

/// A line, or a piece of one, that a worker has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'a> {
    /// Where it was said.
    pub stream: Stream,
    /// What was said, without the line feed.
    pub text: &'a [u8],
    /// What followed.
    pub ending: Ending,
    /// The name of the request that was served; empty when it is not known.
    pub request: &'a [u8],
}

/// One of a worker's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Stream {
    /// Returns the name that log lines use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// How a line of a worker came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was complete.
    Complete,
    /// It was as long as a line may be: the next one goes on.
    Cut,
    /// The worker's output ended in the middle of its very first words.
    PipeClosed,
}

/// How far the log is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How much waits to be written, in bytes.
    pub waiting: usize,
    /// How much may wait, in bytes; what is beyond it is lost.
    pub room: usize,
    /// Lines that were lost since this was asked last.
    pub lost: u64,
}
