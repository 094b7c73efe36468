//! Finding and loading the configuration file.

use std::env;
use std::os::unix::ffi::OsStringExt;

use bstr::{BString, ByteSlice};
use fpm_conf::{ConfError, Feature, LoadOptions, Loaded, OsFiles, Starter, Surroundings};
use nix::unistd::Uid;

use crate::accounts::OsAccounts;
use crate::cli::{Options, Root};
use crate::php;
use crate::vocabulary::Words;

/// The ini entry that names the configuration file when the command line does not.
const FPM_CONFIG: &str = "fpm.config";

/// Loads the configuration that the command line, php.ini or the build names.
///
/// # Errors
/// When it cannot be used; the error carries what is to be said.
pub(crate) fn load(options: &Options) -> Result<Loaded, ConfError> {
    let words = Words::new(&options.php);
    let folders = php::folders();
    let name = options
        .config
        .clone()
        .or_else(|| {
            words
                .setting(FPM_CONFIG.into())
                .filter(|name| !name.is_empty())
        })
        .unwrap_or_else(|| {
            folders.default_file(options.prefix.as_ref().map(|prefix| prefix.as_bstr()))
        });
    let load_options = LoadOptions {
        purpose: options.purpose,
        prefix: options.prefix.clone(),
        pid: options.pid.clone(),
        background: options.background,
        starter: starter(options.root),
        watchdog_usec: env::var_os("WATCHDOG_USEC").map(|value| BString::from(value.into_vec())),
        folders,
        php: php::version(),
        features: vec![Feature::Acl, Feature::Systemd, Feature::AppArmor],
    };
    let around = Surroundings {
        files: &OsFiles,
        accounts: &OsAccounts,
        vocabulary: &words,
    };
    fpm_conf::load(name.as_bstr(), &load_options, around)
}

fn starter(root: Root) -> Starter {
    match root {
        _ if !Uid::effective().is_root() => Starter::Unprivileged,
        Root::Refused => Starter::Root,
        Root::Allowed => Starter::RootAllowed,
    }
}
