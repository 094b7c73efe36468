//! The two ends of a channel, each with the messages that it sends and receives.
//!
//! Rule: both work in an event loop that reports edges, so receive until [`Next::Nothing`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fpm_conf::PoolIndex;
use fpm_os::memfd;
use fpm_os::seqpacket::{self, MAX_DESCRIPTORS, Patience};

use crate::error::ChannelError;
use crate::link::{Flushed, Link, Received};
use crate::message::{FromZygote, Output, Parameters, SlotIndex, Spawn, Start, ToZygote, WorkerId};
use crate::wire::{self, MAX_PACKET, MAX_PAYLOAD, Order, RELEASE};

/// What there is to receive.
#[derive(Debug)]
pub enum Next<T> {
    /// A message.
    Message(T),
    /// Nothing at the moment.
    Nothing,
    /// The other end is gone, and all that it has sent was received.
    Closed,
}

/// The master's end.
#[derive(Debug)]
pub struct MasterEnd {
    link: Link,
    buffer: Box<[u8]>,
}

/// The zygote's end.
#[derive(Debug)]
pub struct ZygoteEnd {
    link: Link,
    buffer: Box<[u8]>,
    started: Option<Unfinished>,
}

/// A `Start` of which not all descriptors are there yet.
#[derive(Debug)]
struct Unfinished {
    /// Lists the listening sockets that have come, and the relays behind them.
    start: Box<Start>,
    listeners: usize,
}

impl MasterEnd {
    /// Creates a channel; the second value is the zygote's end, to be left to it as descriptor 3.
    ///
    /// # Errors
    /// When no socket can be made.
    pub fn create() -> Result<(MasterEnd, OwnedFd), ChannelError> {
        let (ours, theirs) = seqpacket::pair()?;
        Ok((MasterEnd::adopt(ours), theirs))
    }

    /// Takes over the socket of an end that was given up: its master goes on as another program.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> MasterEnd {
        MasterEnd {
            link: Link::new(socket),
            buffer: vec![0; MAX_PACKET].into(),
        }
    }

    /// Sends a message, or queues it when the kernel has no room (see [`MasterEnd::flush`]). The descriptors in
    /// it are only borrowed.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the zygote is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn send<F: AsFd>(&mut self, message: &ToZygote<F>) -> Result<(), ChannelError> {
        match message {
            ToZygote::Start(start) => self.send_start(start),
            ToZygote::Spawn(spawn) => self.send_spawn(spawn),
            ToZygote::Kill { worker, signal } => self.link.send(
                &Order::Kill {
                    worker: *worker,
                    signal: *signal,
                },
                &[],
            ),
            ToZygote::Quit => self.link.send(&Order::Quit, &[]),
        }
    }

    /// Sends what `send` had to queue; to be called when the descriptor becomes writable.
    ///
    /// # Errors
    /// As [`MasterEnd::send`].
    pub fn flush(&mut self) -> Result<Flushed, ChannelError> {
        self.link.flush(Patience::AtOnce)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// When the zygote sends what is no message of this version.
    pub fn receive(&mut self) -> Result<Next<FromZygote>, ChannelError> {
        match self.link.receive(&mut self.buffer, Patience::AtOnce)? {
            Received::Packet(packet, descriptors) => {
                no_descriptors(&descriptors)?;
                Ok(Next::Message(wire::decode(packet)?))
            }
            Received::Nothing => Ok(Next::Nothing),
            Received::Closed => Ok(Next::Closed),
        }
    }

    /// Sends a `Start`: its parameters in a frozen memory file, then the sockets as many as the kernel takes at
    /// once.
    fn send_start<F: AsFd>(&mut self, start: &Start<F>) -> Result<(), ChannelError> {
        let parameters = postcard::to_extend(&start.parameters, Vec::new())?;
        if parameters.len() > MAX_PAYLOAD {
            return Err(ChannelError::TooLarge {
                len: parameters.len(),
                limit: MAX_PAYLOAD,
            });
        }
        let payload = memfd::freeze("fpmd-start", &parameters)?;
        let count = |descriptors: &[F]| {
            u32::try_from(descriptors.len()).expect("a process has far fewer than 2^32 descriptors")
        };
        let order = Order::Start {
            release: RELEASE.to_owned(),
            listeners: count(&start.listeners),
        };
        let files = [
            payload.as_fd(),
            start.scoreboard.as_fd(),
            start.ledger.as_fd(),
        ];
        self.link.send(&order, &files)?;
        let sockets = start.listeners.iter().chain(&start.relays);
        let descriptors: Vec<_> = sockets.map(AsFd::as_fd).collect();
        for batch in descriptors.chunks(MAX_DESCRIPTORS) {
            self.link.send(&Order::Descriptors, batch)?;
        }
        Ok(())
    }

    /// Sends a `Spawn` with its descriptors.
    fn send_spawn<F: AsFd>(&mut self, spawn: &Spawn<F>) -> Result<(), ChannelError> {
        let order = Order::Spawn {
            worker: spawn.worker,
            pool: spawn.pool,
            slot: spawn.slot,
        };
        let mut descriptors = vec![spawn.control.as_fd()];
        descriptors.extend(spawn.access_log.as_ref().map(AsFd::as_fd));
        if let Some(output) = &spawn.output {
            descriptors.extend([output.stdout.as_fd(), output.stderr.as_fd()]);
        }
        self.link.send(&order, &descriptors)
    }
}

