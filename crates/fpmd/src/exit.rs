//! The exit codes of php-fpm, which init scripts and tests know.
//!
//! Original: sapi/fpm/fpm/fpm.h (`FPM_EXIT_*`)

/// All is well.
pub(crate) const OK: u8 = 0;
/// The command line cannot be understood.
pub(crate) const USAGE: u8 = 64;
/// PHP did not start, or the daemon that was put into the background says that it failed.
pub(crate) const SOFTWARE: u8 = 70;
/// The configuration cannot be used, or the daemon failed in the foreground.
pub(crate) const CONFIG: u8 = 78;
