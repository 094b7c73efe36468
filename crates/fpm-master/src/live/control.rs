//! The control sockets of the workers: what they are told and what they tell.
//!
//! Rule: a worker may say anything and as much as it likes, and may never listen. What it says is taken in portions, what it
//! does not take is kept and tried again.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use fpm_channel::worker::{Heard, ToWorker};
use fpm_channel::{ChannelError, Flushed, Next, WorkerId};
use fpm_os::clock;

use super::pipes::Pipes;
use super::{Live, Token, access_log};
use crate::event::Event;
use crate::program::Program;

/// Messages taken from one worker before the others have their turn.
const PORTION: usize = 16;

/// Messages taken from a worker that has ended. A socket holds no more, but a process that the worker has left behind may go
/// on sending.
const LAST: usize = 1024;

/// When to try again what the kernel would not take, if it does not say so itself.
const AGAIN: Duration = Duration::from_secs(1);

/// How much was taken of what a worker has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it.
    All,
    /// A portion.
    Some,
}

impl<P: Program> Live<P> {
    /// Tells a worker something, now or when it can be told.
    pub(super) fn tell_worker(&mut self, worker: WorkerId, message: ToWorker<Arc<File>>) {
        if let Some(pipes) = self.workers.get_mut(&worker) {
            let sent = pipes.control.send(message);
            self.after_sending(worker, sent);
        }
    }

    /// Gives every worker the access log of its pool. A worker that is busy takes it when its request is over.
    pub(super) fn hand_out_access_logs(&mut self) {
        let file_of = |pipes: &Pipes| access_log(&self.generations, pipes.pool).cloned();
        let workers = self.workers.iter();
        let orders: Vec<_> = workers
            .filter_map(|(worker, pipes)| Some((*worker, file_of(pipes)?)))
            .collect();
        for (worker, file) in orders {
            self.tell_worker(worker, ToWorker::AccessLog(file));
        }
    }

    /// Sends what a worker could not be told before.
    pub(super) fn flush_control(&mut self, worker: WorkerId) {
        if let Some(pipes) = self.workers.get_mut(&worker) {
            let sent = pipes.control.flush();
            self.after_sending(worker, sent);
        }
    }

    /// Takes a portion of what a worker has said; for the rest an event comes at once.
    pub(super) fn on_control(&mut self, worker: WorkerId, happened: &mut VecDeque<Event>) {
        if self.hear(worker, PORTION, happened) == Extent::Some {
            self.events
                .set_timer(Duration::ZERO, Token::Control(worker));
        }
    }

    /// A worker has ended: takes what it said before.
    pub(super) fn on_last_words(&mut self, worker: WorkerId, happened: &mut VecDeque<Event>) {
        self.hear(worker, LAST, happened);
    }

    /// Takes so many messages of a worker.
    fn hear(&mut self, worker: WorkerId, portion: usize, happened: &mut VecDeque<Event>) -> Extent {
        for _ in 0..portion {
            let Some(pipes) = self.workers.get_mut(&worker) else {
                return Extent::All;
            };
            match pipes.control.receive() {
                Ok(Next::Message(Heard::Said(said))) => {
                    happened.push_back(Event::WorkerSaid(worker, said));
                    continue;
                }
                Ok(Next::Message(Heard::Connection(socket))) => {
                    self.take_in(worker, socket, happened);
                    continue;
                }
                Ok(Next::Nothing) => {}
                // Its end is told in another way.
                Ok(Next::Closed) => drop(self.events.remove(&pipes.control)),
                Err(error) => {
                    tracing::warn!("worker {}: {error}", worker.0);
                    drop(self.events.remove(&pipes.control));
                }
            }
            return Extent::All;
        }
        Extent::Some
    }

    fn after_sending(&mut self, worker: WorkerId, sent: Result<Flushed, ChannelError>) {
        match sent {
            Ok(Flushed::All) => {}
            Ok(Flushed::Waiting) => {
                self.events
                    .set_timer(clock::monotonic() + AGAIN, Token::Control(worker));
            }
            // Gone or never born: its end is told in another way.
            Err(ChannelError::Closed) => {}
            Err(error) => tracing::warn!("worker {}: {error}", worker.0),
        }
    }
}
