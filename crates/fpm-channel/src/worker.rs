//! What master and worker say to each other, over the worker's control socket.
//!
//! Rule: a worker runs foreign code, and may be stopped for ever. The master never waits for one, keeps no more for it than
//! one message of each kind, and believes nothing that it says. A worker for which the socket ends has lost its master.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use fpm_os::seqpacket::{self, Patience};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::end::Next;
use crate::error::ChannelError;
use crate::link::{Flushed, Received, receive, transmit};
use crate::underway::Underway;
use crate::wire::{self, MAX_PACKET};

/// From the master to a worker. The sender shares its files, the receiver owns its descriptors.
#[derive(Debug)]
pub enum ToWorker<F = OwnedFd> {
    /// Look at your slot, and whether your zygote lives: you may be meant to leave, or to wait for clients.
    Look,
    /// Write your access log to this from now on.
    AccessLog(F),
}

/// From a worker to the master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// So many lines of the access log could not be written, and it is told now because one could be, or because the worker
    /// ends.
    AccessLinesLost(u64),
    /// It has answered its last request (`pm.max_requests`), takes no client any more and is about to end.
    Spent,
    /// The request that it serves has been running for longer than `request_slowlog_timeout`.
    Slow(Underway),
    /// The request that it serves has been running for longer than `request_soft_timeout`. Which calls it is in is not told.
    Overran(Underway),
    /// What it is doing, because it was asked (`PoolBoard::ask_for_stack`); nothing when it serves nobody.
    Stack(Option<Underway>),
}

/// What the master hears from a worker.
#[derive(Debug)]
pub enum Heard {
    /// Words.
    Said(FromWorker),
    /// A kept connection on which no request is under way, for whoever serves when the worker does not any more. It may be anything
    /// else, too.
    Connection(OwnedFd),
}

/// A packet of a worker.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Report<W = FromWorker> {
    /// No descriptors.
    Said(W),
    /// Descriptors: the connection.
    Connection,
}

/// What can wait to be sent to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// [`ToWorker::Look`].
    Look,
    /// [`ToWorker::AccessLog`].
    AccessLog,
}

/// `ToWorker` without its descriptors, which travel beside it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    /// No descriptors.
    Look,
    /// Descriptors: the log.
    AccessLog,
}

/// The master's end of a worker's control socket.
#[derive(Debug)]
pub struct MasterEnd {
    socket: OwnedFd,
    unsent: Unsent,
}

/// What the kernel had no room for. A later message of a kind takes the place of an earlier one.
#[derive(Debug, Default)]
struct Unsent {
    look: bool,
    access_log: Option<Arc<File>>,
}

/// The worker's end of its control socket.
#[derive(Debug)]
pub struct WorkerEnd {
    socket: OwnedFd,
    buffer: Box<[u8]>,
}

/// The way of another thread of the worker to the master.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
}

impl MasterEnd {
    /// Creates a control socket; the second value is for the worker.
    ///
    /// # Errors
    /// What socketpair(2) answers.
    pub fn create() -> io::Result<(MasterEnd, OwnedFd)> {
        let (socket, theirs) = seqpacket::pair()?;
        Ok((MasterEnd::adopt(socket), theirs))
    }

