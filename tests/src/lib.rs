//! Conformance and end-to-end tests of the daemon.

#![forbid(unsafe_code)]
