//! The tables of the protocol: what a client sends, and what the connection makes of it.
//!
//! `tests/protocol.txt` is the table; run with `UPDATE_EXPECT=1` to write what happens now into it, then read the difference.

mod accounting;
mod limits;
mod script;

use std::fmt::Write as _;

use expect_test::expect_file;

use self::script::wire;
use super::{Connection, Progress, StdinRead};
use crate::record::{EndRequest, Record, RecordType, RequestId, Role};
use crate::{Limits, ProtocolError, Reply};

/// Returns a connection that has read all of `bytes`.
fn connection(limits: Limits, bytes: &[u8]) -> Connection {
    let mut connection = Connection::new(Limits {
        input_bytes: bytes.len(),
        ..limits
    });
    feed(&mut connection, bytes);
    connection
}

/// Reads all of `bytes`, which the buffer must be large enough for.
fn feed(connection: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = connection.space();
        let (now, rest) = bytes.split_at(space.len().min(bytes.len()));
        space[..now.len()].copy_from_slice(now);
        assert!(!now.is_empty(), "the buffer is full");
        connection.filled(now.len());
        bytes = rest;
    }
}

#[test]
fn protocol() {
    let table = include_str!("tests/protocol.txt");
    let mut now = String::new();
    for case in table.trim_end().split_inclusive("\n\n") {
        let (mut kept, mut sent) = (String::new(), Vec::new());
        for line in case.lines().filter(|line| !line.starts_with("< ")) {
            if !line.is_empty() {
                kept.push_str(line);
                kept.push('\n');
            }
            if let Some(step) = line.strip_prefix("> ") {
                sent.extend(wire(step));
            }
        }
        let log = Log::of(&mut connection(Limits::default(), &sent));
        let log = log
            .lines()
            .fold(String::new(), |text, line| text + "< " + line + "\n");
        writeln!(now, "{kept}{log}").unwrap();
    }
    expect_file!["tests/protocol.txt"].assert_eq(&format!("{}\n", now.trim_end()));
}

/// Names everything that happens while a connection is served, one line each.
#[derive(Default)]
struct Log(String);

impl Log {
    fn of(connection: &mut Connection) -> String {
        let mut log = Self::default();
        if let Err(error) = log.serve(connection) {
            log.line(&format!("close: {error}"));
            if let Some(reply) = error.reply() {
                log.reply(&reply);
            }
        }
        log.0
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn reply(&mut self, reply: &Reply) {
        let (rest, Record { header, content }) = Record::parse(reply.as_bytes()).unwrap();
        assert!(rest.is_empty(), "a reply is one record");
        let text = match header.record_type {
            RecordType::EndRequest => format!(
                "{:?}",
                EndRequest::parse(content).unwrap().1.protocol_status
            ),
            _ => content.escape_ascii().to_string(),
        };
        let because = reply
            .violation()
            .map_or(String::new(), |violation| format!(" ({violation})"));
        self.line(&format!(
            "reply: {} {} {text}{because}",
            header.record_type, header.request_id
        ));
    }

    fn serve(&mut self, connection: &mut Connection) -> Result<(), ProtocolError> {
        loop {
            match connection.poll()? {
                Progress::NeedInput => return Ok(()),
                Progress::Reply(reply) => self.reply(&reply),
                Progress::Request => {
                    let request = connection.request();
                    let (RequestId(id), after, role) =
                        (request.id(), request.after(), request.role());
                    let params: Vec<_> = request
                        .params()
                        .iter()
                        .map(|param| format!("{param:?}"))
                        .collect();
                    self.line(&format!("request {id}, {after:?}: {}", params.join(" ")));
                    if !self.body("stdin", connection, Connection::read_stdin)?
                        || role == Role::Filter
                            && !self.body("data", connection, Connection::read_data)?
                    {
                        return Ok(());
                    }
                    connection.finish_request();
                }
            }
        }
    }

    /// Reads a stream of the body to its end; returns whether it has one.
    fn body(
        &mut self,
        name: &str,
        connection: &mut Connection,
        read: fn(&mut Connection, &mut [u8]) -> Result<StdinRead, ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        let mut piece = [0; 4];
        let mut body = Vec::new();
        loop {
            let end = match read(connection, &mut piece) {
                Ok(StdinRead::Bytes(n)) => {
                    body.extend_from_slice(&piece[..n]);
                    continue;
                }
                Ok(StdinRead::Reply(reply)) => {
                    self.reply(&reply);
                    continue;
                }
                end => end,
            };
            let how = match end {
                Ok(StdinRead::NeedInput) => " and more to come",
                Ok(StdinRead::Aborted) => " and aborted",
                Ok(_) => "",
                Err(_) => " and an error",
            };
            self.line(&format!("{name}: \"{}\"{how}", body.escape_ascii()));
            return end.map(|end| end != StdinRead::NeedInput);
        }
    }
}
