//! Records of an answer as they lie in the buffer.

use super::{Response, Stream, frames};
use crate::record::{MAX_ALIGNED_CONTENT_LEN, ProtocolStatus, Record, RequestId};

/// Lists the records in `wire` as `TYPE id length+padding`.
fn records(mut wire: &[u8]) -> Vec<String> {
    let mut list = Vec::new();
    while let Ok((rest, Record { header, content })) = Record::parse(wire) {
        list.push(format!(
            "{} {} {}+{}",
            header.record_type,
            header.request_id,
            content.len(),
            header.padding_len
        ));
        wire = rest;
    }
    assert!(wire.is_empty(), "whole records only");
    list
}

#[test]
fn a_small_answer_is_one_record_and_the_end() {
    let mut response = Response::default();
    response.start(RequestId(258));
    assert!(response.is_empty());
    assert_eq!(
        response.write(Stream::Stdout, b"Content-type: text/html\r\n\r\n"),
        27
    );
    assert_eq!(response.write(Stream::Stdout, b""), 0);
    assert_eq!(response.write(Stream::Stdout, b"hello"), 5);
    response.end(0, ProtocolStatus::RequestComplete);
    response.end(1, ProtocolStatus::Overloaded);
    let mut expected = b"\x01\x06\x01\x02\0\x20\0\0Content-type: text/html\r\n\r\nhello".to_vec();
    expected.extend_from_slice(b"\x01\x03\x01\x02\0\x08\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(response.buffered(), expected);
    assert_eq!(
        response.write(Stream::Stdout, b"late"),
        4,
        "taken and dropped"
    );
    response.consume(10);
    assert_eq!(response.buffered(), &expected[10..]);
    response.consume(expected.len() - 10);
    assert!(response.is_empty() && response.is_ended());
    response.start(RequestId(1));
    assert!(!response.is_ended());
}

#[test]
fn streams_interleave_in_the_order_of_the_writes() {
    let mut response = Response::default();
    response.start(RequestId(1));
    for (stream, bytes) in [
        (Stream::Stdout, &b"one"[..]),
        (Stream::Stderr, b"PHP message: x"),
        (Stream::Stderr, b""),
        (Stream::Stderr, b"; y"),
        (Stream::Stdout, b"twelve bytes"),
    ] {
        assert_eq!(response.write(stream, bytes), bytes.len());
    }
    response.end(0, ProtocolStatus::RequestComplete);
    let expected = [
        "STDOUT 1 3+5",
        "STDERR 1 17+7",
        "STDOUT 1 12+4",
        "END_REQUEST 1 8+0",
    ];
    assert_eq!(records(response.buffered()), expected);
}

#[test]
fn a_full_buffer_takes_the_end_without_growing() {
    let mut response = Response::with_capacity(256);
    response.start(RequestId(1));
    let before = (response.buffer.as_ptr(), response.buffer.capacity());
    let room = response.room(Stream::Stdout);
    let taken = response.write(Stream::Stdout, &[b'x'; 1000]);
    assert!(taken >= room && taken < 256);
    assert_eq!(response.write(Stream::Stdout, b"more"), 0);
    assert_eq!(response.write(Stream::Stderr, b"more"), 0);
    response.end(0, ProtocolStatus::RequestComplete);
    assert!(response.buffered().len() <= 256);
    assert_eq!(
        (response.buffer.as_ptr(), response.buffer.capacity()),
        before
    );
}

#[test]
fn a_large_buffer_holds_several_records() {
    let mut response = Response::with_capacity(200_000);
    response.start(RequestId(1));
    assert_eq!(response.write(Stream::Stdout, &[b'x'; 140_000]), 140_000);
    assert_eq!(
        records(response.buffered()),
        ["STDOUT 1 65528+0", "STDOUT 1 65528+0", "STDOUT 1 8944+0"]
    );
}

#[test]
fn what_was_sent_is_closed() {
    let mut response = Response::default();
    response.start(RequestId(1));
    assert_eq!(response.write(Stream::Stdout, b"one"), 3);
    let sent = response.buffered().len();
    assert_eq!(response.write(Stream::Stdout, b"two"), 3);
    response.consume(sent);
    assert_eq!(records(response.buffered()), ["STDOUT 1 3+5"]);
    response.discard();
    assert!(response.is_empty());
}

#[test]
fn frames_cut_large_payloads() {
    let payload: Vec<u8> = (0..=255)
        .cycle()
        .take(2 * MAX_ALIGNED_CONTENT_LEN + 3)
        .collect();
    let cut = frames(RequestId(7), Stream::Stderr, &payload);
    assert_eq!(cut.len(), 3);
    let wire: Vec<u8> = cut.flat_map(|frame| frame.pieces().concat()).collect();
    assert_eq!(
        records(&wire),
        ["STDERR 7 65528+0", "STDERR 7 65528+0", "STDERR 7 3+5"]
    );
    assert_eq!(frames(RequestId(7), Stream::Stdout, b"").count(), 0);
}
