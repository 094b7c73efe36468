//! Fuzzes the buffer of an answer.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_proto::fuzzing::response(input));
