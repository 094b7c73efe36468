//! What the connection says about its place in the byte stream, and about memory.

use super::{connection, feed, wire};
use crate::Limits;
use crate::client::Encoder;
use crate::params::Params;
use crate::record::{AfterRequest, RequestId, Role};
use crate::server::{Connection, Progress, StdinRead};

/// Returns the bytes of several lines of the table's language.
fn lines(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| wire(line)).collect()
}

#[test]
fn between_requests() {
    let mut connection = Connection::new(Limits::default());
    assert!(connection.is_between_requests(), "nothing has arrived");
    let sent = wire("request 1");
    feed(&mut connection, &sent[..1]);
    assert_eq!(connection.poll(), Ok(Progress::NeedInput));
    assert!(!connection.is_between_requests(), "a byte has arrived");
    feed(&mut connection, &sent[1..12]);
    assert_eq!(connection.poll(), Ok(Progress::NeedInput));
    assert!(!connection.is_between_requests(), "a header has arrived");
    feed(&mut connection, &sent[12..]);
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert!(!connection.is_between_requests(), "a request is running");
    connection.finish_request();
    assert!(
        connection.is_between_requests(),
        "the terminator of STDIN belongs to the request before"
    );
    feed(&mut connection, &wire("begin 1"));
    assert!(
        !connection.is_between_requests(),
        "the next request has arrived"
    );
}

#[test]
fn fully_read() {
    let mut connection = Connection::new(Limits::default());
    feed(
        &mut connection,
        &lines(&["begin 1", "params 1", "STDIN 1 body"]),
    );
    assert_eq!(connection.poll(), Ok(Progress::Request));
    connection.finish_request();
    assert!(
        !connection.is_fully_read(),
        "the client has not ended STDIN"
    );
    assert!(connection.is_between_requests());
    let end = wire("STDIN 1");
    feed(&mut connection, &end[..5]);
    assert!(!connection.is_fully_read());
    feed(&mut connection, &end[5..]);
    assert_eq!(connection.poll(), Ok(Progress::NeedInput));
    assert!(connection.is_fully_read());
    feed(&mut connection, &wire("request 2"));
    assert!(!connection.is_fully_read(), "another request has arrived");
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert!(!connection.is_fully_read());
    assert_eq!(connection.read_stdin(&mut [0; 8]), Ok(StdinRead::End));
    assert!(connection.is_fully_read());
}

#[test]
fn stdin_may_bypass_the_buffer() {
    let mut connection = Connection::new(Limits::default());
    let body = wire("STDIN 1 0123456789");
    feed(
        &mut connection,
        &[lines(&["begin 1", "params 1"]), body[..11].to_vec()].concat(),
    );
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert_eq!(
        connection.stdin_direct(),
        0,
        "no header of STDIN has been looked at"
    );
    let mut out = [0; 16];
    assert_eq!(connection.read_stdin(&mut out), Ok(StdinRead::Bytes(3)));
    assert_eq!(connection.read_stdin(&mut out), Ok(StdinRead::NeedInput));
    assert_eq!(connection.stdin_direct(), 7);
    connection.stdin_directly_read(7);
    assert_eq!(connection.stdin_direct(), 0, "padding comes first");
    feed(&mut connection, &[&[0; 6][..], &wire("STDIN 1")].concat());
    assert_eq!(connection.read_stdin(&mut out), Ok(StdinRead::End));
}

#[test]
fn nothing_is_allocated_for_a_usual_request() {
    let mut encoder = Encoder::new(RequestId(1));
    encoder.begin(Role::Responder, AfterRequest::Keep);
    for number in 0..100 {
        encoder.param(format!("HTTP_NAME_{number}").as_bytes(), &[b'v'; 50]);
    }
    encoder.end_params().end_stdin();
    let mut connection = Connection::new(Limits::default());
    let mut round = || {
        feed(&mut connection, encoder.as_bytes());
        assert_eq!(connection.poll(), Ok(Progress::Request));
        connection
            .request_mut()
            .params_mut()
            .set(b"SCRIPT_NAME", b"/x.php");
        let memory = connection.request().params().memory();
        connection.finish_request();
        memory
    };
    let first = round();
    assert_eq!([round(), round()], [first; 2]);
}

#[test]
fn params_can_be_taken_out_while_the_body_is_read() {
    let mut connection = Connection::new(Limits::default());
    let mut taken = Params::new();
    feed(
        &mut connection,
        &lines(&["begin 1", "params 1", "STDIN 1 x"]),
    );
    assert_eq!(connection.poll(), Ok(Progress::Request));
    connection.swap_params(&mut taken);
    assert_eq!(connection.read_stdin(&mut [0; 8]), Ok(StdinRead::Bytes(1)));
    assert_eq!(taken.get(b"A"), Some(&b"b"[..]));
    connection.finish_request();
    feed(&mut connection, &wire("request 2"));
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert_eq!(connection.request().params(), &taken);
}

#[test]
fn reset_forgets_the_peer() {
    let mut connection = Connection::new(Limits::default());
    feed(&mut connection, b"\0 not FastCGI");
    assert!(connection.poll().is_err());
    connection.reset();
    assert!(connection.is_between_requests());
    feed(&mut connection, &wire("request 1")[..30]);
    assert_eq!(connection.poll(), Ok(Progress::NeedInput));
    connection.reset();
    feed(&mut connection, &wire("request 1"));
    assert_eq!(connection.poll(), Ok(Progress::Request));
}

#[test]
fn a_huge_request_does_not_keep_its_memory_for_ever() {
    let mut connection = Connection::new(Limits {
        input_bytes: 2 << 20,
        ..Limits::default()
    });
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .begin(Role::Responder, AfterRequest::Keep)
        .param(b"A", &vec![b'v'; 1 << 20])
        .end_params();
    feed(&mut connection, encoder.as_bytes());
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert!(connection.request().params().memory().1 >= 1 << 20);
    connection.reset();
    assert!(connection.request().params().memory().1 <= 256 << 10);
}

#[test]
fn read_data_skips_the_rest_of_stdin() {
    let sent = lines(&[
        "begin 1 filter",
        "params 1",
        "STDIN 1 unwanted",
        "get_values",
        "STDIN 1",
        "DATA 1 data",
        "DATA 1",
    ]);
    let mut connection = connection(Limits::default(), &sent);
    let mut out = [0; 16];
    assert_eq!(connection.poll(), Ok(Progress::Request));
    assert_eq!(
        connection.read_stdin(&mut out[..2]),
        Ok(StdinRead::Bytes(2))
    );
    assert!(matches!(
        connection.read_data(&mut out),
        Ok(StdinRead::Reply(_))
    ));
    assert_eq!(connection.read_data(&mut out), Ok(StdinRead::Bytes(4)));
    assert_eq!(&out[..4], b"data");
    assert_eq!(connection.read_data(&mut out), Ok(StdinRead::End));
    assert_eq!(connection.read_stdin(&mut out), Ok(StdinRead::End));
}
