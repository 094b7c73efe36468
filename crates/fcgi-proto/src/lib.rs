//! FastCGI 1.0 as a state machine over bytes.

#![forbid(unsafe_code)]
