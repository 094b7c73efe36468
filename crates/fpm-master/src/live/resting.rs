//! Kept connections that no worker has: they are watched until their client speaks, and then passed on to the workers.
//!
//! Rule: a connection is somebody's at any time. The master reads nothing from it, and waits for nobody: what the relay has no room
//! for is tried again.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, PoolIndex};
use fpm_events::Interest;
use fpm_os::clock;
use fpm_os::connection::{Speech, speech};
use fpm_os::relay::{self, Passed, Relay, Taken};

use super::{Live, Token};
use crate::event::Event;
use crate::pool::PoolId;
use crate::program::Program;
use crate::resting::{RestingId, most};
use crate::upgrade::state::RestingEnds;

/// When to try again what a relay had no room for.
const AGAIN: Duration = Duration::from_millis(50);

/// All connections that rest.
#[derive(Debug, Default)]
pub(super) struct Resting {
    all: BTreeMap<RestingId, Rests>,
    last: u64,
}

/// One of them.
#[derive(Debug)]
struct Rests {
    socket: OwnedFd,
    /// Where it goes when its client speaks.
    relay: Rc<Relay>,
}

impl Resting {
    fn add(&mut self, socket: OwnedFd, relay: Rc<Relay>) -> RestingId {
        self.last += 1;
        let id = RestingId(self.last);
        self.all.insert(id, Rests { socket, relay });
        id
    }

    /// Returns who has to make room for another one among those of a relay, which may be so many.
    fn surplus(&self, relay: &Rc<Relay>, most: usize) -> Option<RestingId> {
        let all = self.all.iter();
        let of_relay = all.filter(|(_, rests)| Rc::ptr_eq(&rests.relay, relay));
        let mut ids = of_relay.map(|(id, _)| *id);
        let longest = ids.next()?;
        (ids.count() + 1 >= most).then_some(longest)
    }

    /// Describes them for another program, which is to have the sockets that [`Resting::descriptors`] returns.
    pub(super) fn describe(&self) -> Vec<RestingEnds> {
        let described = self.all.values().map(|rests| RestingEnds {
            descriptor: rests.socket.as_raw_fd(),
            relay: rests.relay.entrance().as_raw_fd(),
        });
        described.collect()
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all.values().map(|rests| rests.socket.as_fd())
    }
}

impl<P: Program> Live<P> {
    /// Takes in what a worker gives away.
    pub(super) fn take_in(
        &mut self,
        worker: WorkerId,
        socket: OwnedFd,
        happened: &mut VecDeque<Event>,
    ) {
        // It may be anything: what is no connection is closed.
        if speech(&socket) == Speech::Gone {
            return;
        }
        let Some(pool) = self.workers.get(&worker).map(|pipes| pipes.pool) else {
            return;
        };
        let Some(setup) = self.generations.get(&pool.generation) else {
            return;
        };
        let index = pool.index.0 as usize;
        let Some((relay, board)) = setup.relays.get(index).zip(setup.board(pool.index)) else {
            return;
        };
        let (relay, most) = (Rc::clone(relay), most(board.slots()));
        if let Some(longest) = self.resting.surplus(&relay, most) {
            self.close_resting(longest);
        }
        if let Some(id) = self.let_rest(socket, relay) {
            happened.push_back(Event::Rests(worker, id));
        }
    }

    /// Watches a connection until its client speaks.
    pub(super) fn let_rest(&mut self, socket: OwnedFd, relay: Rc<Relay>) -> Option<RestingId> {
        let id = self.resting.add(socket, relay);
        let socket = &self.resting.all.get(&id)?.socket;
        let added = self
            .events
            .add(socket, Interest::Readable, Token::Resting(id));
        if let Err(error) = added {
            tracing::error!("{error}");
            self.resting.all.remove(&id);
            return None;
        }
        Some(id)
    }

    /// Something has happened on a connection that rests.
    pub(super) fn on_resting(&mut self, id: RestingId, happened: &mut VecDeque<Event>) {
        let Some(rests) = self.resting.all.get(&id) else {
            return;
        };
        match speech(&rests.socket) {
            Speech::Silent => return,
            Speech::Gone => {}
            Speech::Speaks => match self.served_at(&rests.relay) {
                None => {}
                Some(pool) => match rests.relay.pass(&rests.socket) {
                    Ok(Passed::Yes) => {
                        if self.is_ondemand(pool) {
                            happened.push_back(Event::Connection(pool));
                        }
                    }
                    Ok(Passed::NotNow) => {
                        let again = clock::monotonic() + AGAIN;
                        self.events.set_timer(again, Token::Resting(id));
                        return;
                    }
                    Err(error) => tracing::debug!("a kept connection is lost: {error}"),
                },
            },
        }
        self.close_resting(id);
    }

    /// Returns the pool that is served now through this relay.
    pub(super) fn served_at(&self, relay: &Rc<Relay>) -> Option<PoolId> {
        let setup = self.generations.get(&self.serving)?;
        let mut relays = (0..).map(PoolIndex).zip(&setup.relays);
        let (index, _) = relays.find(|(_, known)| Rc::ptr_eq(known, relay))?;
        Some(PoolId {
            generation: self.serving,
            index,
        })
    }

    /// Returns how many clients have spoken and wait for a worker of a pool.
    pub(super) fn waiting_in_relay(&self, pool: PoolId) -> u32 {
        let setup = self.generations.get(&pool.generation);
        let relay = setup.and_then(|setup| setup.relays.get(pool.index.0 as usize));
        relay.map_or(0, |relay| relay::waiting(relay.exit()).unwrap_or(0))
    }

    fn is_ondemand(&self, pool: PoolId) -> bool {
        let setup = self.generations.get(&pool.generation);
        let pool = setup.and_then(|setup| setup.pool(pool.index));
        pool.is_some_and(|pool| pool.pm == Pm::Ondemand)
    }

    /// Closes the master's descriptor of a connection, which nobody else may have.
    pub(super) fn close_resting(&mut self, id: RestingId) {
        if let Some(rests) = self.resting.all.remove(&id) {
            self.unwatch(&rests.socket);
        }
    }

    /// Closes all connections that have no worker.
    pub(super) fn close_all_resting(&mut self) {
        let all: Vec<_> = self.resting.all.keys().copied().collect();
        for id in all {
            self.close_resting(id);
        }
        let relays = self.generations.values().flat_map(|setup| &setup.relays);
        for relay in relays {
            while let Ok(Taken::Socket(_)) = relay::take(relay.exit()) {}
        }
    }
}
