//! The fuzz bodies without a fuzzer: the committed corpus, mutations of it, and generated traffic.

use std::path::Path;

use proptest::prelude::*;

use super::{client, pairs, response, server};
use crate::client::{Encoder, get_values};
use crate::record::{AfterRequest, Header, RecordType, RequestId, Role};

const MUTATIONS: usize = 200;

/// Feeds the corpus of one target to its body, every input as it is and mutated.
fn corpus(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut inputs: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    for (number, input) in inputs.iter().enumerate() {
        body(input);
        let mut random = Random(0x9e37_79b9 + number as u64);
        for _ in 0..MUTATIONS {
            let mut mutated = input.clone();
            for _ in 0..=random.below(3) {
                random.mutate(&mut mutated, &inputs);
            }
            body(&mutated);
        }
    }
}

/// Xorshift: the same mutations every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        match self.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, [0, 1, 8, 0x7f, 0x80, 0xff][self.below(6)]),
            2 => {
                let other = &others[self.below(others.len())];
                bytes.extend_from_slice(&other[self.below(other.len())..]);
            }
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

#[test]
fn server_corpus() {
    corpus("server", server);
}

#[test]
fn client_corpus() {
    corpus("client", client);
}

#[test]
fn response_corpus() {
    corpus("response", response);
}

#[test]
fn pairs_corpus() {
    corpus("pairs", pairs);
}

/// A record that a client might send, sensible or not.
fn record_of_a_client() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![8 => Just(1u16), 2 => Just(2), 1 => Just(0)];
    let content = prop_oneof![
        3 => Just(Vec::new()),
        3 => Just(b"\x01\x01Ab".to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(0u8..4, 0..300),
    ];
    let begin = (0u16..5, any::<bool>())
        .prop_map(|(role, keep)| [0, role as u8, u8::from(keep), 0, 0, 0, 0, 0].to_vec());
    let body = prop_oneof![1 => begin.prop_map(Some), 4 => Just(None)];
    (id, 0u8..13, content, body, any::<u8>(), 0u8..4).prop_map(
        |(id, code, content, begin, padding_len, pad)| {
            let (code, content) = begin.map_or((code, content), |body| (1, body));
            let header = Header::new(
                RecordType::from_code(code),
                RequestId(id),
                content.len() as u16,
            );
            let padding_len = if pad == 0 { padding_len } else { 0 };
            let header = Header {
                padding_len,
                ..header
            };
            [
                &header.encode()[..],
                &content,
                &vec![0; usize::from(padding_len)],
            ]
            .concat()
        },
    )
}

/// A complete request, its PARAMS cut anywhere.
fn complete_request() -> impl Strategy<Value = Vec<u8>> {
    let pairs = proptest::collection::vec(
        (proptest::collection::vec(0u8..3, 0..4), any::<[u8; 3]>()),
        0..10,
    );
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    (pairs, body, 1usize..30).prop_map(|(pairs, body, cut)| {
        let mut encoder = Encoder::new(RequestId(1));
        encoder.begin(Role::Responder, AfterRequest::Keep);
        let mut stream = Vec::new();
        pairs
            .iter()
            .for_each(|(name, value)| crate::params::encode(name, value, &mut stream));
        for piece in stream.chunks(cut) {
            encoder.record(RecordType::Params, piece);
        }
        encoder.end_params();
        for piece in body.chunks(cut) {
            encoder.stdin(piece);
        }
        encoder.end_stdin();
        encoder.into_bytes()
    })
}

proptest! {
    #[test]
    fn any_traffic_any_cut(
        cut in any::<u8>(),
        traffic in proptest::collection::vec(
            prop_oneof![2 => record_of_a_client(), 1 => complete_request(), 1 => Just(get_values(&[b"FCGI_MPXS_CONNS"]))],
            0..20,
        ),
    ) {
        server(&[&[cut][..], &traffic.concat()].concat());
    }

    #[test]
    fn any_answer_any_cut(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
        response(&input);
    }

    #[test]
    fn any_bytes(input in proptest::collection::vec(0u8..12, 0..400)) {
        server(&input);
        client(&input);
        pairs(&input);
    }
}
