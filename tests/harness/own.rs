//! Daemons with directives that only fpmd knows.

use anyhow::ensure;

use crate::{Daemon, Fpm, Result, Under, under};

/// Starts a daemon that has this directive, which php-fpm does not know; `None` when it is the original, which refuses it.
///
/// # Errors
/// Fails when it does not become ready, or the original takes the directive.
pub fn start_own(daemon: &Daemon, directive: &str) -> Result<Option<Fpm>> {
    if under()? == Under::Fpmd {
        return daemon.start().map(Some);
    }
    let refusal = daemon.start_in_vain()?;
    let unknown = format!("unknown entry '{directive}'");
    ensure!(refusal.output.contains(&unknown), "{}", refusal.output);
    Ok(None)
}
