//! The sockets of all generations, each once, on their way into another program and out of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use super::{Listener, Listeners};
use crate::upgrade::state::Socket;

/// The sockets; generations name them by their positions.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    listeners: Vec<Rc<Listener>>,
    /// Where those are that [`Sockets::add`] has taken in.
    positions: HashMap<*const Listener, usize>,
}

impl Sockets {
    /// Takes the sockets of a generation in and returns, for each pool, where its socket is.
    pub(crate) fn add(&mut self, generation: &Listeners) -> Vec<usize> {
        let pools = generation.listeners.iter();
        pools.map(|listener| self.position(listener)).collect()
    }

    fn position(&mut self, listener: &Rc<Listener>) -> usize {
        let next = self.listeners.len();
        let position = *self.positions.entry(Rc::as_ptr(listener)).or_insert(next);
        if position == next {
            self.listeners.push(Rc::clone(listener));
        }
        position
    }

    /// Describes them.
    pub(crate) fn describe(&self) -> Vec<Socket> {
        let described = self.listeners.iter().map(|listener| Socket {
            descriptor: listener.socket.as_raw_fd(),
            address: listener.address.clone(),
            file: listener.file.clone(),
            keeper: listener.keeper.borrow().clone(),
        });
        described.collect()
    }

    /// Returns them as they are to be handed over.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listeners
            .iter()
            .map(|listener| listener.socket.as_fd())
    }

    /// Takes in one that was described.
    pub(crate) fn adopt(&mut self, socket: Socket, descriptor: OwnedFd) {
        self.listeners.push(Rc::new(Listener {
            socket: descriptor,
            address: socket.address,
            file: socket.file,
            keeper: RefCell::new(socket.keeper),
        }));
    }

    /// Returns those at these positions, which must exist.
    pub(crate) fn at(&self, positions: &[usize]) -> Listeners {
        let listeners = positions
            .iter()
            .map(|position| Rc::clone(&self.listeners[*position]));
        Listeners {
            listeners: listeners.collect(),
        }
    }

    /// Returns all.
    pub(crate) fn all(&self) -> Listeners {
        Listeners {
            listeners: self.listeners.clone(),
        }
    }
}
