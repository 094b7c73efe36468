//! A conversation with a master: connect, ask, wait for the answer.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use fpm_control::{Answer, Inbox, LONGEST_ANSWER, LONGEST_REQUEST, Request};
use fpm_control::{encode, greeting};

use super::failure::Failure;
use crate::unix_socket::connect_within;

/// One side of it.
#[derive(Debug)]
pub(super) struct Conversation {
    socket: UnixStream,
    inbox: Inbox,
    limit: Option<Duration>,
}

impl Conversation {
    /// Connects to the control socket at `path`. Neither this nor an answer may take longer than `limit`.
    ///
    /// # Errors
    /// When nobody listens there, or whoever does takes no more connections: it is stopped.
    pub(super) fn begin(path: &Path, limit: Option<Duration>) -> Result<Conversation, Failure> {
        let not_connected = |error| Failure::Connect {
            path: path.to_owned(),
            error,
        };
        let mut socket = match connect_within(path, limit) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Failure::TooLate),
            connected => connected.map_err(not_connected)?,
        };
        socket.set_write_timeout(limit).map_err(not_connected)?;
        // A master that has hung up already has said why.
        let _ = socket.write_all(&greeting());
        Ok(Conversation {
            socket,
            inbox: Inbox::new(LONGEST_ANSWER),
            limit,
        })
    }

    /// Returns how long an answer may take.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Asks for something and waits for the answer.
    ///
    /// # Errors
    /// When there is none, or it makes no sense.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        let sent = self.socket.write_all(&encode(request, LONGEST_REQUEST)?);
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        match self.receive(deadline) {
            // What could not be sent tells more than the silence that follows.
            Err(Failure::HungUp(None)) => Err(Failure::HungUp(sent.err())),
            received => received,
        }
    }

    /// Waits until the other side, which has said all, has hung up: its process has ended then, or is about to.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn wait_for_end(mut self) -> Result<(), Failure> {
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        match self.receive(deadline) {
            Ok(_) => Err(Failure::Unexpected),
            Err(Failure::HungUp(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Answer, Failure> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(answer) = self.inbox.take()? {
                return Ok(answer);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Failure::TooLate);
            }
            self.socket
                .set_read_timeout(left)
                .map_err(|error| Failure::HungUp(Some(error)))?;
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(Failure::HungUp(None)),
                Ok(len) => self.inbox.feed(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(Failure::TooLate);
                }
                Err(error) => return Err(Failure::HungUp(Some(error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use fpm_control::ControlError;

    use super::*;

    /// Lets a master that says these bytes and hangs up, or waits for ever, answer a question.
    fn ask(says: Vec<u8>, hangs_up: bool) -> Result<Answer, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let master = thread::spawn(move || -> io::Result<()> {
            let (mut connection, _) = listener.accept()?;
            connection.write_all(&says)?;
            if !hangs_up {
                connection.read_to_end(&mut Vec::new())?;
            }
            Ok(())
        });
        let limit = Some(Duration::from_millis(if hangs_up { 10_000 } else { 50 }));
        let mut conversation = Conversation::begin(&path, limit).unwrap();
        let answer = conversation.ask(&Request::Reopen);
        drop(conversation);
        master.join().unwrap().unwrap();
        answer
    }

    fn greeted(answer: &[u8]) -> Vec<u8> {
        [&greeting()[..], answer].concat()
    }

    #[test]
    fn answers_and_what_may_come_instead() {
        let yes = Answer::Reloaded { generation: 7 };
        let bytes = encode(&yes, LONGEST_ANSWER).unwrap();
        assert_eq!(ask(greeted(&bytes), true).unwrap(), yes);
        for (says, code) in [
            (greeted(&bytes[..bytes.len() - 1]), 3),
            (b"".to_vec(), 3),
            (b"220 mail ESMTP\r\n".to_vec(), 3),
            (b"fpmd\0\0\0\x07".to_vec(), 3),
        ] {
            let failure = ask(says, true).unwrap_err();
            assert_eq!(failure.exit_code(), code, "{failure}");
        }
        let late = ask(greeted(b""), false).unwrap_err();
        assert!(matches!(late, Failure::TooLate), "{late}");
    }

    #[test]
    fn a_master_that_takes_no_connections_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        // The queue has a length already; it is made as short as it can be.
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let limit = Some(Duration::from_millis(50));
        let mut waiting = Vec::new();
        let late = loop {
            match Conversation::begin(&path, limit) {
                Ok(conversation) => waiting.push(conversation),
                Err(failure) => break failure,
            }
        };
        assert!(matches!(late, Failure::TooLate), "{late}");
        assert!(waiting.len() < 10);
    }

    #[test]
    fn another_version_is_named() {
        let failure = ask(b"fpmd\xfe\0\0\0".to_vec(), true).unwrap_err();
        assert!(failure.to_string().contains("version 254 "), "{failure}");
        assert!(matches!(
            failure,
            Failure::Language(ControlError::OtherVersion { .. })
        ));
    }
}
