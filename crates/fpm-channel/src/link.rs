//! One end of the socket: packets in, packets out, and a queue for those that the kernel has no room for.
//!
//! Rule: sending never waits unless asked to. The two ends would otherwise wait for each other for ever when both
//! buffers are full.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fpm_os::seqpacket::{self, Patience};
use serde::Serialize;

use crate::error::ChannelError;
use crate::wire;

/// Whether packets wait for the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All was handed to the kernel.
    All,
    /// Something waits: call `flush` when the descriptor is writable.
    Waiting,
}

/// What [`receive`] found.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// A packet and its descriptors.
    Packet(&'a [u8], Vec<OwnedFd>),
    /// Nothing at the moment.
    Nothing,
    /// The other end is gone and all it sent has been received.
    Closed,
}

/// One end of the socket.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    unsent: VecDeque<Unsent>,
}

/// A packet that the kernel had no room for.
#[derive(Debug)]
struct Unsent {
    packet: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Link {
    /// Takes one end of a SOCK_SEQPACKET pair.
    pub(crate) fn new(socket: OwnedFd) -> Link {
        Link {
            socket,
            unsent: VecDeque::new(),
        }
    }

    /// Sends a message at once, or queues it with copies of its descriptors.
    pub(crate) fn send<T: Serialize>(
        &mut self,
        message: &T,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ChannelError> {
        let packet = wire::encode(message)?;
        self.flush(Patience::AtOnce)?;
        if self.unsent.is_empty()
            && transmit(&self.socket, &packet, descriptors, Patience::AtOnce)? == Flushed::All
        {
            return Ok(());
        }
        let descriptors = descriptors
            .iter()
            .map(BorrowedFd::try_clone_to_owned)
            .collect::<io::Result<_>>()?;
        self.unsent.push_back(Unsent {
            packet,
            descriptors,
        });
        Ok(())
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self, patience: Patience) -> Result<Flushed, ChannelError> {
        while let Some(first) = self.unsent.front() {
            let descriptors: Vec<_> = first.descriptors.iter().map(AsFd::as_fd).collect();
            match transmit(&self.socket, &first.packet, &descriptors, patience)? {
                Flushed::All => self.unsent.pop_front(),
                Flushed::Waiting => return Ok(Flushed::Waiting),
            };
        }
        Ok(Flushed::All)
    }

    /// Takes the next packet into `buffer`.
    pub(crate) fn receive<'b>(
        &self,
        buffer: &'b mut [u8],
        patience: Patience,
    ) -> Result<Received<'b>, ChannelError> {
        receive(&self.socket, buffer, patience)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Takes the next packet from a socket into `buffer`.
pub(crate) fn receive<'b>(
    socket: &OwnedFd,
    buffer: &'b mut [u8],
    patience: Patience,
) -> Result<Received<'b>, ChannelError> {
    let packet = loop {
        match seqpacket::receive(socket, buffer, patience) {
            Ok(packet) => break packet,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                // The other end has closed with messages of ours unread, which is told once and before what it has sent.
                io::ErrorKind::ConnectionReset => {}
                _ => return Err(error.into()),
            },
        }
    };
    if packet.truncated {
        return Err(ChannelError::Truncated);
    }
    match packet.len {
        0 => Ok(Received::Closed),
        len => Ok(Received::Packet(&buffer[..len], packet.descriptors)),
    }
}

/// Hands one packet to the kernel if it has room.
pub(crate) fn transmit(
    socket: &OwnedFd,
    packet: &[u8],
    descriptors: &[BorrowedFd<'_>],
    patience: Patience,
) -> Result<Flushed, ChannelError> {
    match seqpacket::send(socket, &[IoSlice::new(packet)], descriptors, patience) {
        Ok(()) => Ok(Flushed::All),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Ok(Flushed::Waiting),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Err(ChannelError::Closed),
            _ => Err(error.into()),
        },
    }
}
