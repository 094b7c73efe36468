//! Waiting for what nobody tells of.

use std::thread;
use std::time::Instant;

use anyhow::ensure;

use crate::{PATIENCE, Result};

/// Looks again and again until something is so; `what` says what that would be.
///
/// # Errors
/// Fails when it is not so after [`PATIENCE`], or cannot be looked at.
pub fn wait_until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "in vain: {what}");
        thread::yield_now();
    }
    Ok(())
}
