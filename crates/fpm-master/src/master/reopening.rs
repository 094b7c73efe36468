//! Opening the logs anew (SIGUSR1), after somebody has moved them away.
//!
//! Rule: no worker is signalled or interrupted. A log that cannot be opened stays in use as it is.
//!
//! Original: sapi/fpm/fpm/fpm_events.c (`fpm_got_signal`), fpm_log.c (`fpm_log_open`), which ends all workers.

use super::Master;
use crate::access_logs::Reopened;
use crate::world::World;

impl<W: World> Master<W> {
    /// Opens the error log and the access logs under their names.
    ///
    /// # Errors
    /// What went wrong, after it has been logged.
    pub(super) fn reopen_logs(&mut self) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        match self.world.reopen_log() {
            Ok(()) => tracing::info!("error log file re-opened"),
            Err(error) => {
                tracing::error!("unable to re-opened error log file");
                reasons.push(format!("error log: {error}"));
            }
        }
        match self.world.reopen_access_logs() {
            Reopened::None => {}
            Reopened::All => tracing::info!("access log file re-opened"),
            Reopened::NotAll(errors) => {
                for error in errors {
                    tracing::error!("{error}");
                    reasons.push(error.to_string());
                }
                tracing::error!("unable to re-opened access log file");
            }
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons)
        }
    }
}
