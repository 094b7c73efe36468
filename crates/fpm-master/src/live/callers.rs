//! The commands at the control socket: connections, their requests, their answers.
//!
//! Rule: a command may say nothing, nonsense, too much or too slowly, and may never listen: it is cut off, and the master has
//! not waited. Only for an answer that the master itself owes it a command is not cut off.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use fpm_control::{Answer, ControlError, Failure, Inbox, LONGEST_ANSWER, LONGEST_REQUEST, Request};
use fpm_control::{encode, greeting};
use fpm_events::{Interest, TimerId};
use fpm_os::clock;
use fpm_os::connection::Connection;
use fpm_os::peer::{self, Peer};

use super::{Live, Token};
use crate::control::{ControlSocket, is_obeyed};
use crate::event::{CallerId, Event};
use crate::program::Program;

/// Commands that are talked to at a time.
const MOST: usize = 16;

/// How long a command may take to say something, or to take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// When to try again to accept after the kernel refused.
const AGAIN: Duration = Duration::from_secs(1);

/// The control socket and those who have come to it.
#[derive(Debug, Default)]
pub(super) struct Callers {
    socket: Option<Rc<ControlSocket>>,
    connected: BTreeMap<CallerId, Caller>,
    last: u64,
}

/// One command.
#[derive(Debug)]
struct Caller {
    connection: Connection,
    peer: Peer,
    inbox: Inbox,
    unsent: VecDeque<u8>,
    /// Whether the master owes it an answer.
    owed: bool,
    /// Runs while it is the command's turn.
    patience: Option<TimerId>,
}

/// What can be read or written of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It is there.
    Open,
    /// It is not, or is not worth keeping.
    Dead,
}

impl<P: Program> Live<P> {
    /// Takes calls at the control socket of the generation that serves, if it has one. Commands that are connected stay.
    pub(super) fn take_calls(&mut self) {
        let serving = self.generations.get(&self.serving);
        let socket = serving.and_then(|setup| setup.control.clone());
        let same = match (&self.callers.socket, &socket) {
            (Some(before), Some(socket)) => Rc::ptr_eq(before, socket),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        if let Some(before) = self.callers.socket.take() {
            self.unwatch(&*before);
        }
        if let Some(socket) = socket {
            self.watch(&*socket, Interest::Readable, Token::Callers);
            self.callers.socket = Some(socket);
        }
    }

    /// Goes on with the commands to which another program owes an answer. They have greeted that.
    pub(super) fn adopt_callers(&mut self, callers: Vec<(CallerId, OwnedFd)>) {
        for (id, socket) in callers {
            let connection = Connection::adopt(socket);
            let Ok(peer) = peer::of(&connection) else {
                continue;
            };
            let mut inbox = Inbox::new(LONGEST_REQUEST);
            inbox.feed(&greeting());
            self.watch(&connection, Interest::Both, Token::Caller(id));
            self.callers.last = self.callers.last.max(id.0);
            let caller = Caller {
                connection,
                peer,
                inbox,
                unsent: VecDeque::new(),
                owed: true,
                patience: None,
            };
            self.callers.connected.insert(id, caller);
        }
    }

    /// Accepts all that wait.
    pub(super) fn on_calls(&mut self) {
        let Some(socket) = self.callers.socket.clone() else {
            return;
        };
        loop {
            match Connection::accept(&*socket) {
                Ok(connection) => self.greet(connection),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!("control socket: accept() failed: {error}");
                    self.events
                        .set_timer(clock::monotonic() + AGAIN, Token::Callers);
                    return;
                }
            }
        }
    }

    /// Says hello to a command, and perhaps no more than that.
    fn greet(&mut self, connection: Connection) {
        let Ok(peer) = peer::of(&connection) else {
            return;
        };
        self.callers.last += 1;
        let id = CallerId(self.callers.last);
        let mut caller = Caller {
            connection,
            peer,
            inbox: Inbox::new(LONGEST_REQUEST),
            unsent: greeting().into_iter().collect(),
            owed: false,
            patience: None,
        };
        let refusal = if !is_obeyed(&peer) {
            let (pid, uid) = (peer.pid, peer.uid);
            tracing::warn!("control socket: process {pid} of user {uid} is not obeyed");
            Some(Failure::NotYours(uid.as_raw()))
        } else if self.callers.connected.len() >= MOST {
            Some(Failure::TooMany)
        } else {
            None
        };
        if let Some(failure) = refusal {
            // As far as the kernel takes it at once.
            caller.say(&Answer::Failed(failure));
            caller.flush();
            return;
        }
        if caller.flush() == Line::Dead {
            return;
        }
        self.watch(&caller.connection, Interest::Both, Token::Caller(id));
        self.callers.connected.insert(id, caller);
        self.be_patient(id);
    }

