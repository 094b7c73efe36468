//! The program around the master: what the master needs of it and cannot know.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use fpm_channel::PhpOptions;
use fpm_conf::LogLevel;
use nix::unistd::Uid;

use crate::error::MasterError;
use crate::store::Store;

/// What the command line and the environment say.
#[derive(Clone, Debug)]
pub struct Options {
    /// Absolute path of the executable that zygotes are started from.
    pub executable: PathBuf,
    /// How PHP is to be started.
    pub php: PhpOptions,
    /// Who started the master.
    pub starter: Starter,
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

    /// Opens the error log again under its name.
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen_log(&mut self) -> io::Result<()>;

    /// Returns how a log line of this level begins now; nothing when such lines are not logged.
    fn prefix(&self, level: LogLevel) -> String;

    /// Writes bytes to standard error, which is the log once the daemon is launched.
    fn write(&mut self, bytes: &[u8]);
}
