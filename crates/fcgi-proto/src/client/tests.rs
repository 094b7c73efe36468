//! Encoded requests and decoded answers.

use super::{Decoder, Encoder, Event, get_values};
use crate::record::{
    AfterRequest, EndRequest, MAX_CONTENT_LEN, ProtocolStatus, Record, RecordType, RequestId, Role,
};
use crate::{Limits, ProtocolError};

fn records(mut wire: &[u8]) -> Vec<(RecordType, Vec<u8>)> {
    let mut list = Vec::new();
    while let Ok((rest, record)) = Record::parse(wire) {
        list.push((record.header.record_type, record.content.to_vec()));
        wire = rest;
    }
    assert!(wire.is_empty());
    list
}

#[test]
fn a_request_on_the_wire() {
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .begin(Role::Responder, AfterRequest::Close)
        .param(b"A", b"b")
        .end_params()
        .stdin(b"x")
        .end_stdin();
    let mut expected = b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0".to_vec();
    expected
        .extend_from_slice(b"\x01\x04\0\x01\0\x04\x04\0\x01\x01Ab\0\0\0\0\x01\x04\0\x01\0\0\0\0");
    expected.extend_from_slice(b"\x01\x05\0\x01\0\x01\x07\0x\0\0\0\0\0\0\0\x01\x05\0\x01\0\0\0\0");
    assert_eq!(encoder.as_bytes(), expected);
    encoder.clear();
    assert_eq!(encoder.abort().as_bytes(), b"\x01\x02\0\x01\0\0\0\0");
    assert_eq!(
        get_values(&[b"A"]),
        b"\x01\x09\0\0\0\x03\x05\0\x01\0A\0\0\0\0\0"
    );
}

#[test]
fn php_fpm_gets_whole_pairs() {
    let mut encoder = Encoder::new(RequestId(1));
    let value = vec![b'v'; 40_000];
    encoder
        .param(b"A", &value)
        .param(b"B", &value)
        .flush_params()
        .param(b"C", &vec![b'v'; 70_000])
        .end_params();
    let lens: Vec<_> = records(encoder.as_bytes())
        .iter()
        .map(|(_, content)| content.len())
        .collect();
    assert_eq!(lens, [40_006, 40_006, 65_528, 70_006 - 65_528, 0]);
}

#[test]
fn a_large_body_is_cut() {
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .stdin(&[0; MAX_CONTENT_LEN])
        .data(&[0; MAX_CONTENT_LEN + 1])
        .end_data();
    let lens: Vec<_> = records(encoder.as_bytes())
        .iter()
        .map(|(kind, content)| (*kind, content.len()))
        .collect();
    let data = RecordType::Data;
    assert_eq!(
        lens,
        [
            (RecordType::Stdin, 65_535),
            (data, 65_528),
            (data, 8),
            (data, 0)
        ]
    );
}

fn decoder(wire: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(Limits::default());
    decoder.space()[..wire.len()].copy_from_slice(wire);
    decoder.filled(wire.len());
    decoder
}

fn record(record_type: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(RequestId(id));
    encoder.record(record_type, content);
    encoder.into_bytes()
}

#[test]
fn answers_of_two_requests_interleave() {
    let end = |app_status, protocol_status| EndRequest {
        app_status,
        protocol_status,
    };
    let wire = [
        record(RecordType::Stdout, 1, b"out"),
        record(RecordType::Stderr, 2, b"err"),
        record(RecordType::Stdout, 1, b""),
        record(
            RecordType::EndRequest,
            2,
            &end(3, ProtocolStatus::CantMultiplex).encode(),
        ),
        record(RecordType::GetValuesResult, 0, b"\x01\x01Ab"),
        record(RecordType::UnknownType, 0, b"\x0c1234567"),
        record(
            RecordType::EndRequest,
            1,
            &end(0, ProtocolStatus::Other(9)).encode(),
        ),
    ];
    let mut decoder = decoder(&wire.concat());
    let (one, two) = (RequestId(1), RequestId(2));
    assert_eq!(
        decoder.poll(),
        Ok(Event::Stdout {
            request_id: one,
            bytes: b"out"
        })
    );
    assert_eq!(
        decoder.poll(),
        Ok(Event::Stderr {
            request_id: two,
            bytes: b"err"
        })
    );
    assert_eq!(
        decoder.poll(),
        Ok(Event::Stdout {
            request_id: one,
            bytes: b""
        })
    );
    assert_eq!(
        decoder.poll(),
        Ok(Event::End {
            request_id: two,
            end: end(3, ProtocolStatus::CantMultiplex)
        })
    );
    assert!(matches!(decoder.poll(), Ok(Event::Values(values)) if values.get(b"A") == Some(b"b")));
    assert_eq!(
        decoder.poll(),
        Ok(Event::UnknownType(RecordType::Other(12)))
    );
    assert_eq!(
        decoder.poll(),
        Ok(Event::End {
            request_id: one,
            end: end(0, ProtocolStatus::Other(9))
        })
    );
    assert!(!decoder.is_between_records() || decoder.poll() == Ok(Event::NeedInput));
    assert_eq!(decoder.poll(), Ok(Event::NeedInput));
    assert!(decoder.is_between_records());
}

#[test]
fn violations() {
    let out_of_place = |record_type| ProtocolError::OutOfPlace {
        request_id: RequestId(1),
        record_type,
    };
    let body_length = |record_type, len| ProtocolError::BodyLength { record_type, len };
    for (wire, error) in [
        (b"\0".repeat(8), ProtocolError::Version { version: 0 }),
        (
            record(RecordType::Stdin, 1, b""),
            out_of_place(RecordType::Stdin),
        ),
        (
            record(RecordType::Other(99), 1, b""),
            out_of_place(RecordType::Other(99)),
        ),
        (
            record(RecordType::EndRequest, 1, b"1234567"),
            body_length(RecordType::EndRequest, 7),
        ),
        (
            record(RecordType::UnknownType, 0, b""),
            body_length(RecordType::UnknownType, 0),
        ),
        (
            record(RecordType::GetValuesResult, 0, b"\x01\x01A"),
            ProtocolError::TruncatedPair {
                request_id: RequestId::NULL,
                record_type: RecordType::GetValuesResult,
            },
        ),
    ] {
        assert_eq!(decoder(&wire).poll(), Err(error), "{wire:?}");
    }
}

#[test]
fn reset_forgets_the_application() {
    let mut decoder = decoder(b"\x01\x06\0\x01\0");
    assert_eq!(decoder.poll(), Ok(Event::NeedInput));
    assert!(!decoder.is_between_records());
    decoder.reset();
    assert!(decoder.is_between_records());
}