impl AsFd for MasterEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

impl ZygoteEnd {
    /// Takes the socket that the master has left.
    #[must_use]
    pub fn adopt(socket: OwnedFd) -> ZygoteEnd {
        ZygoteEnd {
            link: Link::new(socket),
            buffer: vec![0; MAX_PACKET].into(),
            started: None,
        }
    }

    /// Sends a message, or queues it when the kernel has no room (see [`ZygoteEnd::flush`]).
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the master is gone, [`ChannelError::Io`] when the kernel refuses.
    pub fn send(&mut self, message: &FromZygote) -> Result<(), ChannelError> {
        self.link.send(message, &[])
    }

    /// Sends what `send` had to queue; to be called when the descriptor becomes writable.
    ///
    /// # Errors
    /// As [`ZygoteEnd::send`].
    pub fn flush(&mut self) -> Result<Flushed, ChannelError> {
        self.link.flush(Patience::AtOnce)
    }

    /// Sends all that is queued, however long that takes: for the last words of a zygote.
    ///
    /// # Errors
    /// As [`ZygoteEnd::send`].
    pub fn flush_wait(&mut self) -> Result<(), ChannelError> {
        self.link.flush(Patience::Wait).map(drop)
    }

    /// Takes the next message if there is one that has arrived completely.
    ///
    /// # Errors
    /// When the master sends what is no message of this version, or lacks descriptors.
    pub fn receive(&mut self) -> Result<Next<ToZygote>, ChannelError> {
        self.next(Patience::AtOnce)
    }

    /// Waits for the next message; never answers [`Next::Nothing`].
    ///
    /// # Errors
    /// As [`ZygoteEnd::receive`].
    pub fn wait(&mut self) -> Result<Next<ToZygote>, ChannelError> {
        self.next(Patience::Wait)
    }

    /// Takes packets until they make a message.
    fn next(&mut self, patience: Patience) -> Result<Next<ToZygote>, ChannelError> {
        loop {
            let (order, descriptors) = match self.link.receive(&mut self.buffer, patience)? {
                Received::Packet(packet, descriptors) => (wire::decode(packet)?, descriptors),
                Received::Nothing => return Ok(Next::Nothing),
                Received::Closed => return Ok(Next::Closed),
            };
            if let Some(message) = self.on_order(order, descriptors)? {
                return Ok(Next::Message(message));
            }
        }
    }

