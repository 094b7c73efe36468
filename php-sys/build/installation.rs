//! One PHP installation: what `php-config` and the installed headers say about it, and whether fpmd
//! can be built on it.
//!
//! Thread-safe (ZTS) builds are refused: every global of PHP moves into thread-local storage there,
//! and a process manager that forks has nothing to gain from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::{File, Library, Needs};
use crate::locate::Found;

/// The minor versions whose structures the shim knows.
const SUPPORTED: &[&str] = &["8.2", "8.4"];

/// A PHP to build against.
pub(crate) struct Installation {
    /// `X.Y.Z` as in php_version.h.
    pub(crate) version: String,
    /// Folders of the headers.
    pub(crate) include_dirs: Vec<PathBuf>,
    /// Whether PHP was built with thread safety.
    thread_safe: bool,
    /// The program that was asked, and who chose it.
    found: Found,
    /// The folder that holds `main/` and `Zend/`.
    include_root: PathBuf,
    /// The prefix PHP is installed below.
    prefix: PathBuf,
}

impl Installation {
    /// Asks `php-config` and reads the headers.
    ///
    /// # Errors
    /// A `php-config` that does not run, or missing headers.
    pub(crate) fn read(found: Found) -> Result<Self, String> {
        let ask = |option: &str| answer(&found, option);
        let include_root = PathBuf::from(ask("--include-dir")?);
        let include_dirs = ask("--includes")?
            .split_whitespace()
            .filter_map(|flag| flag.strip_prefix("-I"))
            .map(PathBuf::from)
            .collect();
        let version = define(&include_root.join("main/php_version.h"), "PHP_VERSION")?
            .ok_or_else(|| format!("{} does not define PHP_VERSION", include_root.display()))?;
        let thread_safe = define(&include_root.join("main/php_config.h"), "ZTS")?
            .is_some_and(|value| value == "1");
        let prefix = PathBuf::from(ask("--prefix")?);
        Ok(Self {
            version,
            include_dirs,
            thread_safe,
            found,
            include_root,
            prefix,
        })
    }

    /// Refuses what fpmd cannot run on.
    ///
    /// # Errors
    /// The reason and the cure.
    pub(crate) fn check(&self) -> Result<(), String> {
        let who = format!(
            "PHP {} ({}, chosen by {})",
            self.version,
            self.found.php_config.display(),
            self.found.chosen_by
        );
        if !SUPPORTED.contains(&minor(&self.version)) {
            return Err(format!(
                "{who} is not supported: fpmd knows the structures of PHP {}; build one with `cargo xtask build-php --version {}`",
                SUPPORTED.join(" and "),
                SUPPORTED[0],
            ));
        }
        if self.thread_safe {
            return Err(format!(
                "{who} is a thread-safe (ZTS) build: fpmd forks its workers and needs a build without --enable-zts; \
                 build one with `cargo xtask build-php`"
            ));
        }
        Ok(())
    }

    /// Finds its libphp: the shared one, or the static one where it is alone.
    ///
    /// # Errors
    /// There is none, or `php-config` does not say what a static one needs.
    pub(crate) fn library(&self) -> Result<Library, String> {
        let minor = minor(&self.version);
        if let Some(file) = File::find(&self.prefix, minor, "so") {
            return Ok(Library::Shared(file));
        }
        if let Some(file) = File::find(&self.prefix, minor, "a") {
            let needs = format!(
                "{} {}",
                answer(&self.found, "--ldflags")?,
                answer(&self.found, "--libs")?
            );
            return Ok(Library::Static(file, Needs::read(&needs)));
        }
        Err(format!(
            "{} ({}) has no libphp.so or libphp.a below {}: configure PHP with --enable-embed, \
             install Debian's libphp{minor}-embed, or run `cargo xtask build-php`",
            self.found.php_config.display(),
            self.found.chosen_by,
            self.prefix.display(),
        ))
    }

    /// The files whose change makes another build necessary.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        vec![
            self.found.php_config.clone(),
            self.include_root.join("main/php_version.h"),
            self.include_root.join("main/php_config.h"),
            self.include_root.join("main/build-defs.h"),
        ]
    }
}

/// `8.2` of `8.2.32`.
fn minor(version: &str) -> &str {
    version.rsplit_once('.').map_or(version, |(minor, _)| minor)
}

/// Asks `php-config` for one of its answers.
fn answer(found: &Found, option: &str) -> Result<String, String> {
    let who = format!("{} ({})", found.php_config.display(), found.chosen_by);
    let output = Command::new(&found.php_config)
        .arg(option)
        .output()
        .map_err(|error| format!("{who} does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{who} does not answer {option} as a php-config does ({})",
            output.status
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the value of a `#define` without quotes, or `None` when the header does not have it.
fn define(header: &Path, name: &str) -> Result<Option<String>, String> {
    let text = fs::read_to_string(header).map_err(|error| {
        format!(
            "{}: {error} (are PHP's headers installed?)",
            header.display()
        )
    })?;
    Ok(text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.next() == Some("#define") && words.next() == Some(name);
        is_it.then(|| {
            words
                .collect::<Vec<_>>()
                .join(" ")
                .trim_matches('"')
                .to_owned()
        })
    }))
}
