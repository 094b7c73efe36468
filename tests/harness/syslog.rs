//! A syslog of one test's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use crate::executable::write_program;
use crate::{PATIENCE, Result, Subject};

/// A socket that a daemon finds at `/dev/log`, in a mount namespace of its own. Only root can make one.
#[derive(Debug)]
pub struct Syslog {
    folder: TempDir,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    /// Begins to listen.
    ///
    /// # Errors
    /// Fails when the directory for temporary files is not writable.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("fpmd-syslog-")?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        fs::create_dir(folder.path().join("dev"))?;
        let mut syslog = Self {
            folder,
            socket: None,
        };
        syslog.begin()?;
        Ok(syslog)
    }

    /// Returns the program under test as it runs where this is the syslog.
    ///
    /// # Errors
    /// As [`Subject::from_environment`].
    pub fn subject(&self) -> Result<Subject> {
        let subject = Subject::from_environment()?;
        let folder = self.folder.path().display();
        // All that is in /dev stays there, and there is one thing more.
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = mounted ] || exec unshare -m \"$0\" mounted \"$@\"\nshift\n\
             mount --rbind /dev {folder}/dev && mount -t tmpfs none /dev || exit 1\n\
             for name in {folder}/dev/*; do [ \"${{name##*/}}\" = log ] || ln -s \"$name\" /dev; done\n\
             ln -s {folder}/log /dev/log && exec {} \"$@\"\n",
            subject.program().display()
        );
        let program = self.folder.path().join("php-fpm");
        write_program(&program, &script)?;
        Ok(subject.called(&program))
    }

    /// Begins to listen, as after a restart.
    ///
    /// # Errors
    /// Fails when it listens already.
    pub fn begin(&mut self) -> Result {
        let path = self.path();
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Is gone until [`Syslog::begin`].
    ///
    /// # Errors
    /// Fails when it is gone already.
    pub fn end(&mut self) -> Result {
        self.socket = None;
        Ok(fs::remove_file(self.path())?)
    }

    /// Receives until a message contains `text`; returns that and all before it.
    ///
    /// # Errors
    /// Fails when none comes in [`PATIENCE`].
    pub fn messages_until(&self, text: &str) -> Result<Vec<String>> {
        let socket = self.socket.as_ref().context("syslog is gone")?;
        let mut messages: Vec<String> = Vec::new();
        let mut buffer = vec![0; 1 << 18];
        while !messages.last().is_some_and(|last| last.contains(text)) {
            let count = socket
                .recv(&mut buffer)
                .with_context(|| format!("no {text:?} in {messages:?}"))?;
            messages.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
        Ok(messages)
    }

    /// Receives until a message contains `text` and returns that.
    ///
    /// # Errors
    /// As [`Syslog::messages_until`].
    pub fn wait_for(&self, text: &str) -> Result<String> {
        self.messages_until(text)?.pop().context("no message")
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}