    /// Joins an order and its descriptors; `None` while a `Start` is incomplete.
    fn on_order(
        &mut self,
        order: Order,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Option<ToZygote>, ChannelError> {
        match (self.started.take(), order) {
            (None, Order::Start { release, listeners }) => {
                let start = received_start(release, descriptors)?;
                Ok(self.completed(Unfinished {
                    start,
                    listeners: usize::try_from(listeners).unwrap_or(usize::MAX),
                }))
            }
            (Some(mut unfinished), Order::Descriptors) => {
                unfinished.start.listeners.extend(descriptors);
                let found = unfinished.start.listeners.len();
                let expected = unfinished.listeners.saturating_mul(2);
                if found > expected {
                    return Err(ChannelError::Descriptors { expected, found });
                }
                Ok(self.completed(unfinished))
            }
            (Some(_), _) | (None, Order::Descriptors) => Err(ChannelError::OutOfOrder),
            (None, Order::Spawn { worker, pool, slot }) => {
                received_spawn((worker, pool, slot), descriptors)
                    .map(|spawn| Some(ToZygote::Spawn(spawn)))
            }
            (None, Order::Kill { worker, signal }) => {
                no_descriptors(&descriptors)?;
                Ok(Some(ToZygote::Kill { worker, signal }))
            }
            (None, Order::Quit) => {
                no_descriptors(&descriptors)?;
                Ok(Some(ToZygote::Quit))
            }
        }
    }

    /// Gives a `Start` out when its last descriptor is there, else keeps it.
    fn completed(&mut self, mut unfinished: Unfinished) -> Option<ToZygote> {
        let sockets = &mut unfinished.start.listeners;
        if sockets.len() == unfinished.listeners.saturating_mul(2) {
            unfinished.start.relays = sockets.split_off(unfinished.listeners);
            return Some(ToZygote::Start(unfinished.start));
        }
        self.started = Some(unfinished);
        None
    }
}

impl AsFd for ZygoteEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

/// Reads the beginning of a `Start`.
fn received_start(release: String, descriptors: Vec<OwnedFd>) -> Result<Box<Start>, ChannelError> {
    if release != RELEASE {
        return Err(ChannelError::OtherRelease {
            theirs: release,
            ours: RELEASE,
        });
    }
    let [payload, scoreboard, ledger] = exactly(descriptors)?;
    let payload = memfd::read_frozen(payload, MAX_PAYLOAD)?;
    let parameters: Parameters = wire::decode_payload(&payload)?;
    Ok(Box::new(Start {
        parameters,
        scoreboard,
        ledger,
        listeners: Vec::new(),
        relays: Vec::new(),
    }))
}

/// Puts a `Spawn` together. Their number says which descriptors there are: always the control socket, then perhaps the access
/// log, then perhaps the two outputs.
fn received_spawn(
    (worker, pool, slot): (WorkerId, PoolIndex, SlotIndex),
    mut descriptors: Vec<OwnedFd>,
) -> Result<Spawn, ChannelError> {
    let found = descriptors.len();
    if found > 4 {
        return Err(ChannelError::Descriptors { expected: 4, found });
    }
    let output = if found > 2 {
        let [stdout, stderr] = exactly(descriptors.split_off(descriptors.len() - 2))?;
        Some(Output { stdout, stderr })
    } else {
        None
    };
    let access_log = match descriptors.len() {
        2 => descriptors.pop(),
        _ => None,
    };
    let [control] = exactly(descriptors)?;
    Ok(Spawn {
        worker,
        pool,
        slot,
        control,
        access_log,
        output,
    })
}

/// Takes descriptors of which there must be exactly `N`.
pub(crate) fn exactly<const N: usize>(
    descriptors: Vec<OwnedFd>,
) -> Result<[OwnedFd; N], ChannelError> {
    <[OwnedFd; N]>::try_from(descriptors).map_err(|all| ChannelError::Descriptors {
        expected: N,
        found: all.len(),
    })
}

/// Refuses descriptors with a message that has none.
pub(crate) fn no_descriptors(descriptors: &[OwnedFd]) -> Result<(), ChannelError> {
    match descriptors.len() {
        0 => Ok(()),
        found => Err(ChannelError::Descriptors { expected: 0, found }),
    }
}

#[cfg(test)]
mod tests;
