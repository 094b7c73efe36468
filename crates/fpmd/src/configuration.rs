//! Finding and loading the configuration file.

use std::env;
use std::os::unix::ffi::OsStringExt;

use bstr::{BString, ByteSlice};
use fpm_conf::{ConfError, Feature, Files, LoadOptions, Loaded, OsFiles, Starter, Surroundings};
use nix::unistd::Uid;

use crate::accounts::OsAccounts;
use crate::cli::{Options, Root};
use crate::files::FilesAsTheyAre;
use crate::php;
use crate::vocabulary::Words;

/// The ini entry that names the configuration file when the command line does not.
const FPM_CONFIG: &str = "fpm.config";

/// Loads the configuration that the command line, php.ini or the build names.
///
/// # Errors
/// When it cannot be used; the error carries what is to be said.
pub(crate) fn load(options: &Options) -> Result<Loaded, ConfError> {
    load_from(options, &OsFiles)
}

/// Loads the configuration as [`load`] would, and makes none of its logs.
///
/// # Errors
/// As [`load`].
pub(crate) fn preview(options: &Options) -> Result<Loaded, ConfError> {
    load_from(options, &FilesAsTheyAre)
}

fn load_from(options: &Options, files: &dyn Files) -> Result<Loaded, ConfError> {
    let words = Words::new(&options.php);
    let name = file(options, &words);
    let around = around(&words, files);
    fpm_conf::load(name.as_bstr(), &load_options(options), around)
}

/// Finds out where a daemon with this configuration takes orders; returns the configuration file's name as well.
pub(crate) fn control_listen(options: &Options) -> (BString, Result<Option<BString>, ConfError>) {
    let words = Words::new(&options.php);
    let name = file(options, &words);
    let around = around(&words, &OsFiles);
    let found = fpm_conf::control_listen(name.as_bstr(), &load_options(options), around);
    (name, found)
}

/// Puts together what a configuration may ask for.
fn around<'a>(words: &'a Words<'_>, files: &'a dyn Files) -> Surroundings<'a> {
    Surroundings {
        files,
        accounts: &OsAccounts,
        vocabulary: words,
    }
}

/// Returns the name of the configuration file.
fn file(options: &Options, words: &Words<'_>) -> BString {
    let named = options.config.clone().or_else(|| {
        words
            .setting(FPM_CONFIG.into())
            .filter(|name| !name.is_empty())
    });
    named.unwrap_or_else(|| {
        let prefix = options.prefix.as_ref().map(|prefix| prefix.as_bstr());
        php::folders().default_file(prefix)
    })
}

fn load_options(options: &Options) -> LoadOptions {
    LoadOptions {
        purpose: options.purpose,
        prefix: options.prefix.clone(),
        pid: options.pid.clone(),
        background: options.background,
        starter: starter(options.root),
        watchdog_usec: env::var_os("WATCHDOG_USEC").map(|value| BString::from(value.into_vec())),
        folders: php::folders(),
        php: php::version(),
        features: vec![Feature::Acl, Feature::Systemd, Feature::AppArmor],
    }
}

fn starter(root: Root) -> Starter {
    match root {
        _ if !Uid::effective().is_root() => Starter::Unprivileged,
        Root::Refused => Starter::Root,
        Root::Allowed => Starter::RootAllowed,
    }
}
