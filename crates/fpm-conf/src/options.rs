//! What loading depends on besides the file: the command line, the machine, and the php-fpm to be matched.

use bstr::{BStr, BString};

use crate::report::text;
use crate::{Accounts, Files, PhpVersion, Vocabulary};

/// Settings from the command line and the environment.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// What the configuration is loaded for.
    pub purpose: Purpose,
    /// `-p`: the global prefix.
    pub prefix: Option<BString>,
    /// `-g`: the pid file, which a `pid` in the file overrides.
    pub pid: Option<BString>,
    /// `-D` or `-F`, whichever came last.
    pub background: Option<Background>,
    /// Who starts the daemon.
    pub starter: Starter,
    /// `WATCHDOG_USEC` from the environment: how often systemd wants to hear from us.
    pub watchdog_usec: Option<BString>,
    /// Folders that the PHP build was configured for.
    pub folders: BuildFolders,
    /// The PHP version to be like.
    pub php: PhpVersion,
    /// What the daemon can do; directives of the rest are unknown entries.
    pub features: Vec<Feature>,
}

impl LoadOptions {
    /// Tells whether the daemon has this feature.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

/// What the configuration is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run with it.
    Run,
    /// `-t`: to check it, users and groups included.
    Test,
    /// `-tt`: to check and show it.
    TestAndDump,
}

/// Whether the daemon goes to the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// `-D`
    Daemonize,
    /// `-F`
    Foreground,
}

/// Who starts the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Anybody but root.
    Unprivileged,
    /// Root, so every pool must name a user.
    Root,
    /// Root with `-R`, so a pool may do without.
    RootAllowed,
}

/// Folders that a PHP build was configured for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildFolders {
    /// `--prefix`, where relative paths start that no other prefix applies to.
    pub prefix: BString,
    /// `--localstatedir`, where relative `pid` and `error_log` start.
    pub localstatedir: BString,
    /// `--sysconfdir`, where the configuration file is looked for.
    pub sysconfdir: BString,
}

impl BuildFolders {
    /// Returns the configuration file to use when none is given: below the global prefix if there is one.
    #[must_use]
    pub fn default_file(&self, prefix: Option<&BStr>) -> BString {
        match prefix {
            Some(prefix) => text!(prefix, "/etc/php-fpm.conf"),
            None => text!(self.sysconfdir, "/php-fpm.conf"),
        }
    }
}

/// Something that php-fpm is built with or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// POSIX ACLs on unix sockets: `listen.acl_users`, `listen.acl_groups`.
    Acl,
    /// Notifications to systemd: `systemd_interval`.
    Systemd,
    /// AppArmor hats: `apparmor_hat`.
    AppArmor,
}

/// The seams through which loading sees the machine.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The file system.
    pub files: &'a dyn Files,
    /// Users and groups, asked only when testing.
    pub accounts: &'a dyn Accounts,
    /// Variables and constants in values.
    pub vocabulary: &'a dyn Vocabulary,
}
