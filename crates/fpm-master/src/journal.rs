//! Log lines whose level is known only when they are written.

use std::fmt;

use fpm_conf::LogLevel;

/// Writes one line to the log. An alert is an error with the field `alert`, which the log's layer knows.
pub(crate) fn line(level: LogLevel, text: fmt::Arguments<'_>) {
    match level {
        LogLevel::Debug => tracing::debug!("{text}"),
        LogLevel::Notice => tracing::info!("{text}"),
        LogLevel::Warning => tracing::warn!("{text}"),
        LogLevel::Error => tracing::error!("{text}"),
        LogLevel::Alert => tracing::error!(alert = true, "{text}"),
    }
}
