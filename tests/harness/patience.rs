//! Waiting for what nobody tells of.

use std::thread;
use std::time::Instant;

use anyhow::ensure;

use crate::{PATIENCE, Result};

/// Looks again and again until there is something to return; `what` says what that would be.
///
/// # Errors
/// Fails when there is nothing after [`PATIENCE`], or a look fails.
pub fn wait_for<T>(what: &str, look: impl Fn() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// Looks again and again until something is so; `what` says what that would be.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result {
    wait_for(what, || Ok(is_so()?.then_some(())))
}
