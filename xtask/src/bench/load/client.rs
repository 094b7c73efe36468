//! One client: a connection, a request on its way, an answer on its way.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::Question;
use super::answer::{Reader, Wrong};
use super::socket::{Address, Socket};
use crate::bench::case::Connection;

/// A client of the closed loop.
pub(super) struct Client<'a> {
    address: &'a Address,
    question: &'a Question,
    epoll: &'a Epoll,
    number: u64,
    socket: Option<Socket>,
    reader: Reader<'a>,
    /// What epoll watches the socket for; `None` when it does not know it yet.
    watched: Option<EpollFlags>,
    /// How much of the request is sent.
    sent: usize,
    asked: Instant,
}

/// How far an answer is.
pub(super) enum Heard {
    NotAll,
    /// Complete, after this time.
    Answer(Duration),
}

/// Why a request has no answer, or the wrong one.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("the connection breaks: {0}")]
    Broken(io::Error),
    #[error("the connection is closed before the answer is complete")]
    Closed,
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

impl Failure {
    pub(super) fn is_wrong_answer(&self) -> bool {
        matches!(self, Failure::Wrong(_))
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(
        address: &'a Address,
        question: &'a Question,
        epoll: &'a Epoll,
        number: u64,
    ) -> Client<'a> {
        Client {
            address,
            question,
            epoll,
            number,
            socket: None,
            reader: Reader::new(question.protocol, &question.body),
            watched: None,
            sent: 0,
            asked: Instant::now(),
        }
    }

    /// Sends the request, as much of it as the connection takes.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        self.asked = Instant::now();
        self.sent = 0;
        if self.socket.is_some() {
            return self.send_more();
        }
        self.reader.reset();
        self.watched = None;
        self.socket = Some(Socket::connect(self.address).map_err(Failure::Connect)?);
        self.send_more()
    }

    /// Takes what the connection brings.
    pub(super) fn hear(&mut self) -> Result<Heard, Failure> {
        let result = self.receive();
        if result.is_err() {
            self.socket = None;
        }
        result
    }

    fn receive(&mut self) -> Result<Heard, Failure> {
        if self.sent < self.question.bytes.len() {
            self.send_more()?;
        }
        let Some(socket) = &self.socket else {
            return Err(Failure::Closed);
        };
        loop {
            let space = self.reader.space();
            let room = space.len();
            match socket.receive(space).map_err(Failure::Broken)? {
                None => return Ok(Heard::NotAll),
                Some(0) => return Err(Failure::Closed),
                Some(count) if self.reader.filled(count)? => break,
                // A read that did not fill the space took all there was.
                Some(count) if count < room => return Ok(Heard::NotAll),
                Some(_) => {}
            }
        }
        let latency = self.asked.elapsed();
        if self.question.connection == Connection::OneRequest {
            self.socket = None;
        }
        Ok(Heard::Answer(latency))
    }

    /// Sends what is left of the request, and waits for what must happen next.
    fn send_more(&mut self) -> Result<(), Failure> {
        let Some(socket) = &self.socket else {
            return Err(Failure::Closed);
        };
        while let Some(rest) = self.question.bytes.get(self.sent..)
            && !rest.is_empty()
        {
            match socket.send(rest).map_err(Failure::Broken)? {
                Some(count) => self.sent += count,
                None => break,
            }
        }
        let flags = match self.sent < self.question.bytes.len() {
            true => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            false => EpollFlags::EPOLLIN,
        };
        let mut event = EpollEvent::new(flags, self.number);
        let result = match self.watched.replace(flags) {
            None => self.epoll.add(socket, event),
            Some(old) if old != flags => self.epoll.modify(socket, &mut event),
            Some(_) => Ok(()),
        };
        result.map_err(|errno| Failure::Broken(errno.into()))
    }
}
