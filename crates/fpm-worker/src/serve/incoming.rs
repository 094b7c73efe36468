//! A request that comes in: everything up to its last variable.
//!
//! Rule: a connection is handed over only when nothing of a request has been read from it, and everything of those before.

use std::io::{self, Write};
use std::time::Duration;

use fcgi_proto::server::{Connection as Protocol, Progress};
use fpm_os::clock;
use fpm_scoreboard::Farewell;

use super::Worker;
use super::patience::{Patience, Step};
use crate::client::Client;
use crate::watch::Waited;

/// How long it may take from its first byte to the last of its variables. The original waits for ever.
const VARIABLES: Duration = Duration::from_secs(60);

/// What came of a wait for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incoming {
    /// One, which has begun to arrive then (monotonic).
    Request(Duration),
    /// None that could be answered: the connection is to be closed.
    Nothing,
    /// Nothing, and somebody else has the connection now.
    HandedOver,
}

impl Worker {
    /// Reads until the variables of a request are complete.
    pub(super) fn next_request(
        &mut self,
        client: &Client,
        protocol: &mut Protocol,
        mut patience: Patience,
    ) -> Incoming {
        let mut begun = None;
        loop {
            match protocol.poll() {
                Ok(Progress::Request) => {
                    return Incoming::Request(begun.unwrap_or_else(|| self.begin()));
                }
                Ok(Progress::NeedInput) => {}
                Ok(Progress::Reply(reply)) => match (&*client).write_all(reply.as_bytes()) {
                    Ok(()) => continue,
                    Err(_) => return Incoming::Nothing,
                },
                Err(error) => {
                    if let Some(reply) = error.reply() {
                        let _unsent = (&*client).write_all(reply.as_bytes());
                    }
                    return Incoming::Nothing;
                }
            }
            if protocol.is_between_requests() {
                if begun.take().is_some() {
                    // What came was no request, and it was answered.
                    patience = patience.after_something_else();
                    self.slot.resting(clock::monotonic());
                }
                match self.before_waiting(client, protocol, patience) {
                    Step::HandOver => return Incoming::HandedOver,
                    Step::Wait(now) => patience = now,
                }
            } else if begun.is_none() {
                // It has begun to arrive together with the request before.
                begun = Some(self.begin());
            }
            let deadline = begun.map(|begun| begun + VARIABLES);
            match self.receive(client, protocol.space(), patience, deadline) {
                Ok(Some(count)) => {
                    protocol.filled(count);
                    begun = begun.or_else(|| Some(self.begin()));
                }
                // The worker is to end.
                Ok(None) => {}
                Err(_) => return Incoming::Nothing,
            }
        }
    }

    /// Decides how to go on with a client on whose connection no request is under way; if the connection is to be handed over, that
    /// is done.
    fn before_waiting(&mut self, client: &Client, protocol: &Protocol, patience: Patience) -> Step {
        let course = self.watch.course(&self.slot);
        let farewell = match protocol.is_fully_read() {
            true => self.watch.farewell(&self.slot),
            false => Farewell::Close,
        };
        match patience.before_waiting(course, farewell) {
            Step::HandOver if !self.watch.hand_over(client) => {
                patience.before_waiting(course, Farewell::Close)
            }
            step => step,
        }
    }

    /// Notes that a request has begun to arrive; returns the time.
    fn begin(&mut self) -> Duration {
        let now = clock::monotonic();
        self.slot.reading_headers(now, clock::realtime());
        now
    }

    /// Waits for bytes as long as the client may take for them: until `deadline` (monotonic) for those of a request that has begun.
    /// `None` means that the worker is to end and there are none.
    fn receive(
        &mut self,
        client: &Client,
        space: &mut [u8],
        patience: Patience,
        deadline: Option<Duration>,
    ) -> io::Result<Option<usize>> {
        if patience == Patience::Rest
            && deadline.is_none()
            && self.watch.client(client, None, &self.slot)? == Waited::ToLeave
        {
            return Ok(None);
        }
        loop {
            match client.read(space) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match deadline {
                    None => {
                        // A client that is slow to begin takes the worker from all others.
                        self.slot.resting(clock::monotonic());
                        let limit = patience.limit();
                        if self.watch.client(client, limit, &self.slot)? == Waited::ToLeave {
                            return Ok(None);
                        }
                    }
                    Some(deadline) => client.wait(deadline.saturating_sub(clock::monotonic()))?,
                },
                other => return other.map(Some),
            }
        }
    }
}
