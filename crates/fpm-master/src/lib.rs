//! Pools, process managers, generations and signals.

#![forbid(unsafe_code)]
