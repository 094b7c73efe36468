//! The program on disk: whether it is another one, and a process of it that shows what it can.
//!
//! Rule: the master never waits for that process, which is told by the descriptor that it has as number 3 from a shell's child,
//! and is killed when it takes too long.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use fpm_events::{Interest, TimerId};
use fpm_os::clock;
use fpm_os::descriptor::set_nonblocking;
use fpm_os::error::OsError;
use fpm_os::exec::spawn;
use fpm_os::process::kill;
use fpm_os::seqpacket::{self, Patience};
use fpm_os::signal::Signal;
use fpm_os::wait::Exit;
use nix::unistd::Pid;

use super::pipes::{Chunk, read_portion};
use super::{Live, Token, errno};
use crate::program::Program;
use crate::upgrade::EXAMINED;
use crate::upgrade::examination::{ALL, Examined, Refusal, WORD, judge};
use crate::world::{self, OnDisk};

/// The longest word that is listened to.
const LONGEST_WORD: usize = 64;

/// How much of what it writes is kept for the log.
pub(super) const KEPT: usize = 16 * 1024;

/// The program that a process runs, to that process, whatever has become of the file (proc(5)).
const RUNNING: &str = "/proc/self/exe";

/// What tells one file from another that is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// A program that is being examined.
#[derive(Debug)]
pub(super) struct Examination {
    pid: Pid,
    file: Identity,
    since: Duration,
    socket: OwnedFd,
    output: PipeReader,
    word: Option<Vec<u8>>,
    /// The beginning of what it has written.
    said: Vec<u8>,
    timer: TimerId,
    killed: bool,
}

impl Identity {
    /// Looks at a file; `None` when it cannot be found.
    pub(super) fn of(program: &Path) -> Option<Identity> {
        let file = fs::metadata(program).ok()?;
        Some(Identity {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

impl<P: Program> Live<P> {
    /// Compares the program on disk with that which runs.
    pub(super) fn look_at_program(&self) -> (OnDisk, Option<Identity>) {
        let program = &self.options.executable;
        let file = Identity::of(program);
        let seen = match (self.running, file) {
            (_, None) => OnDisk::Nothing(program.clone()),
            (Some(running), Some(file)) if running != file => OnDisk::Other,
            _ => OnDisk::Same,
        };
        (seen, file)
    }

    /// Returns the path of the program that runs: zygotes of another one would not understand this one.
    pub(super) fn own_program(&self) -> &Path {
        match self.look_at_program().0 {
            OnDisk::Same => &self.options.executable,
            OnDisk::Other | OnDisk::Nothing(_) => Path::new(RUNNING),
        }
    }

    /// Starts the program on disk if it is another one than that which runs.
    pub(super) fn begin_examination(&mut self) -> Result<world::Examination, Refusal> {
        if self.examination.is_some() {
            return Ok(world::Examination::Begun);
        }
        // What cannot be found cannot be started either, and the reload says so.
        let (OnDisk::Other, Some(file)) = self.look_at_program() else {
            return Ok(world::Examination::Unneeded);
        };
        self.examination = Some(self.examine_file(file)?);
        Ok(world::Examination::Begun)
    }

    fn examine_file(&mut self, file: Identity) -> Result<Examination, OsError> {
        let call = |call| {
            move |error: io::Error| OsError::Call {
                call,
                errno: errno(&error),
            }
        };
        let (socket, theirs) = seqpacket::pair().map_err(call("socketpair()"))?;
        let (output, writer) = io::pipe().map_err(call("pipe()"))?;
        set_nonblocking(&output).map_err(call("fcntl()"))?;
        let program = &self.options.executable;
        let mut arguments = self.options.arguments.iter().map(AsRef::as_ref);
        let name = arguments.next().unwrap_or(program.as_os_str());
        let arguments: Vec<&OsStr> = [name, EXAMINED.as_ref()]
            .into_iter()
            .chain(arguments)
            .collect();
        let pid = spawn(
            program,
            &arguments,
            theirs.as_fd(),
            writer.as_fd(),
            self.open_files,
        )?;
        self.watch(&output, Interest::Readable, Token::ExaminedOutput);
        let since = clock::monotonic();
        Ok(Examination {
            pid,
            file,
            since,
            socket,
            output,
            word: None,
            said: Vec::new(),
            timer: self.events.set_timer(since + WORD, Token::Examination),
            killed: false,
        })
    }

    /// It has written something. A portion is taken; for the rest an event comes at once.
    pub(super) fn hear_examined(&mut self) {
        if let Some(examination) = &mut self.examination
            && let Chunk::Bytes(_) = examination.hear()
        {
            self.events.set_timer(Duration::ZERO, Token::ExaminedOutput);
        }
    }

    /// It should have said something, or have ended, by now.
    pub(super) fn hurry_examined(&mut self) {
        let Some(examination) = &mut self.examination else {
            return;
        };
        examination.listen();
        let limit = examination.since + ALL;
        if examination.word.is_some() && clock::monotonic() < limit {
            examination.timer = self.events.set_timer(limit, Token::Examination);
            return;
        }
        examination.killed = true;
        // It is there until it is reaped.
        let _ = kill(examination.pid, Signal::KILL);
    }

    /// A child has ended; returns the verdict if it was the program that was examined.
    pub(super) fn examination_ended(&mut self, exit: &Exit) -> Option<Result<(), Refusal>> {
        let mut examination = self.examination.take_if(|known| known.pid == exit.pid)?;
        self.events.cancel_timer(examination.timer);
        examination.hear();
        examination.listen();
        self.unwatch(&examination.output);
        let examined = Examined {
            word: examination.word,
            status: (!examination.killed).then_some(exit.status),
        };
        let verdict = judge(&examined);
        if verdict.is_err() && !examination.said.is_empty() {
            self.program.write(&examination.said);
        }
        self.examined = verdict.is_ok().then_some(examination.file);
        Some(verdict)
    }

    /// Ends the examination: the daemon ends.
    pub(super) fn end_examination(&self) {
        if let Some(examination) = &self.examination {
            let _ = kill(examination.pid, Signal::KILL);
        }
    }
}

impl Examination {
    /// Reads a portion of what it has written, and keeps the beginning; returns what was found last.
    fn hear(&mut self) -> Chunk {
        let said = &mut self.said;
        read_portion(&mut self.output, |bytes| {
            let room = KEPT - said.len();
            said.extend_from_slice(&bytes[..bytes.len().min(room)]);
        })
    }

    /// Takes its word.
    fn listen(&mut self) {
        let mut buffer = [0; LONGEST_WORD];
        if let Ok(packet) = seqpacket::receive(&self.socket, &mut buffer, Patience::AtOnce)
            && packet.len > 0
        {
            self.word.get_or_insert(buffer[..packet.len].to_vec());
        }
    }
}
