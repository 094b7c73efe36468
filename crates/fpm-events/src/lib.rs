//! Event loop: file descriptors, signals and timers.

#![forbid(unsafe_code)]
