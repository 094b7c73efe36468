//! Users and groups, looked up by name only to tell whether they exist.

use std::io;

use bstr::BStr;

/// Knows the machine's users and groups.
pub trait Accounts {
    /// Looks a user up by name.
    ///
    /// # Errors
    /// There is none; the error is what errno says after getpwnam(3), which may be 0 ("Success").
    fn find_user(&self, name: &BStr) -> io::Result<()>;

    /// Looks a group up by name.
    ///
    /// # Errors
    /// There is none; the error is what errno says after getgrnam(3), which may be 0 ("Success").
    fn find_group(&self, name: &BStr) -> io::Result<()>;
}
