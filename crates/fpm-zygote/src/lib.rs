//! The process that starts PHP once and forks workers.

#![forbid(unsafe_code)]
