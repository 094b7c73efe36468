//! The language of `protocol.txt`: one line says what a client sends, in words.

use crate::client::{Encoder, get_values};
use crate::record::{AfterRequest, RecordType, RequestId, Role};

/// Returns the bytes that a line stands for:
///
/// - `TYPE ID [CONTENT]`: a record;
/// - `begin ID [responder|authorizer|filter] [close]`: BEGIN_REQUEST, of a responder that keeps the connection unless said otherwise;
/// - `params ID`: PARAMS with `A=b`, and the end of PARAMS;
/// - `request ID`: a complete request without body;
/// - `get_values NAME…`: GET_VALUES;
/// - `padding N ID TYPE [CONTENT]`: a record with N bytes of padding;
/// - `bytes CONTENT`: just that.
///
/// CONTENT knows `\xHH`.
pub(super) fn wire(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let id = |word: &str| Encoder::new(RequestId(word.parse().expect("a request id")));
    match words[..] {
        ["get_values", ref names @ ..] => {
            get_values(&names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>())
        }
        ["begin", number, ref how @ ..] => {
            let role = match how.first() {
                Some(&"authorizer") => Role::Authorizer,
                Some(&"filter") => Role::Filter,
                _ => Role::Responder,
            };
            let after = if how.contains(&"close") {
                AfterRequest::Close
            } else {
                AfterRequest::Keep
            };
            id(number).begin(role, after).as_bytes().to_vec()
        }
        ["params", number] => id(number)
            .param(b"A", b"b")
            .end_params()
            .as_bytes()
            .to_vec(),
        ["request", number] => {
            let mut encoder = id(number);
            encoder
                .begin(Role::Responder, AfterRequest::Keep)
                .param(b"A", b"b")
                .end_params()
                .end_stdin();
            encoder.into_bytes()
        }
        ["bytes", ref content @ ..] => unescape(&content.join(" ")),
        ["padding", len, number, name, ref content @ ..] => {
            let mut record = wire(&[&[name, number], content].concat().join(" "));
            let old = record[6];
            record.truncate(record.len() - usize::from(old));
            record[6] = len.parse().expect("a length");
            record.resize(record.len() + usize::from(record[6]), 0xaa);
            record
        }
        [name, number, ref content @ ..] => {
            let named = (0..=u8::MAX)
                .map(RecordType::from_code)
                .find(|kind| kind.to_string() == name.replace('-', " "));
            id(number)
                .record(named.expect("a record type"), &unescape(&content.join(" ")))
                .as_bytes()
                .to_vec()
        }
        _ => panic!("{line}: not a line of the table"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hexadecimal digits"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}
