//! What the master needs of the program around it: pid file, log, the parent that waits.

use std::io;

use fpm_conf::Config;
use fpm_master::error::MasterError;
use fpm_master::program::{Backlog, Program, Speaker, Words};
use nix::unistd::Pid;

use crate::background::Readiness;
use crate::log::Log;
use crate::pid_file::PidFile;

/// The daemon's surroundings.
#[derive(Debug)]
pub(crate) struct Daemon {
    log: Log,
    pid_file: Option<PidFile>,
    readiness: Option<Readiness>,
}

impl Daemon {
    /// Makes the surroundings of a daemon that has not been launched.
    pub(crate) fn new(config: &Config, log: Log, readiness: Option<Readiness>) -> Daemon {
        Daemon {
            log,
            pid_file: config.global.pid.as_ref().map(PidFile::new),
            readiness,
        }
    }

    /// Tells whoever waits that it failed.
    pub(crate) fn failed(&mut self) {
        if let Some(readiness) = self.readiness.take() {
            readiness.failed();
        }
    }

    /// Cleans up after an end in order.
    pub(crate) fn ended(&self) {
        if let Some(pid_file) = &self.pid_file {
            pid_file.remove();
        }
    }
}

impl Program for &mut Daemon {
    fn launched(&mut self) -> Result<(), MasterError> {
        if let Some(pid_file) = &self.pid_file {
            pid_file.write().map_err(|error| MasterError::Launch {
                text: error.to_string(),
            })?;
        }
        if let Err(error) = self.log.launched() {
            tracing::error!("failed to tie stderr fd with error_log fd: dup2(): {error}");
        }
        tracing::info!("fpm is running, pid {}", Pid::this());
        if let Some(readiness) = self.readiness.take() {
            readiness.ready();
        }
        Ok(())
    }

    fn reopen_log(&mut self) -> io::Result<()> {
        self.log.reopen()
    }

    fn room(&self, speaker: &Speaker<'_>) -> usize {
        self.log.room(speaker)
    }

    fn worker_said(&mut self, speaker: &Speaker<'_>, words: &Words<'_>) {
        self.log.worker_said(speaker, words);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.log.put(bytes);
    }

    fn flush_log(&mut self) -> Backlog {
        self.log.flush()
    }
}
