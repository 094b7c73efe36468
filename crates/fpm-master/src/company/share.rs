//! What a master is started with that is to serve beside another one: its sockets, and the way to talk to it.
//!
//! Rule: a memory file of three lines. The first two are those of a state that is handed over to a program in place (the estate); who
//! changes the third raises [`FORMAT`](crate::upgrade::state::FORMAT) too.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::{exec, handover, memfd, seqpacket};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::link::{Said, say};
use crate::listeners::Listeners;
use crate::listeners::handover::Sockets;
use crate::upgrade::state::{Estate, FORMAT, LONGEST, decode_estate, head};

/// As many reasons as fit in a message.
const MOST_REASONS: usize = 50;

/// The third line.
#[derive(Debug, Serialize, Deserialize)]
struct Neighbour {
    /// The process of the old master.
    pid: i32,
    /// What standard error is to be.
    stderr: RawFd,
}

/// What the new master is to have, ready to be given to its process.
#[derive(Debug)]
pub(crate) struct Share {
    /// The descriptors, under the numbers by which they are described.
    pub(crate) kept: Vec<OwnedFd>,
    /// The number of the description.
    pub(crate) number: RawFd,
}

/// What this master was started with.
#[derive(Debug)]
pub struct Beside {
    pub(crate) elder: Pid,
    pub(crate) link: OwnedFd,
    pub(crate) sockets: Listeners,
    /// Whether the service manager keeps sockets.
    pub stores: bool,
    /// What standard error was when the first master was started.
    pub stderr: Option<Arc<File>>,
}

/// How the new master tells the old one why it does not start.
#[derive(Debug)]
pub struct Voice {
    link: OwnedFd,
}

impl Share {
    /// Makes copies of all that an estate and its sockets name, and describes them.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn new(
        mut estate: Estate,
        sockets: &Sockets,
        stderr: Option<&Arc<File>>,
    ) -> io::Result<Share> {
        let mut kept = Vec::new();
        for (socket, descriptor) in estate.sockets.iter_mut().zip(sockets.descriptors()) {
            let copy = exec::keepable(descriptor)?;
            socket.descriptor = copy.as_raw_fd();
            kept.push(copy);
        }
        // What it was at the start; in the background nobody sees that.
        let stderr = match stderr {
            Some(file) => {
                let copy = exec::keepable(file.as_fd())?;
                estate.stderr = Some(copy.as_raw_fd());
                copy
            }
            None => exec::keepable(open_null()?)?,
        };
        let neighbour = Neighbour {
            pid: Pid::this().as_raw(),
            stderr: stderr.as_raw_fd(),
        };
        kept.push(stderr);
        let mut bytes = head(FORMAT).into_bytes();
        serde_json::to_writer(&mut bytes, &estate)?;
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, &neighbour)?;
        let file = exec::keepable(memfd::freeze("fpmd-share", &bytes)?)?;
        let number = file.as_raw_fd();
        kept.push(file);
        Ok(Share { kept, number })
    }
}

impl Beside {
    /// Takes what the old master has described in the memory file with this number; its way to us is descriptor 3. Standard error,
    /// which the old one reads until now, becomes what it is to be. To be called once, before this process opens or starts anything
    /// that could inherit any of it.
    ///
    /// # Errors
    /// What is wrong with it: this program was not started by a master that it understands.
    pub fn take(number: RawFd) -> Result<Beside, String> {
        let text = |error: io::Error| error.to_string();
        let link = seqpacket::inherited().map_err(text)?;
        let bytes = handover::take(number).and_then(|file| memfd::read_frozen(file, LONGEST));
        let bytes = bytes.map_err(text)?;
        let (estate, rest) = decode_estate(&bytes).map_err(|error| error.to_string())?;
        let neighbour: Neighbour =
            serde_json::from_slice(rest).map_err(|error| error.to_string())?;
        let stderr = handover::take(neighbour.stderr).map_err(text)?;
        StandardStream::Error.replace(&stderr).map_err(text)?;
        let mut sockets = Sockets::default();
        for socket in estate.sockets {
            let descriptor = handover::take(socket.descriptor).map_err(text)?;
            sockets.adopt(socket, descriptor);
        }
        // The old master names it only when it is what standard error was.
        let kept = estate.stderr.map(|_| Arc::new(File::from(stderr)));
        Ok(Beside {
            elder: Pid::from_raw(neighbour.pid),
            link,
            sockets: sockets.all(),
            stores: estate.stores,
            stderr: kept,
        })
    }

    /// Returns the way to tell the old master that this one does not start.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn voice(&self) -> io::Result<Voice> {
        Ok(Voice {
            link: self.link.try_clone()?,
        })
    }
}

impl Voice {
    /// Tells the old master why this one does not start.
    pub fn fail(&self, mut reasons: Vec<String>) {
        reasons.truncate(MOST_REASONS);
        // Whoever has gone does not want to know.
        let _ = say(&self.link, &Said::Failed { reasons });
    }
}