    /// Takes over the socket of an end that was given up: its master goes on as another program.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> MasterEnd {
        let unsent = Unsent::default();
        MasterEnd { socket, unsent }
    }

    /// Returns the kinds of messages that wait to be sent.
    #[must_use]
    pub fn unsent(&self) -> Vec<Kind> {
        let look = self.unsent.look.then_some(Kind::Look);
        let access_log = self.unsent.access_log.as_ref().map(|_| Kind::AccessLog);
        look.into_iter().chain(access_log).collect()
    }

    /// Sends a message, or keeps it for [`MasterEnd::flush`] when the kernel has no room.
    ///
    /// # Errors
    /// As [`MasterEnd::flush`].
    pub fn send(&mut self, message: ToWorker<Arc<File>>) -> Result<Flushed, ChannelError> {
        match message {
            ToWorker::Look => self.unsent.look = true,
            ToWorker::AccessLog(file) => self.unsent.access_log = Some(file),
        }
        self.flush()
    }

    /// Sends what waits. The rest can be sent when the descriptor becomes writable, or a moment later: the kernel may also be
    /// unwilling to have so many descriptors under way.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when nobody has the other end, [`ChannelError::Io`] when the kernel refuses.
    pub fn flush(&mut self) -> Result<Flushed, ChannelError> {
        if let Some(file) = &self.unsent.access_log {
            if self.transmit(&Order::AccessLog, &[file.as_fd()])? == Flushed::Waiting {
                return Ok(Flushed::Waiting);
            }
            self.unsent.access_log = None;
        }
        if self.unsent.look {
            if self.transmit(&Order::Look, &[])? == Flushed::Waiting {
                return Ok(Flushed::Waiting);
            }
            self.unsent.look = false;
        }
        Ok(Flushed::All)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When the worker sends what is no message.
    pub fn receive(&mut self) -> Result<Next<Heard>, ChannelError> {
        let mut buffer = [0; MAX_PACKET];
        let (packet, mut descriptors) = match receive(&self.socket, &mut buffer, Patience::AtOnce)?
        {
            Received::Packet(packet, descriptors) => (packet, descriptors),
            Received::Nothing => return Ok(Next::Nothing),
            Received::Closed => return Ok(Next::Closed),
        };
        // Descriptors that nobody has asked for are closed, whatever they are.
        let heard = match (wire::decode::<Report>(packet)?, descriptors.pop()) {
            (Report::Said(said), _) => Heard::Said(said),
            (Report::Connection, Some(connection)) => Heard::Connection(connection),
            (Report::Connection, None) => {
                return Err(ChannelError::Descriptors {
                    expected: 1,
                    found: 0,
                });
            }
        };
        Ok(Next::Message(heard))
    }

    fn transmit(
        &self,
        order: &Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Flushed, ChannelError> {
        let packet = wire::encode(order)?;
        match transmit(&self.socket, &packet, descriptors, Patience::AtOnce) {
            // Too many descriptors are in flight (unix(7)); it passes as others receive theirs.
            Err(ChannelError::Io(error))
                if error.raw_os_error() == Some(Errno::ETOOMANYREFS as i32) =>
            {
                Ok(Flushed::Waiting)
            }
            sent => sent,
        }
    }
}

impl AsFd for MasterEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl WorkerEnd {
    /// Takes over what [`MasterEnd::create`] has made for the worker.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> WorkerEnd {
        WorkerEnd {
            socket,
            // An order is a few bytes.
            buffer: vec![0; 64].into(),
        }
    }

    /// Sends a message if the kernel has room at once; [`Flushed::Waiting`] means that it was not sent.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the master is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn send(&self, message: &FromWorker) -> Result<Flushed, ChannelError> {
        let packet = packet(message)?;
        transmit(&self.socket, &packet, &[], Patience::AtOnce)
    }

    /// Gives the master a connection if the kernel has room at once; the caller's descriptor may be closed then.
    /// [`Flushed::Waiting`] means that the master has not got it.
    ///
    /// # Errors
    /// As [`WorkerEnd::send`].
    pub fn hand_over(&self, connection: impl AsFd) -> Result<Flushed, ChannelError> {
        let packet = wire::encode(&Report::<FromWorker>::Connection)?;
        let rights = [connection.as_fd()];
        transmit(&self.socket, &packet, &rights, Patience::AtOnce)
    }

    /// Returns what another thread of the worker sends with.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn sender(&self) -> io::Result<Sender> {
        let socket = self.socket.try_clone()?;
        Ok(Sender { socket })
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When a message was lost on the way, for lack of descriptors for example.
    pub fn receive(&mut self) -> Result<Next<ToWorker>, ChannelError> {
        let (packet, mut descriptors) =
            match receive(&self.socket, &mut self.buffer, Patience::AtOnce)? {
                Received::Packet(packet, descriptors) => (packet, descriptors),
                Received::Nothing => return Ok(Next::Nothing),
                Received::Closed => return Ok(Next::Closed),
            };
        let message = match (wire::decode(packet)?, descriptors.pop()) {
            (Order::Look, None) => ToWorker::Look,
            (Order::AccessLog, Some(file)) => ToWorker::AccessLog(file),
            (order, file) => {
                return Err(ChannelError::Descriptors {
                    expected: usize::from(order == Order::AccessLog),
                    found: usize::from(file.is_some()),
                });
            }
        };
        Ok(Next::Message(message))
    }
}

impl Sender {
    /// Sends a message, and waits for as long as the kernel has no room for it.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the master is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn send(&self, message: &FromWorker) -> Result<(), ChannelError> {
        transmit(&self.socket, &packet(message)?, &[], Patience::Wait)?;
        Ok(())
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for WorkerEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Encodes what a worker says.
fn packet(said: &FromWorker) -> Result<Vec<u8>, ChannelError> {
    wire::encode(&Report::Said(said))
}

#[cfg(test)]
mod tests;
