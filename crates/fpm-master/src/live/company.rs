//! The other master, if there is one: its process, the way to talk to it, and what both of them have.
//!
//! Rule: [`crate::company`] decides. The socket between the two is open for as long as their processes are there, so its end is the
//! end of the other, however it came.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use bstr::ByteSlice;
use fpm_events::Interest;
use fpm_os::descriptor::set_nonblocking;
use fpm_os::exec::spawn_with;
use fpm_os::listener::unix;
use fpm_os::seqpacket;
use fpm_os::wait::{Exit, ExitStatus};
use nix::unistd::Pid;

use super::examination::KEPT;
use super::pipes::{Chunk, read};
use super::{Live, Token};
use crate::company::link::{Heard, Said, hear, say};
use crate::company::{Beside, STARTS_BESIDE, Share};
use crate::error::MasterError;
use crate::event::{Event, FromOther};
use crate::listeners::Listeners;
use crate::listeners::handover::Sockets;
use crate::obituary::Ending;
use crate::program::Program;
use crate::upgrade::state::{Estate, Kin};

/// The other master.
#[derive(Debug)]
pub(super) enum Other {
    /// This one has started it.
    Younger {
        pid: Pid,
        link: OwnedFd,
        /// What it writes until it has its own standard error.
        output: PipeReader,
        /// The beginning of that.
        said: Vec<u8>,
        /// Why it does not start, in its own words.
        reasons: Vec<String>,
    },
    /// It has started this one.
    Elder {
        pid: Pid,
        link: OwnedFd,
        /// Its sockets. They are looked after by both.
        sockets: Listeners,
    },
}

/// Whether the service manager takes this master for its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Yes.
    Main,
    /// No: it is the other one.
    Beside,
}

impl<P: Program> Live<P> {
    /// Starts another master beside this one.
    pub(super) fn begin_beside(&mut self) -> Result<Pid, MasterError> {
        self.leave_names()?;
        self.leave_post();
        self.share_sockets();
        let (pid, other) = match self.spawn_beside() {
            Ok(spawned) => spawned,
            Err(error) => {
                self.have_names_back();
                return Err(error);
            }
        };
        if let Other::Younger { link, output, .. } = &other {
            self.watch(link, Interest::Readable, Token::Other);
            self.watch(output, Interest::Readable, Token::OtherOutput);
        }
        self.other = Some(other);
        Ok(pid)
    }

    fn spawn_beside(&mut self) -> Result<(Pid, Other), MasterError> {
        let cannot = MasterError::Process;
        let mut sockets = Sockets::default();
        if let Some(setup) = self.generations.get(&self.serving) {
            sockets.add(&setup.listeners);
        }
        let estate = Estate {
            kin: Kin::ours(),
            stores: self.options.store.is_some(),
            // It starts with the limit that this one was started with.
            open_files: None,
            stderr: None,
            sockets: sockets.describe(),
        };
        let stderr = self.options.stderr.as_ref();
        let share = Share::new(estate, &sockets, stderr).map_err(cannot)?;
        let (link, theirs) = seqpacket::pair().map_err(cannot)?;
        let (output, writer) = io::pipe().map_err(MasterError::Pipe)?;
        set_nonblocking(&output).map_err(MasterError::Pipe)?;
        let program = &self.options.executable;
        let number = share.number.to_string();
        let mut arguments = self.options.arguments.iter().map(AsRef::as_ref);
        let name = arguments.next().unwrap_or(program.as_os_str());
        let arguments: Vec<&OsStr> = [name, STARTS_BESIDE.as_ref(), number.as_ref()]
            .into_iter()
            .chain(arguments)
            .collect();
        let pid = spawn_with(
            program,
            &arguments,
            theirs.as_fd(),
            writer.as_fd(),
            self.open_files,
            &share.kept,
        )?;
        let other = Other::Younger {
            pid,
            link,
            output,
            said: Vec::new(),
            reasons: Vec::new(),
        };
        Ok((pid, other))
    }

    /// Serves beside the master that has started this one.
    pub(crate) fn join(&mut self, beside: Beside) {
        self.watch(&beside.link, Interest::Readable, Token::Other);
        self.speaker = Speaker::Beside;
        self.other = Some(Other::Elder {
            pid: beside.elder,
            link: beside.link,
            sockets: beside.sockets,
        });
        self.share_sockets();
    }

    /// Tells the other master something.
    pub(super) fn tell_other(&mut self, said: &Said) {
        if let Some(Other::Younger { link, .. } | Other::Elder { link, .. }) = &self.other
            && let Err(error) = say(link, said)
        {
            tracing::debug!("the other master: {error}");
        }
    }

    /// The other master has said something, or is gone.
    pub(super) fn hear_other(&mut self, happened: &mut VecDeque<Event>) {
        loop {
            let (heard, reasons) = match &mut self.other {
                Some(Other::Younger { link, reasons, .. }) => (hear(link), Some(reasons)),
                Some(Other::Elder { link, .. }) => (hear(link), None),
                None => return,
            };
            let event = match (heard, reasons) {
                (Heard::Nothing, _) => return,
                (Heard::Message(Said::Serving { version }), Some(_)) => FromOther::Serving(version),
                (Heard::Message(Said::Failed { reasons }), Some(known)) => {
                    *known = reasons;
                    continue;
                }
                (Heard::Message(Said::Leaving), None) => FromOther::Leaving,
                (Heard::Message(_), _) => continue,
                // It is this one's child: its end is told when it is reaped.
                (Heard::End, Some(_)) => {
                    self.unwatch_other();
                    return;
                }
                (Heard::End, None) => FromOther::Gone,
            };
            let is_end = event == FromOther::Gone;
            happened.push_back(Event::FromOther(event));
            if is_end {
                self.unwatch_other();
                return;
            }
        }
    }

