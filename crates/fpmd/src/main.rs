//! A FastCGI process manager for PHP.

#![forbid(unsafe_code)]

fn main() {}
