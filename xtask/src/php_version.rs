//! PHP's version numbers: what was asked for (`8.2`, `8.4.24`) and what a tree or a build is.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};

/// The release series that fpmd supports; the first one is the default of every command.
pub(crate) const SUPPORTED: [Series; 2] = [Series(8, 2), Series(8, 4)];

/// A release series such as 8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series(pub(crate) u16, pub(crate) u16);

/// One release such as 8.2.32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) series: Series,
    pub(crate) patch: u16,
}

/// What a person asks for on the command line: the newest of a series, or one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `8.2`: whichever release of the series is the easiest to get.
    Newest(Series),
    /// `8.2.32`: this release and no other.
    Exactly(Version),
}

impl Wanted {
    /// Says whether a release satisfies the wish.
    pub(crate) fn accepts(self, version: Version) -> bool {
        match self {
            Wanted::Newest(series) => version.series == series,
            Wanted::Exactly(exact) => version == exact,
        }
    }

    /// The series that the wish is about.
    pub(crate) fn series(self) -> Series {
        match self {
            Wanted::Newest(series) => series,
            Wanted::Exactly(version) => version.series,
        }
    }
}

impl Version {
    /// Finds the release in the text of PHP's `main/php_version.h`.
    pub(crate) fn from_header(text: &str) -> Option<Version> {
        text.lines()
            .find_map(|line| line.strip_prefix("#define PHP_VERSION "))
            .and_then(|quoted| Version::from_start(quoted.trim().trim_matches('"')))
    }

    /// Reads the release at the start of a longer text: `8.4.0RC1` and `8.2.32-1~deb12u1` have one.
    pub(crate) fn from_start(text: &str) -> Option<Version> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        text[..end].parse().ok()
    }
}

impl FromStr for Series {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Series> {
        match text.parse()? {
            Wanted::Newest(series) => Ok(series),
            Wanted::Exactly(_) => bail!("'{text}' is a release; a series is two numbers, like 8.2"),
        }
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Version> {
        match text.parse()? {
            Wanted::Exactly(version) => Ok(version),
            Wanted::Newest(_) => {
                bail!("'{text}' is a series; a release is three numbers, like 8.2.32")
            }
        }
    }
}

impl FromStr for Wanted {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Wanted> {
        let numbers = text
            .split('.')
            .map(str::parse)
            .collect::<Result<Vec<u16>, _>>()
            .with_context(|| format!("'{text}' is not a PHP version; examples: 8.2, 8.4.24"))?;
        match numbers[..] {
            [major, minor] => Ok(Wanted::Newest(Series(major, minor))),
            [major, minor, patch] => Ok(Wanted::Exactly(Version {
                series: Series(major, minor),
                patch,
            })),
            _ => bail!("'{text}' is not a PHP version; examples: 8.2, 8.4.24"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.series, self.patch)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Newest(series) => series.fmt(f),
            Wanted::Exactly(version) => version.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn reads_what_a_person_types() {
        assert_eq!(
            "8.2".parse::<Wanted>().unwrap(),
            Wanted::Newest(Series(8, 2))
        );
        assert_eq!(
            "8.4.24".parse::<Wanted>().unwrap(),
            Wanted::Exactly(version("8.4.24"))
        );
        for wrong in ["", "8", "8.", "8.2.x", "8.2.3.4", "v8.2", "8.2.32-1"] {
            assert!(wrong.parse::<Wanted>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn compares_numbers_not_text() {
        assert!(version("8.2.9") < version("8.2.32"));
        assert!(version("8.10.0") > version("8.9.99"));
    }

    #[test]
    fn a_wish_accepts_its_releases() {
        let series: Wanted = "8.2".parse().unwrap();
        assert!(series.accepts(version("8.2.1")) && !series.accepts(version("8.4.1")));
        let exact: Wanted = "8.2.1".parse().unwrap();
        assert!(exact.accepts(version("8.2.1")) && !exact.accepts(version("8.2.2")));
    }

    #[test]
    fn finds_the_release_in_headers_and_package_versions() {
        let header = "#define PHP_MAJOR_VERSION 8\n#define PHP_VERSION \"8.4.0-dev\"\n#define PHP_VERSION_ID 80400\n";
        assert_eq!(Version::from_header(header), Some(version("8.4.0")));
        assert_eq!(
            Version::from_start("8.2.32-1~deb12u1"),
            Some(version("8.2.32"))
        );
        assert_eq!(Version::from_start("2:8.2"), None);
    }
}
