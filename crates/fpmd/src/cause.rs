//! What the system says is wrong, in the form that php-fpm's messages have.

use std::io;

use fpm_os::error::described;
use nix::errno::Errno;

/// Formats an error as php-fpm does: `No such file or directory (2)`.
pub(crate) fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || error.to_string(),
        |errno| described(Errno::from_raw(errno)),
    )
}
