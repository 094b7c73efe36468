//! A web server and an application that talk over pipes of bounded size: what one side means is what the other gets.
//!
//! The transport moves an arbitrary number of bytes at a time in either direction. Requests may carry noise in between, for which the
//! protocol has an answer; noise and answers must not get into each other's way.

use std::collections::VecDeque;

use fcgi_proto::Limits;
use fcgi_proto::client::{Decoder, Encoder, Event, get_values};
use fcgi_proto::params::{self, Params};
use fcgi_proto::record::{AfterRequest, ProtocolStatus, RecordType, RequestId, Role};
use fcgi_proto::response::{Response, Stream};
use fcgi_proto::server::{Connection, Progress, StdinRead};
use proptest::prelude::*;

/// Id of the requests that are noise.
const NOISE: RequestId = RequestId(999);

/// How many bytes a pipe holds.
const PIPE: usize = 300;

/// A request and the answer that the application is to give.
#[derive(Clone, Debug)]
struct Exchange {
    params: Vec<(Vec<u8>, Vec<u8>)>,
    /// Size of the pieces that PARAMS and STDIN are sent in.
    cut: usize,
    body: Vec<u8>,
    noise: Noise,
    output: Vec<(Stream, Vec<u8>)>,
    app_status: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    /// The application reads the whole body, and there is noise after every piece.
    Much,
    /// There is none, and the application answers without having read the body.
    None,
}

/// What a side has seen of one request: parameters and body, or output and app status.
type Seen = (Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

impl Exchange {
    /// Returns the bytes of the request, and how many pieces of noise are in them.
    fn wire(&self, id: RequestId) -> (Vec<u8>, usize) {
        let mut stream = Vec::new();
        self.params
            .iter()
            .for_each(|(name, value)| params::encode(name, value, &mut stream));
        let params = stream
            .chunks(self.cut)
            .chain([&b""[..]])
            .map(|piece| (RecordType::Params, piece));
        let body = self
            .body
            .chunks(self.cut)
            .chain([&b""[..]])
            .map(|piece| (RecordType::Stdin, piece));
        let mut wire = Encoder::new(id)
            .begin(Role::Responder, AfterRequest::Keep)
            .as_bytes()
            .to_vec();
        let mut noises = 0;
        for (number, (record_type, piece)) in params.chain(body).enumerate() {
            if self.noise == Noise::Much && number > 0 {
                noises += 1;
                let mut noise = Encoder::new(NOISE);
                noise
                    .begin(Role::Responder, AfterRequest::Keep)
                    .param(b"X", b"y")
                    .end_params()
                    .stdin(b"z")
                    .end_stdin();
                wire.extend_from_slice(noise.as_bytes());
                wire.extend_from_slice(&get_values(&[b"FCGI_MPXS_CONNS"]));
            }
            wire.extend_from_slice(Encoder::new(id).record(record_type, piece).as_bytes());
        }
        (wire, noises)
    }

    /// What the application must see.
    fn request(&self) -> Seen {
        let mut params = Params::new();
        params.set(b"FCGI_ROLE", b"RESPONDER");
        self.params
            .iter()
            .for_each(|(name, value)| params.set(name, value));
        let body = if self.noise == Noise::Much {
            &self.body[..]
        } else {
            b""
        };
        (listed(&params), body.to_vec())
    }
}

fn listed(params: &Params) -> Vec<(Vec<u8>, Vec<u8>)> {
    params
        .iter()
        .map(|param| (param.name().to_vec(), param.value().to_vec()))
        .collect()
}

/// Moves up to `n` bytes out of a pipe, as read(2) would.
fn read(pipe: &mut VecDeque<u8>, space: &mut [u8], n: usize) -> usize {
    let n = n.min(pipe.len()).min(space.len());
    pipe.drain(..n)
        .zip(space)
        .for_each(|(byte, slot)| *slot = byte);
    n
}

/// Moves up to `n` bytes into a pipe and returns how many there was room for, as write(2) would.
fn write(pipe: &mut VecDeque<u8>, bytes: &[u8], n: usize) -> usize {
    let n = n.min(bytes.len()).min(PIPE - pipe.len());
    pipe.extend(&bytes[..n]);
    n
}

/// The application: answers request after request.
struct Application<'e> {
    exchanges: &'e [Exchange],
    connection: Connection,
    response: Response,
    /// Replies and output on their way to the pipe.
    out: Vec<u8>,
    running: Option<Seen>,
    seen: Vec<Seen>,
}

