//! Fuzzes loading.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fpm_conf::fuzzing::config(input));
