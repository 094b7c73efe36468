//! All that the master has, on its way into another program.
//!
//! Rule: up to the exec nothing changes, so that this program can go on; what is handed over was checked by then as the other
//! program checks it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use fpm_channel::{Flushed, WorkerId};
use fpm_events::Interest;
use fpm_os::handover::replace_program;
use fpm_os::memfd;

use super::examination::Identity;
use super::{Live, Pipes, Setup, Token};
use crate::error::MasterError;
use crate::event::CallerId;
use crate::listeners::handover::Sockets;
use crate::program::Program;
use crate::upgrade::TAKES_OVER;
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::{
    Decided, Details, Estate, Kin, State, WorkerEnds, ZygoteEnds, decode_details, decode_estate,
    encode,
};

impl<P: Program> Live<P> {
    /// Becomes the program that was examined; returns what went wrong.
    pub(super) fn become_other(&mut self, decided: Decided, waiting: &[CallerId]) -> MasterError {
        let reason = match self.try_to_become_other(decided, waiting) {
            Ok(never) => match never {},
            Err(reason) => reason,
        };
        self.take_post_back();
        MasterError::HandOver {
            program: self.options.executable.clone(),
            reason,
        }
    }

    fn try_to_become_other(
        &mut self,
        decided: Decided,
        waiting: &[CallerId],
    ) -> Result<Infallible, String> {
        let program = &self.options.executable.clone();
        if self.examined.is_none() || self.examined != Identity::of(program) {
            return Err(Refusal::Changed(program.clone()).to_string());
        }
        for zygote in self.zygotes.values_mut() {
            if zygote.flush() == Flushed::Waiting {
                return Err(format!("zygote {} does not listen", zygote.pid));
            }
        }
        let mut sockets = Sockets::default();
        let details = self.details(decided, waiting, &mut sockets);
        let details = details.ok_or("nothing serves")?;
        let estate = Estate {
            kin: Kin::ours(),
            stores: self.options.store.is_some(),
            open_files: self.open_files,
            stderr: self.options.stderr.as_ref().map(|file| file.as_raw_fd()),
            sockets: sockets.describe(),
        };
        let bytes = encode(&State { estate, details }).map_err(|error| error.to_string())?;
        let read = decode_estate(&bytes).and_then(|(estate, rest)| decode_details(&estate, rest));
        read.map_err(|error| format!("what is known would not be understood: {error}"))?;
        // It would hold on to an address that the other program may have to bind anew.
        self.end_operator();
        let file = memfd::freeze("fpmd-state", &bytes).map_err(|error| error.to_string())?;

        let serving = self.generations.get(&self.serving);
        let ledger = serving.map(|setup| setup.ledgers.as_fd());
        let control = serving.and_then(|setup| setup.control.as_ref());
        let operator = serving.and_then(|setup| setup.operator.as_ref());
        let setups = self.generations.values().flat_map(Setup::descriptors);
        let zygotes = self.zygotes.values();
        let zygotes = zygotes.flat_map(|zygote| [zygote.channel(), zygote.stderr()]);
        let workers = self.workers.values().flat_map(|pipes| {
            let outputs = pipes.outputs().map(|(_, pipe)| pipe.as_fd());
            std::iter::once(pipes.control.as_fd()).chain(outputs)
        });
        let kept: Vec<BorrowedFd<'_>> = std::iter::once(file.as_fd())
            .chain(sockets.descriptors())
            .chain(control.map(|control| control.as_fd()))
            .chain(ledger)
            .chain(operator.map(|post| post.as_fd()))
            .chain(self.options.stderr.as_ref().map(|file| file.as_fd()))
            .chain(setups)
            .chain(zygotes)
            .chain(workers)
            .chain(self.resting.descriptors())
            .chain(self.callers.descriptors(waiting))
            .collect();
        let number = file.as_raw_fd().to_string();
        let mut arguments = self.options.arguments.iter().map(AsRef::as_ref);
        let name = arguments.next().unwrap_or(program.as_os_str());
        let arguments: Vec<&OsStr> = [name, TAKES_OVER.as_ref(), number.as_ref()]
            .into_iter()
            .chain(arguments)
            .collect();
        tracing::info!("upgrading: execv(\"{}\")", program.display());
        // What the log does not take by then is lost.
        self.program.finish_log();
        Err(replace_program(program, &arguments, &kept).to_string())
    }

    fn details(
        &self,
        decided: Decided,
        waiting: &[CallerId],
        sockets: &mut Sockets,
    ) -> Option<Details> {
        let generations = decided.generations.iter().filter_map(|known| {
            let setup = self.generations.get(&known.number)?;
            Some(setup.describe((known.number, self.serving), sockets))
        });
        let generations = generations.collect();
        let zygotes = self.zygotes.iter().map(|(id, zygote)| ZygoteEnds {
            id: *id,
            pid: zygote.pid.as_raw(),
            channel: zygote.channel().as_raw_fd(),
            stderr: zygote.stderr().as_raw_fd(),
        });
        let workers = self.workers.iter().map(|(id, pipes)| WorkerEnds {
            id: *id,
            pool: pipes.pool,
            slot: pipes.slot,
            control: pipes.control.as_fd().as_raw_fd(),
            unsent: pipes.control.unsent(),
            outputs: pipes
                .outputs()
                .map(|(stream, pipe)| (stream, pipe.as_raw_fd()))
                .collect(),
            said: pipes.capture.clone(),
        });
        let serving = self.generations.get(&self.serving)?;
        Some(Details {
            decided,
            started: self.started,
            generations,
            ledger: serving.ledgers.describe(),
            zygotes: zygotes.collect(),
            workers: workers.collect(),
            resting: self.resting.describe(),
            callers: self.callers.describe(waiting),
        })
    }
}

impl<P: Program> Live<P> {
    /// Watches what another program has watched: its zygotes, and these workers.
    pub(super) fn watch_all(&mut self, workers: HashMap<WorkerId, Pipes>) {
        let zygotes = std::mem::take(&mut self.zygotes);
        for (id, zygote) in &zygotes {
            self.watch(zygote.channel(), Interest::Both, Token::Channel(*id));
            self.watch(
                zygote.stderr(),
                Interest::Readable,
                Token::ZygoteStderr(*id),
            );
        }
        self.zygotes = zygotes;
        for (id, pipes) in &workers {
            self.watch(&pipes.control, Interest::Both, Token::Control(*id));
            self.watch_outputs(*id, pipes);
        }
        self.workers = workers;
        self.take_calls();
    }
}
