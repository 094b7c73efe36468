//! The client's end of a request: a socket with the waits that a worker allows itself.
//!
//! Reading is bounded in time wherever the original would wait for ever. Writing is not: how long a client may take for its
//! answer is `request_terminate_timeout`'s to say.

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use fcgi_proto::server::Connection as Protocol;
use fpm_os::clock;
use fpm_os::connection::Connection as Socket;
use fpm_os::poll::{self, Interest, Waited};

/// How long a client that has been answered but still sends is listened to.
const LINGER: Duration = Duration::from_secs(2);

/// How many bytes of what such a client sends are read.
const LINGER_BYTES: usize = 1 << 20;

/// How long a request has waited in the queue before a worker took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: the worker was waiting for it.
    None,
    /// So long, says the kernel.
    Measured(Duration),
    /// It was in the queue; since when, the kernel does not say.
    Unknown,
}

/// How a worker came by a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was in the queue when the worker looked.
    Queued,
    /// The worker was waiting for it.
    Met,
    /// Another worker had it before. It has spoken, and nobody knows how long ago unless the kernel says so.
    TakenOver,
}

/// How much was written to a client, as far as TCP's delays go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// Nothing.
    None,
    /// Something. If more follows, it must not wait for the other side to confirm this: it may take 40 ms for that.
    One,
    /// Whatever is written is sent at once.
    Prompt,
}

/// One connected client.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    arrival: Cell<Arrival>,
    /// What the kernel has said about its wait.
    waited: Option<Duration>,
    writes: Cell<Writes>,
}

impl Client {
    pub(crate) fn new(socket: Socket, arrival: Arrival) -> Client {
        Client {
            socket,
            arrival: Cell::new(arrival),
            waited: None,
            writes: Cell::new(Writes::None),
        }
    }

    /// Returns the client's address; `None` for a unix socket.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.socket.peer().map(|peer| peer.ip())
    }

    /// Returns how the worker came by it.
    pub(crate) fn arrival(&self) -> Arrival {
        self.arrival.get()
    }

    /// Has the kernel say how long the client's request has been here, if it can. To be called before anything is read: what
    /// arrives later hides it.
    pub(crate) fn measure_wait(&mut self) {
        if self.socket.peer().is_some() && self.arrival() != Arrival::Met {
            self.waited = self.socket.since_last_bytes().ok();
        }
    }

    /// Returns how long the first request has waited in the queue.
    pub(crate) fn wait_in_queue(&self) -> Wait {
        match (self.arrival(), self.waited) {
            (Arrival::Met, _) | (Arrival::TakenOver, None) => Wait::None,
            (Arrival::Queued | Arrival::TakenOver, Some(waited)) => Wait::Measured(waited),
            (Arrival::Queued, None) => Wait::Unknown,
        }
    }

    /// Tells, once, whether the client was in the queue for so long that it has given up.
    pub(crate) fn has_given_up(&self) -> bool {
        match self.arrival.replace(Arrival::Met) {
            Arrival::Queued | Arrival::TakenOver => self.socket.is_abandoned(),
            Arrival::Met => false,
        }
    }

    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, and what read(2) answers.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Its request, or the rest of it, was not in the queue with it.
                    self.arrival.set(Arrival::Met);
                    return Err(error);
                }
                other => return other,
            }
        }
    }

    /// Reads into several places, waiting for the first byte at most for `patience`; 0 is the end.
    ///
    /// # Errors
    /// `TimedOut`, and what readv(2) answers.
    pub(crate) fn read_patiently(
        &self,
        parts: &mut [IoSliceMut<'_>],
        patience: Duration,
    ) -> io::Result<usize> {
        loop {
            match self.socket.read_parts(parts) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(patience)?;
                }
                other => return other,
            }
        }
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// `TimedOut`, and what poll(2) answers.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<()> {
        match poll::wait(&self.socket, Interest::Readable, Some(patience))? {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Closes the connection so that the answer arrives.
    ///
    /// Closing while something is unread makes the kernel reset the connection, which may overtake the answer. Only then, and
    /// for a bounded time, the client is asked to finish first.
    pub(crate) fn hang_up(self, protocol: &mut Protocol) {
        self.read_rest(protocol);
        if protocol.is_fully_read() || self.socket.finish_writing().is_err() {
            return;
        }
        let deadline = clock::monotonic() + LINGER;
        let mut read = 0;
        let mut sink = [0; 16 << 10];
        while read < LINGER_BYTES {
            let patience = deadline.saturating_sub(clock::monotonic());
            match self.read_patiently(&mut [IoSliceMut::new(&mut sink)], patience) {
                Ok(0) | Err(_) => return,
                Ok(count) => read += count,
            }
        }
    }

    /// Is called before each write: turns Nagle's algorithm off when it would begin to matter. Most answers are one write.
    fn hurry(&self) {
        match self.writes.get() {
            Writes::None => self.writes.set(Writes::One),
            Writes::One => {
                if self.socket.peer().is_some() {
                    // Without it the answer is only slower.
                    let _slow = self.socket.send_at_once();
                }
                self.writes.set(Writes::Prompt);
            }
            Writes::Prompt => {}
        }
    }

    /// Takes in what has arrived already: usually just the end of the request's body.
    fn read_rest(&self, protocol: &mut Protocol) {
        protocol.finish_request();
        if !protocol.is_fully_read()
            && !protocol.space().is_empty()
            && let Ok(count) = self.read(protocol.space())
        {
            protocol.filled(count);
            protocol.finish_request();
        }
    }
}

