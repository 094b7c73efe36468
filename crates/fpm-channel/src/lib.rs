//! Messages between master and zygote.

#![forbid(unsafe_code)]
