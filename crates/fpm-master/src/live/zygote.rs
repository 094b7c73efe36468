//! A zygote's process and the master's ends of its channel and its standard error.

use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use bstr::BString;
use fpm_channel::{
    Flushed, FromZygote, Generation, MasterEnd, Next, Parameters, PoolStart, Start, ToZygote,
};
use fpm_os::descriptor::set_nonblocking;
use fpm_os::exec::spawn;
use nix::errno::Errno;
use nix::unistd::Pid;

use super::pipes::{Chunk, read};
use super::{PADDING, Setup};
use crate::error::MasterError;
use crate::ini_mistake::ini_mistake;
use crate::program::Options;

/// The name of the role, as fpmd's command line knows it.
const ROLE: &str = "zygote";

/// A zygote.
#[derive(Debug)]
pub(crate) struct LiveZygote {
    pub(super) pid: Pid,
    channel: MasterEnd,
    stderr: PipeReader,
    /// What PHP did not understand in php.ini.
    ini_mistake: Option<BString>,
}

impl LiveZygote {
    /// Starts the process from `program` and sends it what it needs to start PHP.
    pub(super) fn start(
        program: &Path,
        generation: Generation,
        setup: &Setup,
        options: &Options,
        open_files: Option<u64>,
    ) -> Result<LiveZygote, MasterError> {
        let (mut channel, theirs) = MasterEnd::create()?;
        let (stderr, stderr_writer) = io::pipe().map_err(MasterError::Pipe)?;
        set_nonblocking(&stderr).map_err(MasterError::Pipe)?;
        let arguments = [
            options.executable.as_os_str(),
            OsStr::new(ROLE),
            OsStr::new(PADDING),
        ];
        let pid = spawn(
            program,
            &arguments,
            theirs.as_fd(),
            stderr_writer.as_fd(),
            open_files,
        )
        .map_err(|source| MasterError::Zygote { source })?;
        channel.send(&ToZygote::Start(Box::new(parameters(
            generation, setup, options,
        ))))?;
        Ok(LiveZygote {
            pid,
            channel,
            stderr,
            ini_mistake: None,
        })
    }

    /// Takes over one that another program has started.
    pub(crate) fn adopted(pid: i32, channel: OwnedFd, stderr: OwnedFd) -> LiveZygote {
        LiveZygote {
            pid: Pid::from_raw(pid),
            channel: MasterEnd::adopt(channel),
            stderr: stderr.into(),
            ini_mistake: None,
        }
    }

    pub(super) fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    pub(super) fn stderr(&self) -> BorrowedFd<'_> {
        self.stderr.as_fd()
    }

    /// Sends a message, now or when there is room.
    pub(super) fn send<F: AsFd>(&mut self, message: &ToZygote<F>) -> Result<(), Errno> {
        self.channel.send(message).map_err(|error| {
            tracing::debug!("zygote {}: {error}", self.pid);
            Errno::EPIPE
        })
    }

    /// Sends what had no room.
    pub(super) fn flush(&mut self) -> Flushed {
        self.channel.flush().unwrap_or_else(|error| {
            // One that is gone takes nothing any more.
            tracing::debug!("zygote {}: {error}", self.pid);
            Flushed::All
        })
    }

    /// Takes the next message. One that makes no sense ends the conversation.
    pub(super) fn receive(&mut self) -> Next<FromZygote> {
        self.channel.receive().unwrap_or_else(|error| {
            tracing::error!("zygote {}: {error}", self.pid);
            Next::Closed
        })
    }

    /// Reads what it has written to its standard error.
    pub(super) fn read_stderr(&mut self, buffer: &mut [u8]) -> Chunk {
        let chunk = read(&mut self.stderr, buffer);
        if let (Chunk::Bytes(count), None) = (&chunk, &self.ini_mistake) {
            self.ini_mistake = ini_mistake(&buffer[..*count]).map(Into::into);
        }
        chunk
    }

    /// Returns what PHP did not understand in php.ini, as far as its standard error has been read.
    pub(super) fn ini_mistake(&self) -> Option<&BString> {
        self.ini_mistake.as_ref()
    }
}

/// Puts together what a zygote has to know. The pools have the same indices everywhere.
fn parameters<'a>(
    generation: Generation,
    setup: &'a Setup,
    options: &Options,
) -> Start<BorrowedFd<'a>> {
    let pools = (0..)
        .zip(&setup.regions)
        .zip(&setup.measured)
        .zip(&setup.owners)
        .map(|(((listener, area), (ledger, _)), owner)| PoolStart {
            area: *area,
            ledger: *ledger,
            listener,
            run_as: owner.run_as.clone(),
            login: owner.login.clone(),
        })
        .collect();
    Start {
        parameters: Parameters {
            generation,
            config: setup.config.clone(),
            php: options.php.clone(),
            pools,
        },
        scoreboard: setup.board.as_fd(),
        ledger: setup.ledgers.as_fd(),
        listeners: setup.listeners.iter().map(AsFd::as_fd).collect(),
        relays: setup.relays.iter().map(|relay| relay.exit()).collect(),
    }
}
