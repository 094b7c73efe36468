//! The table against a naive model, and the coding of pairs.

use proptest::prelude::*;

use super::{Params, encode, encoded_len, pair};

impl Params {
    /// Where the arena lies and how large its parts are, to tell whether something was allocated.
    pub(crate) fn memory(&self) -> (*const u8, usize, usize) {
        (
            self.arena.as_ptr(),
            self.arena.capacity(),
            self.entries.capacity(),
        )
    }
}

fn listed(params: &Params) -> String {
    params
        .iter()
        .map(|param| format!("{param:?}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn newest_first_last_value_wins_first_position_kept() {
    let mut params = Params::new();
    for (name, value) in [("A", "1"), ("B", "2"), ("C", "3"), ("A", "4"), ("", "5")] {
        params.set(name.as_bytes(), value.as_bytes());
    }
    assert_eq!(listed(&params), "=5 C=3 B=2 A=4");
    assert_eq!(
        (params.len(), params.get(b"A"), params.get(b"a")),
        (4, Some(&b"4"[..]), None)
    );
    params.remove(b"B");
    params.remove(b"B");
    params.remove(b"X");
    assert_eq!(listed(&params), "=5 C=3 A=4");
    params.set(b"B", b"");
    assert_eq!(listed(&params), "B= =5 C=3 A=4");
    params.clear();
    assert_eq!(
        (listed(&params), params.is_empty(), params.get(b"A")),
        (String::new(), true, None)
    );
}

#[test]
fn strings_for_c() {
    let mut params = Params::new();
    params.set(b"NAME\0D", b"a\0b");
    let param = params.param(b"NAME\0D").unwrap();
    assert_eq!(
        (param.name_with_nul(), param.value_with_nul()),
        (&b"NAME\0D\0"[..], &b"a\0b\0"[..])
    );
    assert_eq!((param.name_c_str(), param.value_c_str()), (c"NAME", c"a"));
    assert_eq!(params.get(b"NAME"), None);
}

#[test]
fn lengths_of_pairs() {
    for (name_len, value_len, expected) in [
        (0, 0, 2),
        (1, 127, 130),
        (127, 128, 260),
        (128, 1, 134),
        (70_000, 70_000, 140_008),
    ] {
        let (name, value) = (vec![b'n'; name_len], vec![b'v'; value_len]);
        let mut bytes = Vec::new();
        encode(&name, &value, &mut bytes);
        assert_eq!(
            (bytes.len(), encoded_len(name_len, value_len)),
            (expected, expected)
        );
        assert_eq!(pair(&bytes), Ok((&b""[..], (&name[..], &value[..]))));
        assert!(pair(&bytes[..expected - 1]).is_err_and(|error| error.is_incomplete()));
    }
    // The long form of a short length is allowed.
    assert_eq!(
        pair(b"\x80\0\0\x01\x01Ab."),
        Ok((&b"."[..], (&b"A"[..], &b"b"[..])))
    );
}

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Clear,
}

fn change() -> impl Strategy<Value = Change> {
    let name = || proptest::collection::vec(0u8..4, 0..4);
    prop_oneof![
        20 => (name(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(name, value)| Change::Set(name, value)),
        5 => name().prop_map(Change::Remove),
        1 => Just(Change::Clear),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_list_would(changes in proptest::collection::vec(change(), 0..600)) {
        let mut params = Params::new();
        let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for change in changes {
            match change {
                Change::Set(name, value) => {
                    params.set(&name, &value);
                    match model.iter_mut().find(|(other, _)| *other == name) {
                        Some(pair) => pair.1 = value,
                        None => model.push((name, value)),
                    }
                }
                Change::Remove(name) => {
                    params.remove(&name);
                    model.retain(|(other, _)| *other != name);
                }
                Change::Clear => {
                    params.clear();
                    model.clear();
                }
            }
        }
        let listed: Vec<_> = params.iter().rev().map(|param| (param.name().to_vec(), param.value().to_vec())).collect();
        prop_assert_eq!(params.len(), listed.len());
        for (name, value) in &model {
            prop_assert_eq!(params.get(name), Some(&value[..]));
        }
        prop_assert_eq!(listed, model);
    }
}
