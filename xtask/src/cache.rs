//! Where build-php keeps what it made, outside the checkout, and the stamp that makes a prefix usable.
//!
//! ```text
//! $XDG_CACHE_HOME/fpmd (or ~/.cache/fpmd)
//!   php/8.2.32-1a2b3c4d/                  one finished build: bin, sbin, lib, include, etc
//!   php/8.2.32-1a2b3c4d/build-php.stamp   written last; without it the prefix is rubbish
//!   src/php-8.2.32/                       the unpacked source, never built in (phpt runs its tests)
//!   work/                                 downloads and build trees, removed after success
//! ```
//!
//! php-sys reads this layout too (its own copy of the rule: it cannot depend on xtask).

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::Context as _;

use crate::php_version::{Version, Wanted};

/// The stamp's file name, inside the prefix.
pub(crate) const STAMP: &str = "build-php.stamp";

/// The cache directory.
pub(crate) struct Cache {
    root: PathBuf,
}

/// A finished build of PHP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) version: Version,
    /// What distinguishes builds of one release: the hash of their options.
    pub(crate) key: String,
    pub(crate) prefix: PathBuf,
    /// To be taken unasked only where there is no other (`--debug`, `--static`, `--minimal`).
    pub(crate) special: bool,
}

/// What the stamp of a build records.
pub(crate) struct Stamp<'a> {
    pub(crate) version: Version,
    pub(crate) special: bool,
    pub(crate) source: &'a Path,
    pub(crate) configure: &'a [String],
}

impl Cache {
    /// Finds the cache of the user who runs the command. Nothing is created yet.
    ///
    /// # Errors
    /// When neither XDG_CACHE_HOME nor HOME is an absolute path.
    pub(crate) fn locate() -> anyhow::Result<Cache> {
        let absolute = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .context(
                "cannot tell where the cache is: set HOME (or XDG_CACHE_HOME) to an absolute path",
            )?;
        Ok(Cache {
            root: base.join("fpmd"),
        })
    }

    /// The prefix that a build of this release with these options gets.
    pub(crate) fn prefix(&self, version: Version, key: &str) -> PathBuf {
        self.root.join("php").join(format!("{version}-{key}"))
    }

    /// The unpacked source of a release.
    pub(crate) fn source(&self, version: Version) -> PathBuf {
        self.sources().join(format!("php-{version}"))
    }

    /// The folder of all unpacked sources.
    pub(crate) fn sources(&self) -> PathBuf {
        self.root.join("src")
    }

    /// The folder for downloads and build trees.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// All finished builds, the one to prefer first: highest release, then what is not special, then by name.
    pub(crate) fn builds(&self) -> Vec<Build> {
        let entries = fs::read_dir(self.root.join("php")).into_iter().flatten();
        let mut builds: Vec<Build> = entries
            .filter_map(|entry| Build::read(&entry.ok()?.path()))
            .collect();
        builds.sort_by(|a, b| {
            b.version
                .cmp(&a.version)
                .then(a.special.cmp(&b.special))
                .then(a.key.cmp(&b.key))
        });
        builds
    }

    /// The finished build with these options, if there is one that satisfies the wish (`None`: any release).
    pub(crate) fn find(&self, wanted: Option<Wanted>, key: &str) -> Option<Build> {
        let accepted = |build: &Build| wanted.is_none_or(|wanted| wanted.accepts(build.version));
        self.builds()
            .into_iter()
            .find(|build| build.key == key && accepted(build))
    }

    /// The highest release of a series whose source is unpacked.
    pub(crate) fn newest_source(&self, wanted: Wanted) -> Option<Version> {
        fs::read_dir(self.sources())
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_prefix("php-")?.parse().ok()
            })
            .filter(|version| wanted.accepts(*version))
            .max()
    }
}

impl Build {
    /// Reads a finished build from its prefix; `None` when it is not one of ours or was never finished.
    fn read(prefix: &Path) -> Option<Build> {
        let (version, key) = prefix.file_name()?.to_str()?.split_once('-')?;
        let stamp = fs::read_to_string(prefix.join(STAMP)).ok()?;
        Some(Build {
            version: version.parse().ok()?,
            key: key.to_owned(),
            prefix: prefix.to_owned(),
            special: stamp.lines().any(|line| line == "special=yes"),
        })
    }
}

impl Stamp<'_> {
    /// Declares the prefix finished.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, prefix: &Path) -> io::Result<()> {
        let text = format!(
            "version={}\nspecial={}\nsource={}\nconfigure={}\n",
            self.version,
            if self.special { "yes" } else { "no" },
            self.source.display(),
            self.configure.join(" ")
        );
        // Renamed into place, so that a full disk or a power cut cannot leave half a stamp that looks whole.
        let unfinished = prefix.join("build-php.stamp.new");
        fs::write(&unfinished, text)?;
        fs::rename(unfinished, prefix.join(STAMP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(cache: &Cache, name: &str, special: bool) {
        let (version, key) = name.split_once('-').unwrap();
        let version = version.parse().unwrap();
        let prefix = cache.prefix(version, key);
        fs::create_dir_all(&prefix).unwrap();
        Stamp {
            version,
            special,
            source: Path::new("/s"),
            configure: &[],
        }
        .write(&prefix)
        .unwrap();
    }

    #[test]
    fn only_stamped_prefixes_count_and_the_highest_release_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            root: directory.path().to_owned(),
        };
        assert!(cache.builds().is_empty());
        finished(&cache, "8.2.9-aaaaaaaa", false);
        finished(&cache, "8.2.32-bbbbbbbb", true);
        finished(&cache, "8.2.32-cccccccc", false);
        fs::create_dir_all(cache.root.join("php/8.4.1-dddddddd")).unwrap();
        fs::create_dir_all(cache.root.join("php/odd")).unwrap();

        let order: Vec<String> = cache.builds().into_iter().map(|build| build.key).collect();
        assert_eq!(order, ["cccccccc", "bbbbbbbb", "aaaaaaaa"]);

        let series = Some("8.2".parse().unwrap());
        assert_eq!(
            cache.find(series, "aaaaaaaa").unwrap().version.to_string(),
            "8.2.9"
        );
        assert!(
            cache
                .find(Some("8.2.32".parse().unwrap()), "aaaaaaaa")
                .is_none()
        );
        assert!(cache.find(None, "dddddddd").is_none());
    }

    #[test]
    fn the_newest_source_is_compared_by_number() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            root: directory.path().to_owned(),
        };
        for name in [
            "php-8.2.9",
            "php-8.2.32",
            "php-8.4.1",
            "php-8.2.40.unpacking",
        ] {
            fs::create_dir_all(cache.sources().join(name)).unwrap();
        }
        let newest = cache.newest_source("8.2".parse().unwrap()).unwrap();
        assert_eq!(newest.to_string(), "8.2.32");
    }
}
