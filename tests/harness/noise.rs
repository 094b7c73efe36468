//! Test content in which a lost, doubled or moved piece shows.

use std::process::Command;

use anyhow::Context;

use crate::{Result, Site, Subject};

/// So many octets without a short period; the same every time.
#[must_use]
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(length)
    .collect()
}

/// What PHP's `md5()` of `bytes` is, computed by the PHP command line.
///
/// # Errors
/// Fails when the command line cannot be run.
pub fn md5(bytes: &[u8]) -> Result<String> {
    let site = Site::new()?;
    let file = site.write("bytes", bytes)?;
    let output = Command::new(Subject::from_environment()?.php_cli())
        .args(["-n", "-r", "echo md5_file($argv[1]);"])
        .arg(file)
        .output()
        .context("cannot run PHP")?;
    Ok(String::from_utf8(output.stdout)?)
}
