//! Where a worker's clients come from: the queue of the listening socket, and the relay, with connections that other workers had.
//!
//! Rule: of the workers that sleep the kernel wakes one for each client, whatever it comes through, but one that is woken may find
//! clients at both. So whoever is woken and finds nothing where it was to look looks at the other, too, before it sleeps again:
//! somebody else may have taken that one and left this.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use fpm_os::connection::Connection as Socket;
use fpm_os::epoll::{Ready, WaitSet, Wake};
use fpm_os::relay::{self, Taken};

use super::{LISTENER, RELAY};
use crate::client::{Arrival, Client};

/// The sockets.
#[derive(Debug)]
pub(crate) struct Sources {
    listener: Arc<OwnedFd>,
    /// Nothing when there is no master any more to put something in.
    relay: Option<Arc<OwnedFd>>,
}

impl Sources {
    pub(crate) fn new(listener: Arc<OwnedFd>, relay: Arc<OwnedFd>) -> Sources {
        Sources {
            listener,
            relay: Some(relay),
        }
    }

    /// Returns the listening socket.
    pub(super) fn listener(&self) -> &OwnedFd {
        &self.listener
    }

    /// Has both watched.
    ///
    /// # Errors
    /// What epoll_ctl(2) answers.
    pub(super) fn watch(&self, events: &WaitSet) -> io::Result<()> {
        self.watch_listener(events)?;
        match &self.relay {
            Some(relay) => events.add(relay, RELAY, Wake::One),
            None => Ok(()),
        }
    }

    /// Has the listening socket watched again.
    ///
    /// # Errors
    /// What epoll_ctl(2) answers.
    pub(super) fn watch_listener(&self, events: &WaitSet) -> io::Result<()> {
        events.add(&self.listener, LISTENER, Wake::One)
    }

    /// Has the listening socket not watched any more. On its way to one that sleeps the kernel comes past every worker that watches,
    /// with each client.
    ///
    /// # Errors
    /// What epoll_ctl(2) answers.
    pub(super) fn ignore_listener(&self, events: &WaitSet) -> io::Result<()> {
        events.remove(&self.listener)
    }

    /// Tells whether a worker is woken for a client.
    pub(super) fn is_for_a_client(ready: &Ready) -> bool {
        ready.contains(LISTENER) || ready.contains(RELAY)
    }

    /// Takes a client from the queue of the listening socket.
    ///
    /// # Errors
    /// What accept(2) answers.
    pub(super) fn accept(&self, arrival: Arrival) -> io::Result<Client> {
        Ok(Client::new(Socket::accept(&self.listener)?, arrival))
    }

    /// Takes a client for whom the worker was woken. One that had a worker already goes first.
    ///
    /// # Errors
    /// What accept(2) answers; EAGAIN when there is nobody.
    pub(super) fn take(
        &mut self,
        events: &WaitSet,
        ready: &Ready,
        arrival: Arrival,
    ) -> io::Result<Client> {
        let relayed = match ready.contains(RELAY) {
            true => self.take_relayed(events),
            false => None,
        };
        match relayed.map_or_else(|| self.accept(arrival), Ok) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !ready.contains(RELAY) => {
                self.take_relayed(events).ok_or(error)
            }
            taken => taken,
        }
    }

    /// Takes a client out of the relay, if one is there that has not gone.
    fn take_relayed(&mut self, events: &WaitSet) -> Option<Client> {
        let relay = self.relay.as_ref()?;
        match relay::take(relay) {
            Ok(Taken::Socket(socket)) => {
                let socket = Socket::taken_over(socket).ok()?;
                Some(Client::new(socket, Arrival::TakenOver))
            }
            // A client for which this process has no descriptor left sees its connection closed.
            Ok(Taken::Nothing) | Err(_) => None,
            Ok(Taken::Closed) => {
                // It would be told for ever.
                let _watched = events.remove(relay);
                self.relay = None;
                None
            }
        }
    }
}