    /// The new master has written something before it had its own standard error.
    pub(super) fn hear_output_of_other(&mut self) {
        if let Some(Other::Younger { output, said, .. }) = &mut self.other {
            let mut buffer = [0; 4096];
            while let Chunk::Bytes(count) = read(output, &mut buffer) {
                let room = KEPT - said.len();
                said.extend_from_slice(&buffer[..count.min(room)]);
            }
        }
    }

    /// A child has ended; tells why if it was the new master.
    pub(super) fn other_ended(&mut self, exit: &Exit) -> Option<Event> {
        let is_younger =
            matches!(&self.other, Some(Other::Younger { pid, .. }) if *pid == exit.pid);
        if !is_younger {
            return None;
        }
        let mut last = VecDeque::new();
        self.hear_other(&mut last);
        self.hear_output_of_other();
        self.unwatch_other();
        let Some(Other::Younger {
            output,
            said,
            reasons,
            ..
        }) = self.other.take()
        else {
            return None;
        };
        self.unwatch(&output);
        if !said.is_empty() {
            self.program.write(&said);
        }
        Some(Event::FromOther(FromOther::Ended(
            exit.status,
            causes(reasons, &said, exit.status),
        )))
    }

    fn unwatch_other(&mut self) {
        if let Some(Other::Younger { link, .. } | Other::Elder { link, .. }) = &self.other {
            let _ = self.events.remove(link);
        }
    }

    /// Lets the names of pid file and control socket be the other's.
    fn leave_names(&mut self) -> Result<(), MasterError> {
        self.program.leave_pid_file()?;
        let serving = self.generations.get(&self.serving);
        let control = serving.and_then(|setup| setup.control.as_ref());
        if let Some(Err(error)) = control.map(|control| control.leave_name()) {
            self.program.take_pid_file_back();
            return Err(error);
        }
        Ok(())
    }

    /// Has pid file and control socket under their names again, and the sockets alone.
    pub(super) fn have_names_back(&mut self) {
        self.program.take_pid_file_back();
        let serving = self.generations.get(&self.serving);
        if let Some(control) = serving.and_then(|setup| setup.control.as_ref()) {
            control.take_name_back();
        }
        self.take_post_back();
        self.have_sockets_alone();
    }

    /// The master that has started this one is gone: what it has left under its names goes, and the sockets that only it wanted.
    pub(super) fn clear_up(&mut self) {
        let Some(Other::Elder { pid, sockets, .. }) = self.other.take() else {
            return;
        };
        self.program.remove_old_pid_file(pid);
        let serving = self.generations.get(&self.serving);
        if let Some(control) = serving.and_then(|setup| setup.control.as_ref()) {
            control.remove_old();
        }
        let setups = self.generations.values();
        let kept: Vec<_> = setups.map(|setup| setup.listeners.clone()).collect();
        sockets.remove_files(&kept);
        sockets.shut_down(&kept);
        self.have_sockets_alone();
    }

    /// Workers are to leave the sockets open when they lose their master: another one serves there.
    pub(super) fn share_sockets(&mut self) {
        let elders = self.sockets_of_elder();
        for setup in self.generations.values() {
            let shared = match &elders {
                Some(elders) => setup.listeners.are_among(elders),
                None => vec![true; setup.pools.len()],
            };
            for (board, _) in setup.pools.iter().zip(shared).filter(|(_, shared)| *shared) {
                board.share_socket();
            }
        }
    }

    fn have_sockets_alone(&mut self) {
        let setups = self.generations.values();
        for board in setups.flat_map(|setup| &setup.pools) {
            board.own_socket();
        }
    }

    /// Returns the sockets of the master that has started this one, while it is there.
    pub(super) fn sockets_of_elder(&self) -> Option<Listeners> {
        match &self.other {
            Some(Other::Elder { sockets, .. }) => Some(sockets.clone()),
            Some(Other::Younger { .. }) | None => None,
        }
    }

    /// Ends in order beside another master, which may serve at the same sockets: the files go at which nobody answers.
    pub(super) fn leave_beside(&mut self, other: Other) {
        self.leave_post();
        let setups = self.generations.values();
        let files: BTreeSet<_> = setups
            .flat_map(|setup| setup.listeners.unkept_files())
            .collect();
        self.generations.clear();
        let (Other::Younger { link, .. } | Other::Elder { link, .. }) = other;
        // To be closed by the end of this process, for which the other takes it.
        let _open = link.into_raw_fd();
        for file in files {
            if !unix::is_answered(&file) {
                let _ = fs::remove_file(&file);
            }
        }
    }
}

/// Says why a master that was started has ended.
fn causes(mut reasons: Vec<String>, said: &[u8], status: ExitStatus) -> Vec<String> {
    if reasons.is_empty() {
        let lines = said.lines().map(|line| line.to_str_lossy().into_owned());
        reasons.extend(lines);
    }
    reasons.push(format!("it exited {}", Ending(status)));
    reasons
}
