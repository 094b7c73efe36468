//! The exit codes of a worker.
//!
//! Original: sapi/fpm/fpm/fpm.h (`FPM_EXIT_*`).

/// The worker was to end: it was told to, or `pm.max_requests` is reached.
pub const SUCCESS: u8 = 0;

/// The worker could not be set up, or PHP cannot serve any more.
pub const SOFTWARE: u8 = 70;
