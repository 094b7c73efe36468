//! One PHP installation: what `php-config` and the installed headers say about it, and whether fpmd
//! can be built on it.
//!
//! Thread-safe (ZTS) builds are refused: every global of PHP moves into thread-local storage there,
//! and a process manager that forks has nothing to gain from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// The program that was asked.
    php_config: PathBuf,
    /// Who chose it.
    chosen_by: &'static str,
    /// The folder that holds `main/` and `Zend/`.
    include_root: PathBuf,
    /// The prefix PHP is installed below.
    prefix: PathBuf,
}

/// The shared libphp of an installation.
pub(crate) struct Library {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its file there.
    pub(crate) file: PathBuf,
}

impl Installation {
    /// Asks `php-config` and reads the headers.
    ///
    /// # Errors
    /// A `php-config` that does not run, or missing headers.
    pub(crate) fn ask(found: &Found) -> Result<Self, String> {
        let ask = |option: &str| answer(found, option);
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
        Ok(Self {
            version,
            include_dirs,
            thread_safe,
            php_config: found.php_config.clone(),
            chosen_by: found.chosen_by,
            include_root,
            prefix: PathBuf::from(ask("--prefix")?),
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
            self.php_config.display(),
            self.chosen_by
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

    /// Finds the shared libphp: our builds call it libphp.so, Debian libphp8.2.so.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn library(&self) -> Result<Library, String> {
        let minor = minor(&self.version);
        let names = [format!("php{minor}"), "php".to_owned()];
        let folders = [
            "lib",
            "lib64",
            "lib/x86_64-linux-gnu",
            "lib/aarch64-linux-gnu",
        ];
        for folder in folders.map(|folder| self.prefix.join(folder)) {
            for name in &names {
                let file = folder.join(format!("lib{name}.so"));
                if file.is_file() {
                    return Ok(Library { folder, file });
                }
            }
        }
        Err(format!(
            "{} ({}) has no libphp.so below {}: configure PHP with --enable-embed=shared, \
             install Debian's libphp{minor}-embed, or run `cargo xtask build-php`",
            self.php_config.display(),
            self.chosen_by,
            self.prefix.display(),
        ))
    }

    /// The files whose change makes another build necessary.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        vec![
            self.php_config.clone(),
            self.include_root.join("main/php_version.h"),
            self.include_root.join("main/php_config.h"),
            self.include_root.join("main/build-defs.h"),
        ]
    }
}

impl Library {
    /// Returns the name to open it by: that of the file itself. Development packages may bring the plain name as a link only.
    ///
    /// # Errors
    /// When the file is gone or has a strange name.
    pub(crate) fn run_time_name(&self) -> Result<String, String> {
        let path = self.file.display();
        let file = fs::canonicalize(&self.file).map_err(|error| format!("{path}: {error}"))?;
        let name = file.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned)
            .ok_or_else(|| format!("{path} is a link to a file without a usual name"))
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
