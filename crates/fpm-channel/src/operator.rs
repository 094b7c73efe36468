//! What the master and its operator process say to each other.
//!
//! Rule: the operator talks to strangers, so the master believes nothing that it says, which is one word anyway, and keeps nothing
//! for it: an answer for which the kernel has no room is not sent. What the master alone knows the operator has to ask for,
//! so that a daemon that nobody looks at has nothing to tell.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fpm_conf::Operator;
use fpm_control::Status;
use fpm_os::memfd;
use fpm_os::seqpacket::{self, MAX_DESCRIPTORS, Patience};
use fpm_os::shared::Region;
use serde::{Deserialize, Serialize};

use crate::end::{Next, exactly, no_descriptors};
use crate::error::ChannelError;
use crate::link::{Flushed, Received, receive, transmit};
use crate::message::RunAs;
use crate::wire::{self, MAX_PAYLOAD};

/// Most scoreboards that an answer has: the payload and the ledger go with them.
pub const MOST_BOARDS: usize = MAX_DESCRIPTORS - 2;

/// From the master to the operator.
#[derive(Debug)]
pub enum ToOperator {
    /// The first message: all that the operator needs to listen.
    Start(Box<Start>),
    /// The answer to [`FromOperator::Ask`].
    Answer(Box<Answer>),
}

/// From the operator to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromOperator {
    /// How is the daemon? What the scoreboard shows need not be told.
    Ask,
}

/// What the operator needs to listen.
#[derive(Debug)]
pub struct Start<F = OwnedFd> {
    /// What is not a descriptor.
    pub parameters: Parameters,
    /// The listening socket.
    pub listener: F,
}

/// The part of [`Start`] that is not a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Its directives.
    pub settings: Operator,
    /// Whom it becomes; `None` leaves it as it is.
    pub run_as: Option<RunAs>,
}

/// How the daemon is.
#[derive(Debug)]
pub struct Answer<F = OwnedFd> {
    /// What the master alone knows; of workers nothing.
    pub status: Status,
    /// Where to read the rest; `None` when that is as in the answer before.
    pub scoreboards: Option<Scoreboards<F>>,
}

/// Where to read what pools and workers do.
#[derive(Debug)]
pub struct Scoreboards<F = OwnedFd> {
    /// The memory files, at most [`MOST_BOARDS`].
    pub boards: Vec<F>,
    /// What is where in them.
    pub areas: Vec<Area>,
    /// The memory file with what is measured.
    pub ledger: F,
    /// Where in it each pool's part is.
    pub parts: Vec<Part>,
}

/// What a pool has in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The pool's name.
    pub pool: String,
    /// Where it is.
    pub region: Region,
}

/// Where a pool of a generation has its slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// The pool's name.
    pub pool: String,
    /// The generation.
    pub generation: u64,
    /// Which of the memory files.
    pub board: u32,
    /// Where in it.
    pub region: Region,
}

/// What is where, as it travels.
type Places = (Vec<Area>, Vec<Part>);

/// What is in a packet of the master, without its descriptors.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    /// Descriptors: the payload, which is [`Parameters`], and the listening socket.
    Start,
    /// Descriptors: the payload, which is a [`Status`] and perhaps what is where; in that case the ledger and the scoreboards.
    Answer,
}

/// The master's end.
#[derive(Debug)]
pub struct MasterEnd {
    socket: OwnedFd,
}

/// The operator's end.
#[derive(Debug)]
pub struct OperatorEnd {
    socket: OwnedFd,
}

impl MasterEnd {
    /// Creates a channel; the second value is the operator's end, to be left to it as descriptor 3.
    ///
    /// # Errors
    /// What socketpair(2) answers.
    pub fn create() -> io::Result<(MasterEnd, OwnedFd)> {
        let (socket, theirs) = seqpacket::pair()?;
        Ok((MasterEnd { socket }, theirs))
    }

