//! Every limit: what just fits, and what is over it.

use super::{Log, connection};
use crate::Limits;
use crate::client::{Encoder, get_values};
use crate::record::{AfterRequest, RecordType, RequestId, Role};

const LIMITS: Limits = Limits {
    params: 2,
    params_bytes: 12,
    name_bytes: 4,
    value_bytes: 6,
    input_bytes: 1024,
};

fn log(pairs: &[(&[u8], &[u8])]) -> String {
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .begin(Role::Responder, AfterRequest::Keep)
        .params(pairs.iter().copied())
        .end_params()
        .end_stdin();
    Log::of(&mut connection(LIMITS, encoder.as_bytes()))
}

#[test]
fn limits() {
    assert_eq!(
        log(&[(b"NAME", b"value6"), (b"A", b"b")]),
        "request 1, Keep: A=b NAME=value6 FCGI_ROLE=RESPONDER\nstdin: \"\"\n"
    );
    type Pairs<'a> = &'a [(&'a [u8], &'a [u8])];
    let over: [(Pairs<'_>, &str); 4] = [
        (
            &[(b"A", b"1"), (b"A", b"2"), (b"A", b"3")],
            "number of parameters over the limit of 2",
        ),
        (
            &[(b"NAME", b"value6"), (b"A", b"bc")],
            "size of all parameters over the limit of 12",
        ),
        (
            &[(b"NAME5", b"")],
            "size of a parameter's name over the limit of 4",
        ),
        (
            &[(b"A", b"value_7")],
            "size of a parameter's value over the limit of 6",
        ),
    ];
    for (pairs, what) in over {
        let expected = format!(
            "close: request 1: {what}\nreply: END_REQUEST 1 Overloaded (request 1: {what})\n"
        );
        assert_eq!(log(pairs), expected);
    }
}

#[test]
fn two_gigabytes_are_refused_before_they_come() {
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .begin(Role::Responder, AfterRequest::Keep)
        .record(RecordType::Params, b"\x01\xff\xff\xff\xffA");
    let mut connection = connection(Limits::default(), encoder.as_bytes());
    assert!(connection.poll().is_err());
    assert!(connection.request().params().memory().1 < 4096);
}

#[test]
fn management_records_have_the_same_limits() {
    let log = Log::of(&mut connection(LIMITS, &get_values(&[b"FCGI_MPXS_CONNS"])));
    assert_eq!(
        log,
        "close: request 0: size of a parameter's name over the limit of 4\n"
    );
}
