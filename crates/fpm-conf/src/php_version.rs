//! The PHP version whose php-fpm is to be matched.

use serde::{Deserialize, Serialize};

/// Selects between behaviours that differ from one php-fpm to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PhpVersion {
    /// PHP 8.2.
    Php82,
    /// PHP 8.4, and what is newer until a difference is known.
    Php84,
}

impl PhpVersion {
    /// Returns the behaviour for a version number as `PHP_VERSION_ID` writes it (80210 for 8.2.10).
    ///
    /// 8.3 brought the changes of the ini language that tell the two apart, so it counts as 8.4.
    #[must_use]
    pub fn from_id(id: u32) -> Self {
        if id < 80_300 {
            Self::Php82
        } else {
            Self::Php84
        }
    }
}
