//! Fuzzes the decoder of name-value pairs.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_proto::fuzzing::pairs(input));
