//! Finds the `php-config` of the PHP to build against. Explicit wishes come first and are never
//! silently replaced by a guess: a wrong `FPMD_PHP_PREFIX`, `PHP_CONFIG` or `FPMD_PHP_VERSION` is
//! an error.
//!
//! Counterpart: the cache is written by `xtask` (`cargo xtask build-php`).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The variables that decide; a change of any of them runs the build script again.
pub(crate) const ENVIRONMENT: &[&str] = &[
    "FPMD_PHP_PREFIX",
    "PHP_CONFIG",
    "FPMD_PHP_VERSION",
    "XDG_CACHE_HOME",
    "HOME",
    "PATH",
];

/// The version taken from the cache when nobody asks for another.
const DEFAULT_VERSION: &str = "8.2";
/// Written last by build-php: a prefix without it is an interrupted build.
const STAMP: &str = "build-php.stamp";

/// Where a `php-config` was found.
pub(crate) struct Found {
    /// The program.
    pub(crate) php_config: PathBuf,
    /// Who chose it, for messages.
    pub(crate) chosen_by: &'static str,
}

/// Returns the `php-config` to ask.
///
/// # Errors
/// An explicit choice that does not exist, or no PHP at all.
pub(crate) fn php_config() -> Result<Found, String> {
    if let Some(prefix) = setting("FPMD_PHP_PREFIX") {
        let php_config = Path::new(&prefix).join("bin/php-config");
        return existing(php_config, "FPMD_PHP_PREFIX");
    }
    if let Some(path) = setting("PHP_CONFIG") {
        return existing(PathBuf::from(path), "PHP_CONFIG");
    }
    let wanted = setting("FPMD_PHP_VERSION").map(|version| version.to_string_lossy().into_owned());
    if let Some(prefix) = cached(wanted.as_deref().unwrap_or(DEFAULT_VERSION)) {
        return existing(
            prefix.join("bin/php-config"),
            "the cache of `cargo xtask build-php`",
        );
    }
    if let Some(version) = wanted {
        return Err(format!(
            "FPMD_PHP_VERSION={version}: no such PHP in the cache; build it with `cargo xtask build-php --version {version}`"
        ));
    }
    match on_path("php-config") {
        Some(php_config) => Ok(Found { php_config, chosen_by: "the PATH" }),
        None => Err("no PHP found: run `cargo xtask build-php`, or install php-config and libphp (Debian: php8.2-dev and \
                     libphp8.2-embed), or name a prefix in FPMD_PHP_PREFIX"
            .to_owned()),
    }
}

/// Reads a variable; an empty one counts as unset.
fn setting(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn existing(php_config: PathBuf, chosen_by: &'static str) -> Result<Found, String> {
    if php_config.is_file() {
        return Ok(Found {
            php_config,
            chosen_by,
        });
    }
    Err(format!(
        "{chosen_by} leads to {}, which does not exist",
        php_config.display()
    ))
}

/// Returns the best finished build of `version` (`8.2` or `8.2.32`): the highest version, not one
/// for a special purpose (`--debug`, `--static`, `--minimal`), then the youngest.
fn cached(version: &str) -> Option<PathBuf> {
    let cache = match setting("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&setting("HOME")?).join(".cache"),
    };
    let prefixes = fs::read_dir(cache.join("fpmd/php")).ok()?;
    prefixes
        .filter_map(|entry| {
            let prefix = entry.ok()?.path();
            let stamp = prefix.join(STAMP);
            let text = fs::read_to_string(&stamp).ok()?;
            let built = value(&text, "version")?;
            let belongs = built == version || built.starts_with(&format!("{version}."));
            let usual = value(&text, "special") != Some("yes");
            let age = fs::metadata(&stamp).ok()?.modified().ok()?;
            belongs.then(|| ((numbers(built), usual, age), prefix))
        })
        .max()
        .map(|(_, prefix)| prefix)
}

/// Finds `key=value` in a stamp.
fn value<'a>(stamp: &'a str, key: &str) -> Option<&'a str> {
    stamp
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// Makes versions comparable: `8.2.9` is below `8.2.32`.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&setting("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
