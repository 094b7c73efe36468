//! Limits and priority of the master, which its children inherit.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_init_main`)

use std::io;

use fpm_conf::Config;
use fpm_os::limits::{self, Limit};
use nix::unistd::Uid;

use crate::cause::cause;

/// Sets the limits of the master, which its children inherit.
pub(crate) fn set_limits(config: &Config) -> bool {
    let limits = [
        (
            "rlimit_files",
            "RLIMIT_NOFILE",
            config.global.rlimit_files,
            limits::set_open_files as fn(Limit) -> io::Result<()>,
        ),
        (
            "rlimit_core",
            "RLIMIT_CORE",
            config.global.rlimit_core,
            limits::set_core_size,
        ),
    ];
    for (directive, limit, value, set) in limits.into_iter().filter(|(_, _, value, _)| *value != 0)
    {
        if let Err(error) = set(Limit(value)) {
            tracing::error!(
                "failed to set {directive} for this pool. Please check your system limits or decrease {directive}. \
                 setrlimit({limit}, {value}): {}",
                cause(&error)
            );
            return false;
        }
    }
    true
}

/// Sets the priority of the master.
pub(crate) fn set_priority(config: &Config) -> bool {
    let Some(priority) = config.global.process_priority else {
        return true;
    };
    if !Uid::effective().is_root() {
        tracing::info!("'process.priority' directive is ignored when FPM is not running as root");
        return true;
    }
    match limits::set_priority(priority) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(
                "Unable to set priority for the master process: {}",
                cause(&error)
            );
            false
        }
    }
}