    /// A command has said something, or takes more of its answer, or it is time to look for its next request.
    pub(super) fn on_caller(&mut self, id: CallerId, happened: &mut VecDeque<Event>) {
        let Some(caller) = self.callers.connected.get_mut(&id) else {
            return;
        };
        if caller.read() == Line::Dead || caller.flush() == Line::Dead {
            self.hang_up(id, happened);
            return;
        }
        if caller.owed || !caller.unsent.is_empty() {
            return;
        }
        match caller.inbox.take::<Request>() {
            Ok(None) => {}
            Ok(Some(request)) => {
                if request.is_order() {
                    let Peer { pid, uid } = caller.peer;
                    tracing::info!("{request}, as process {pid} of user {uid} asks");
                }
                caller.owed = true;
                self.stop_patience(id);
                happened.push_back(Event::Asked(id, request));
            }
            Err(error) => {
                let (pid, uid) = (caller.peer.pid, caller.peer.uid);
                // The greeting has told it the version of this side.
                if !matches!(error, ControlError::OtherVersion { .. }) {
                    tracing::warn!("control socket: process {pid} of user {uid}: {error}");
                }
                self.hang_up(id, happened);
            }
        }
    }

    /// A command has had its time.
    pub(super) fn on_slow_caller(&mut self, id: CallerId, happened: &mut VecDeque<Event>) {
        if let Some(caller) = self.callers.connected.get_mut(&id) {
            caller.patience = None;
            self.hang_up(id, happened);
        }
    }

    /// Answers a command.
    pub(super) fn answer_caller(&mut self, id: CallerId, answer: &Answer) {
        let Some(caller) = self.callers.connected.get_mut(&id) else {
            return;
        };
        caller.owed = false;
        caller.say(answer);
        // At once: the master may be about to end. If it cannot be sent, that is found out below.
        let _ = caller.flush();
        self.be_patient(id);
        // Sends the rest, and looks for a request that has come meanwhile.
        self.events.set_timer(Duration::ZERO, Token::Caller(id));
    }

    /// Begins to wait for a command.
    fn be_patient(&mut self, id: CallerId) {
        self.stop_patience(id);
        if let Some(caller) = self.callers.connected.get_mut(&id) {
            let end = clock::monotonic() + PATIENCE;
            caller.patience = Some(self.events.set_timer(end, Token::SlowCaller(id)));
        }
    }

    fn stop_patience(&mut self, id: CallerId) {
        let caller = self.callers.connected.get_mut(&id);
        if let Some(timer) = caller.and_then(|caller| caller.patience.take()) {
            self.events.cancel_timer(timer);
        }
    }

    fn hang_up(&mut self, id: CallerId, happened: &mut VecDeque<Event>) {
        self.stop_patience(id);
        if let Some(caller) = self.callers.connected.remove(&id) {
            self.unwatch(&caller.connection);
            if caller.owed {
                happened.push_back(Event::CallerGone(id));
            }
        }
    }
}

impl Callers {
    /// Returns the connections of these commands, as far as they are there.
    pub(super) fn descriptors(&self, of: &[CallerId]) -> impl Iterator<Item = BorrowedFd<'_>> {
        let known = of.iter().filter_map(|id| self.connected.get(id));
        known.map(|caller| caller.connection.as_fd())
    }

    /// Describes the connections of these commands for another program.
    pub(super) fn describe(&self, of: &[CallerId]) -> Vec<(CallerId, RawFd)> {
        let known = of.iter().filter_map(|id| {
            let caller = self.connected.get(id)?;
            Some((*id, caller.connection.as_fd().as_raw_fd()))
        });
        known.collect()
    }
}

impl Caller {
    /// Reads what is there.
    fn read(&mut self) -> Line {
        let mut buffer = [0; 4096];
        loop {
            match self.connection.read(&mut buffer) {
                Ok(0) => return Line::Dead,
                Ok(len) => self.inbox.feed(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Line::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Line::Dead,
            }
            if self.inbox.is_overfull() {
                return Line::Dead;
            }
        }
    }

    /// Puts an answer behind what is not sent yet.
    fn say(&mut self, answer: &Answer) {
        let bytes = encode(answer, LONGEST_ANSWER)
            .or_else(|_| encode(&Answer::Failed(Failure::TooLong), LONGEST_ANSWER));
        self.unsent.extend(bytes.unwrap_or_default());
    }

    /// Sends what there is room for.
    fn flush(&mut self) -> Line {
        while !self.unsent.is_empty() {
            let (front, back) = self.unsent.as_slices();
            match self
                .connection
                .write(&[IoSlice::new(front), IoSlice::new(back)])
            {
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Line::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Line::Dead,
            }
        }
        self.unsent.shrink_to(0);
        Line::Open
    }
}
