//! Fuzzes the application's side.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_proto::fuzzing::server(input));
