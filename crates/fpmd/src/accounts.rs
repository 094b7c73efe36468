//! Users and groups of this machine, for the configuration test.

use std::io;

use bstr::BStr;
use fpm_conf::Accounts;
use fpm_os::account;

/// The system's databases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OsAccounts;

impl Accounts for OsAccounts {
    fn find_user(&self, name: &BStr) -> io::Result<()> {
        found(account::user_named(name)?)
    }

    fn find_group(&self, name: &BStr) -> io::Result<()> {
        found(account::group_named(name)?)
    }
}

/// An entry that does not exist leaves errno at 0, which is what php-fpm prints.
fn found<T>(entry: Option<T>) -> io::Result<()> {
    entry
        .map(drop)
        .ok_or_else(|| io::Error::from_raw_os_error(0))
}