    /// Sends the first message.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the operator is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn start<F: AsFd>(&self, start: &Start<F>) -> Result<Flushed, ChannelError> {
        let payload = frozen(&start.parameters)?;
        self.transmit(&Order::Start, &[payload.as_fd(), start.listener.as_fd()])
    }

    /// Answers. [`Flushed::Waiting`] means that the operator does not listen, and was told nothing.
    ///
    /// # Errors
    /// As [`MasterEnd::start`].
    pub fn answer<F: AsFd>(&self, answer: &Answer<F>) -> Result<Flushed, ChannelError> {
        let scoreboards = answer.scoreboards.as_ref();
        let places = scoreboards.map(|those| (&those.areas, &those.parts));
        let payload = frozen(&(&answer.status, places))?;
        let boards = scoreboards
            .into_iter()
            .flat_map(|those| std::iter::once(&those.ledger).chain(&those.boards));
        let descriptors: Vec<_> = std::iter::once(payload.as_fd())
            .chain(boards.map(AsFd::as_fd))
            .collect();
        self.transmit(&Order::Answer, &descriptors)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When the operator sends what is no message.
    pub fn receive(&self) -> Result<Next<FromOperator>, ChannelError> {
        let mut buffer = [0; 64];
        match receive(&self.socket, &mut buffer, Patience::AtOnce)? {
            Received::Packet(packet, descriptors) => {
                no_descriptors(&descriptors)?;
                Ok(Next::Message(wire::decode(packet)?))
            }
            Received::Nothing => Ok(Next::Nothing),
            Received::Closed => Ok(Next::Closed),
        }
    }

    fn transmit(
        &self,
        order: &Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Flushed, ChannelError> {
        let packet = wire::encode(order)?;
        transmit(&self.socket, &packet, descriptors, Patience::AtOnce)
    }
}

impl AsFd for MasterEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl OperatorEnd {
    /// Takes the socket that the master has left.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> OperatorEnd {
        OperatorEnd { socket }
    }

    /// Asks the master how the daemon is.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the master is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn ask(&self) -> Result<Flushed, ChannelError> {
        let packet = wire::encode(&FromOperator::Ask)?;
        transmit(&self.socket, &packet, &[], Patience::AtOnce)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When the master sends what is no message of this version, or lacks descriptors.
    pub fn receive(&self) -> Result<Next<ToOperator>, ChannelError> {
        self.next(Patience::AtOnce)
    }

    /// Waits for the next message; never answers [`Next::Nothing`].
    ///
    /// # Errors
    /// As [`OperatorEnd::receive`].
    pub fn wait(&self) -> Result<Next<ToOperator>, ChannelError> {
        self.next(Patience::Wait)
    }

    fn next(&self, patience: Patience) -> Result<Next<ToOperator>, ChannelError> {
        let mut buffer = [0; 64];
        match receive(&self.socket, &mut buffer, patience)? {
            Received::Packet(packet, descriptors) => {
                on_order(&wire::decode(packet)?, descriptors).map(Next::Message)
            }
            Received::Nothing => Ok(Next::Nothing),
            Received::Closed => Ok(Next::Closed),
        }
    }
}

impl AsFd for OperatorEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Joins an order and its descriptors.
fn on_order(order: &Order, descriptors: Vec<OwnedFd>) -> Result<ToOperator, ChannelError> {
    match order {
        Order::Start => {
            let [payload, listener] = exactly(descriptors)?;
            let payload = memfd::read_frozen(payload, MAX_PAYLOAD)?;
            let parameters = wire::decode_payload(&payload)?;
            Ok(ToOperator::Start(Box::new(Start {
                parameters,
                listener,
            })))
        }
        Order::Answer => {
            let found = descriptors.len();
            let missing = |expected| ChannelError::Descriptors { expected, found };
            let mut descriptors = descriptors.into_iter();
            let payload = descriptors.next().ok_or_else(|| missing(1))?;
            let payload = memfd::read_frozen(payload, MAX_PAYLOAD)?;
            let (status, places) = wire::decode_payload::<(Status, Option<Places>)>(&payload)?;
            let scoreboards = match places {
                Some((areas, parts)) => Some(Scoreboards {
                    ledger: descriptors.next().ok_or_else(|| missing(2))?,
                    boards: descriptors.collect(),
                    areas,
                    parts,
                }),
                None => None,
            };
            Ok(ToOperator::Answer(Box::new(Answer {
                status,
                scoreboards,
            })))
        }
    }
}

/// Puts a value into a memory file that nobody can change.
fn frozen<T: Serialize>(value: &T) -> Result<OwnedFd, ChannelError> {
    let bytes = postcard::to_extend(value, Vec::new())?;
    if bytes.len() > MAX_PAYLOAD {
        return Err(ChannelError::TooLarge {
            len: bytes.len(),
            limit: MAX_PAYLOAD,
        });
    }
    Ok(memfd::freeze("fpmd-operator", &bytes)?)
}

#[cfg(test)]
mod tests;