impl Application<'_> {
    /// Does something that needs at most one read or write of `n` bytes.
    fn step(&mut self, n: usize, from_client: &mut VecDeque<u8>, to_client: &mut VecDeque<u8>) {
        if !self.out.is_empty() {
            let sent = write(to_client, &self.out, n);
            self.out.drain(..sent);
            return;
        }
        let exchange = &self.exchanges[self.seen.len().min(self.exchanges.len() - 1)];
        let Some((_, body)) = &mut self.running else {
            match self
                .connection
                .poll()
                .expect("no violation that ends the connection")
            {
                Progress::NeedInput => self.fill(n, from_client),
                Progress::Reply(reply) => self.out.extend_from_slice(reply.as_bytes()),
                Progress::Request => {
                    self.running = Some((listed(self.connection.request().params()), Vec::new()));
                }
            }
            return;
        };
        let mut piece = [0; 50];
        let read = match exchange.noise {
            Noise::Much => self
                .connection
                .read_stdin(&mut piece)
                .expect("no violation"),
            Noise::None => StdinRead::End,
        };
        match read {
            StdinRead::Bytes(n) => body.extend_from_slice(&piece[..n]),
            StdinRead::Reply(reply) => self.out.extend_from_slice(reply.as_bytes()),
            StdinRead::NeedInput => self.fill(n, from_client),
            StdinRead::End => self.answer(exchange),
            StdinRead::Aborted => panic!("nobody aborts"),
        }
    }

    fn fill(&mut self, n: usize, from_client: &mut VecDeque<u8>) {
        let n = read(from_client, self.connection.space(), n);
        self.connection.filled(n);
    }

    fn answer(&mut self, exchange: &Exchange) {
        self.response.start(self.connection.request().id());
        for (stream, bytes) in &exchange.output {
            let taken = self.response.write(*stream, bytes);
            if taken < bytes.len() {
                self.out.extend_from_slice(self.response.buffered());
                self.response.discard();
                self.response
                    .frames(*stream, &bytes[taken..])
                    .for_each(|frame| self.out.extend(frame.pieces().concat()));
            }
        }
        self.response
            .end(exchange.app_status, ProtocolStatus::RequestComplete);
        self.out.extend_from_slice(self.response.buffered());
        self.connection.finish_request();
        self.seen.extend(self.running.take());
    }
}

/// What the web server got.
#[derive(Debug, Default, PartialEq, Eq)]
struct Got {
    answers: Vec<(Vec<(Stream, u8)>, u32)>,
    refused: usize,
    values: usize,
}

impl Got {
    /// Takes what has arrived; `output` is that of the running answer.
    fn take(&mut self, decoder: &mut Decoder, output: &mut Vec<(Stream, u8)>) {
        loop {
            match decoder.poll().expect("no violation") {
                Event::NeedInput => return,
                Event::Stdout { bytes, .. } => {
                    output.extend(bytes.iter().map(|&byte| (Stream::Stdout, byte)));
                }
                Event::Stderr { bytes, .. } => {
                    output.extend(bytes.iter().map(|&byte| (Stream::Stderr, byte)));
                }
                Event::End {
                    request_id: NOISE,
                    end,
                } => {
                    assert_eq!(end.protocol_status, ProtocolStatus::CantMultiplex);
                    self.refused += 1;
                }
                Event::End { end, .. } => {
                    self.answers.push((std::mem::take(output), end.app_status));
                }
                Event::Values(values) => {
                    assert_eq!(values.get(b"FCGI_MPXS_CONNS"), Some(&b"0"[..]));
                    self.values += 1;
                }
                Event::UnknownType(record_type) => panic!("{record_type} is not unknown"),
            }
        }
    }
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let bytes = |len| proptest::collection::vec(any::<u8>(), 0..len);
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    (
        proptest::collection::vec((bytes(5), bytes(200)), 0..8),
        1usize..120,
        bytes(400),
        prop_oneof![Just(Noise::Much), Just(Noise::None)],
        proptest::collection::vec((stream, bytes(600)), 0..6),
        any::<u32>(),
    )
        .prop_map(|(params, cut, body, noise, output, app_status)| Exchange {
            params,
            cut,
            body,
            noise,
            output,
            app_status,
        })
}

proptest! {
    #[test]
    fn both_sides_see_the_same(
        exchanges in proptest::collection::vec(exchange(), 1..5),
        turns in proptest::collection::vec((any::<bool>(), 1usize..200), 1..50),
    ) {
        let mut application = Application {
            exchanges: &exchanges,
            connection: Connection::new(Limits { input_bytes: 100, ..Limits::default() }),
            response: Response::with_capacity(256),
            out: Vec::new(),
            running: None,
            seen: Vec::new(),
        };
        let mut decoder = Decoder::new(Limits { input_bytes: 100, ..Limits::default() });
        let (mut to_application, mut to_client) = (VecDeque::new(), VecDeque::new());
        let (mut got, mut output, mut noises) = (Got::default(), Vec::new(), 0);
        let mut wires = Vec::new();
        for (number, exchange) in exchanges.iter().enumerate() {
            let (wire, noise) = exchange.wire(RequestId(number as u16 % 2 + 1));
            wires.push(wire);
            noises += noise;
        }
        let wire = wires.concat();
        let mut sent = 0;
        // Both directions get their turn in every round, so that each round moves something until all is done.
        for (application_first, n) in turns.iter().cycle().take(1_000_000) {
            for application_now in [*application_first, !application_first] {
                if application_now {
                    application.step(*n, &mut to_application, &mut to_client);
                } else {
                    sent += write(&mut to_application, &wire[sent..], *n);
                    let arrived = read(&mut to_client, decoder.space(), *n);
                    decoder.filled(arrived);
                    got.take(&mut decoder, &mut output);
                }
            }
            if got.answers.len() == exchanges.len() && to_application.is_empty() && sent == wire.len() {
                break;
            }
        }
        let requests: Vec<Seen> = exchanges.iter().map(Exchange::request).collect();
        let answers = exchanges.iter().map(|exchange| {
            let bytes = exchange.output.iter().flat_map(|(stream, bytes)| bytes.iter().map(|&byte| (*stream, byte)));
            (bytes.collect(), exchange.app_status)
        });
        prop_assert_eq!(application.seen, requests);
        prop_assert_eq!(got, Got { answers: answers.collect(), refused: noises, values: noises });
        prop_assert_eq!(application.connection.poll(), Ok(Progress::NeedInput));
        prop_assert!(application.connection.is_between_requests());
        prop_assert!(application.connection.is_fully_read());
    }
}