impl Write for &Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.hurry();
        self.socket.write_patiently(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use fcgi_proto::Limits;
    use fcgi_proto::client::Encoder;
    use fcgi_proto::record::{AfterRequest, RequestId, Role};
    use fcgi_proto::server::Progress;

    use super::*;

    /// A client as the worker has it, and the other end.
    fn pair(arrival: Arrival) -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (
            Client::new(Socket::adopt(OwnedFd::from(ours)), arrival),
            theirs,
        )
    }

    fn request(body: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(RequestId(1));
        encoder
            .begin(Role::Responder, AfterRequest::Close)
            .param(b"A", b"b")
            .end_params()
            .stdin(body)
            .end_stdin();
        encoder.as_bytes().to_vec()
    }

    /// Reads until the request is there.
    fn received(client: &Client) -> Protocol {
        let mut protocol = Protocol::new(Limits::default());
        while protocol.poll().unwrap() != Progress::Request {
            client.wait(Duration::from_secs(10)).unwrap();
            let count = client.read(protocol.space()).unwrap();
            protocol.filled(count);
        }
        protocol
    }

    #[test]
    fn a_client_gives_up_by_closing_not_by_half_closing() {
        let (client, mut other) = pair(Arrival::Queued);
        other.write_all(b"request").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        assert!(!client.has_given_up());
        let (client, mut other) = pair(Arrival::Queued);
        other.write_all(b"request").unwrap();
        drop(other);
        assert!(client.has_given_up());
        assert!(!client.has_given_up(), "it is only asked once");
        let (client, other) = pair(Arrival::Met);
        drop(other);
        assert!(!client.has_given_up());
    }

    #[test]
    fn only_who_sent_its_request_into_the_queue_has_waited() {
        let (client, mut other) = pair(Arrival::Queued);
        other.write_all(b"request").unwrap();
        client.read(&mut [0; 16]).unwrap();
        assert_eq!(client.wait_in_queue(), Wait::Unknown);
        // The request is longer than that.
        assert!(client.read(&mut [0; 16]).is_err());
        assert_eq!(client.wait_in_queue(), Wait::None);
        let (client, _other) = pair(Arrival::Met);
        assert_eq!(client.wait_in_queue(), Wait::None);
    }

    #[test]
    fn the_kernel_measures_the_wait_of_who_comes_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        other.write_all(b"request").unwrap();
        let mut client = Client::new(Socket::accept(&listener).unwrap(), Arrival::Queued);
        let waited = |client: &mut Client| {
            client.measure_wait();
            match client.wait_in_queue() {
                Wait::Measured(waited) => waited,
                other => panic!("{other:?}"),
            }
        };
        while waited(&mut client) < Duration::from_millis(50) {}
        client.arrival.set(Arrival::Met);
        assert_eq!(client.wait_in_queue(), Wait::None);
    }

    #[test]
    fn a_silent_client_is_not_waited_for_any_longer() {
        let (client, _other) = pair(Arrival::Met);
        let mut byte = [0];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let waited = client.read_patiently(&mut parts, Duration::from_millis(1));
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(
            client.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn hanging_up_on_a_request_that_was_read_takes_no_time() {
        let (client, mut other) = pair(Arrival::Met);
        other.write_all(&request(b"")).unwrap();
        let mut protocol = received(&client);
        client.hang_up(&mut protocol);
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn an_answer_survives_a_body_that_nobody_reads() {
        let (client, mut other) = pair(Arrival::Met);
        let body = vec![b'x'; 600_000];
        let answered = thread::spawn(move || {
            other.write_all(&request(&body)).unwrap();
            let mut answer = Vec::new();
            // A reset connection would be an error here.
            other.read_to_end(&mut answer).unwrap();
            answer
        });
        let mut protocol = received(&client);
        (&client).write_all(b"answer").unwrap();
        client.hang_up(&mut protocol);
        assert_eq!(answered.join().unwrap(), b"answer");
    }

    #[test]
    fn a_client_that_never_stops_sending_is_closed_on() {
        let (client, mut other) = pair(Arrival::Met);
        let endless = thread::spawn(move || {
            other.write_all(&request(&[b'x'; 60_000])).unwrap();
            let mut sent = 0usize;
            while let Ok(count) = other.write(&[b'x'; 60_000]) {
                sent += count;
            }
            sent
        });
        let mut protocol = received(&client);
        client.hang_up(&mut protocol);
        assert!(endless.join().unwrap() < 4 * LINGER_BYTES);
    }

    #[test]
    fn writing_waits_for_room() {
        let (client, mut other) = pair(Arrival::Met);
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            other.read_to_end(&mut all).unwrap();
            all.len()
        });
        (&client).write_all(&vec![b'x'; 5_000_000]).unwrap();
        drop(client);
        assert_eq!(reader.join().unwrap(), 5_000_000);
    }
}
