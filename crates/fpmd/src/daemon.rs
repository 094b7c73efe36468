//! What the master needs of the program around it: pid file, log, the parent that waits.

use std::io;

use bstr::ByteSlice;
use fpm_conf::{ConfError, Config, Loaded};
use fpm_master::error::MasterError;
use fpm_master::program::{Backlog, Program, Speaker, Words};
use nix::unistd::Pid;

use crate::background::Readiness;
use crate::cli::{Options, Stderr};
use crate::configuration::{load, preview};
use crate::limits::{set_limits, set_priority};
use crate::log::{Destination, Log};
use crate::messages::show;
use crate::pid_file::PidFile;

/// The daemon's surroundings.
#[derive(Debug)]
pub(crate) struct Daemon {
    options: Options,
    log: Log,
    pid_file: Option<PidFile>,
    readiness: Option<Readiness>,
    /// Loaded and not in force yet.
    next: Option<Loaded>,
}

impl Daemon {
    /// Makes the surroundings of a daemon that has not been launched.
    pub(crate) fn new(
        config: &Config,
        mut options: Options,
        log: Log,
        readiness: Option<Readiness>,
    ) -> Daemon {
        if config.global.daemonize {
            options.stderr = Stderr::Never;
        }
        Daemon {
            options,
            log,
            pid_file: config.global.pid.as_ref().map(PidFile::new),
            readiness,
            next: None,
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

    /// Lets the log be what another configuration says.
    fn change_log(&mut self, loaded: &Loaded) {
        self.log.set_level(loaded.report.level);
        let global = &loaded.config.global;
        let destination = Destination::of(global, self.options.stderr);
        if let Err(error) = self.log.open(global, destination) {
            tracing::error!("failed to open error_log: {error}");
        }
        if let Err(error) = self.log.launched() {
            tracing::error!("failed to tie stderr fd with error_log fd: dup2(): {error}");
        }
    }

    /// Lets the pid file be the one that another configuration names.
    fn change_pid_file(&mut self, config: &Config) {
        let next = config.global.pid.as_ref().map(PidFile::new);
        if next == self.pid_file {
            return;
        }
        if let Some(Err(error)) = next.as_ref().map(PidFile::write) {
            tracing::error!("{error}");
        }
        if let Some(before) = std::mem::replace(&mut self.pid_file, next) {
            before.remove();
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

    fn leave_pid_file(&mut self) -> Result<(), MasterError> {
        self.pid_file.as_mut().map_or(Ok(()), PidFile::leave)
    }

    fn take_pid_file_back(&mut self) {
        if let Some(pid_file) = &mut self.pid_file {
            pid_file.take_back();
        }
    }

    fn remove_old_pid_file(&mut self, of: Pid) {
        if let Some(pid_file) = &self.pid_file {
            pid_file.remove_old(of);
        }
    }

    fn load(&mut self) -> Result<Config, Vec<String>> {
        let loaded = load(&self.options).map_err(|error| {
            show(&self.log, &error.report().messages);
            reasons(&error)
        })?;
        show(&self.log, &loaded.report.messages);
        // Before the next generation's processes, which inherit them.
        if !set_limits(&loaded.config) || !set_priority(&loaded.config) {
            return Err(vec!["its limits or its priority cannot be set".to_owned()]);
        }
        let config = loaded.config.clone();
        self.next = Some(loaded);
        Ok(config)
    }

    fn preview(&self) -> Result<Config, Vec<String>> {
        match preview(&self.options) {
            Ok(loaded) => Ok(loaded.config),
            Err(error) => Err(reasons(&error)),
        }
    }

    fn adopt(&mut self) {
        if let Some(loaded) = self.next.take() {
            self.change_log(&loaded);
            self.change_pid_file(&loaded.config);
        }
        tracing::info!("fpm is running, pid {}", Pid::this());
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

    fn finish_log(&mut self) {
        self.log.finish();
    }
}

/// Returns what there is to say about a configuration that cannot be used.
pub(crate) fn reasons(error: &ConfError) -> Vec<String> {
    let messages = error.report().messages.iter();
    messages
        .map(|message| message.text().to_str_lossy().trim_end().to_owned())
        .collect()
}
