//! One worker: accept, FastCGI, PHP, answer.

#![forbid(unsafe_code)]
