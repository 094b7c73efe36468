//! Fuzzes the web server's side.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_proto::fuzzing::client(input));
