//! Which PHP a command uses, and how cargo and fpmd are told.
//!
//! `quickest` is for commands that need some libphp and care for their time: what the caller names, what is
//! built already, the distribution's package, and only then a source build.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use xshell::Shell;

use crate::build_php::Request;
use crate::cache::{Build, Cache};
use crate::packages;
use crate::php_version::{SUPPORTED, Series, Wanted};

/// A PHP that is installed on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Php {
    /// Made by build-php.
    Built(Build),
    /// The distribution's: libphpX.Y-embed with phpX.Y-dev.
    Packaged(Series),
    /// Named by the caller's FPMD_PHP_PREFIX or PHP_CONFIG, which are handed on as they are.
    Named(OsString),
}

/// What the choice depends on.
struct Found {
    named: Option<OsString>,
    /// The one to prefer first.
    builds: Vec<Build>,
    /// The series whose packages are installed, and those that apt could install.
    installed: Vec<Series>,
    available: Vec<Series>,
}

/// How to come by a PHP.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Take(Php),
    Install(Series),
    Build(Series),
}

impl Php {
    /// Chooses the PHP that is ready soonest and makes it ready.
    ///
    /// # Errors
    /// When packages cannot be installed or the source build fails.
    pub(crate) fn quickest(sh: &Shell) -> anyhow::Result<Php> {
        packages::fetch_lists_once(sh);
        let of_all = |is: &dyn Fn(Series) -> bool| -> Vec<Series> {
            SUPPORTED.into_iter().filter(|series| is(*series)).collect()
        };
        let found = Found {
            named: env::var_os("FPMD_PHP_PREFIX").or_else(|| env::var_os("PHP_CONFIG")),
            builds: Cache::locate()?.builds(),
            installed: of_all(&|series| php_config(series).exists() && libphp(series).exists()),
            available: of_all(&|series| {
                packages::is_available(sh, &format!("libphp{series}-embed"))
            }),
        };
        match choose(&found) {
            Way::Take(php) => Ok(php),
            Way::Install(series) => Php::install(sh, series),
            Way::Build(series) => Php::build(sh, Wanted::Newest(series)),
        }
    }

    /// Takes the distribution's PHP, installing it where needed.
    ///
    /// # Errors
    /// When the distribution has none that is supported, or the packages cannot be installed.
    pub(crate) fn packaged(sh: &Shell) -> anyhow::Result<Php> {
        packages::fetch_lists_once(sh);
        let series = SUPPORTED
            .into_iter()
            .find(|series| packages::is_available(sh, &format!("libphp{series}-embed")));
        match series {
            Some(series) => Php::install(sh, series),
            None => anyhow::bail!("this distribution packages no libphp that fpmd supports"),
        }
    }

    /// Takes the plain build of a version, making it where needed.
    ///
    /// # Errors
    /// As [`Request::run`].
    pub(crate) fn build(sh: &Shell, wanted: Wanted) -> anyhow::Result<Php> {
        Ok(Php::Built(Request::plain(wanted).run(sh)?))
    }

    fn install(sh: &Shell, series: Series) -> anyhow::Result<Php> {
        let names = [format!("libphp{series}-embed"), format!("php{series}-dev")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        packages::install_named(sh, "the distribution's libphp", &names)?;
        Ok(Php::Packaged(series))
    }

    /// The environment variables that make cargo build against this PHP.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Php::Built(build) => vec![("FPMD_PHP_PREFIX", build.prefix.clone().into())],
            Php::Packaged(series) => vec![("PHP_CONFIG", php_config(*series).into())],
            Php::Named(_) => Vec::new(),
        }
    }

    /// The options of fpmd that switch opcache on: a build of ours has it, but no php.ini that says so.
    pub(crate) fn opcache(&self) -> &'static [&'static str] {
        match self {
            Php::Built(_) => &["-d", "zend_extension=opcache"],
            Php::Packaged(_) | Php::Named(_) => &[],
        }
    }

    /// What to call it in a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            Php::Built(build) => format!("PHP {} from {}", build.version, build.prefix.display()),
            Php::Packaged(series) => format!("the distribution's PHP {series}"),
            Php::Named(place) => format!("the PHP of {}", Path::new(place).display()),
        }
    }
}

fn choose(found: &Found) -> Way {
    if let Some(place) = &found.named {
        return Way::Take(Php::Named(place.clone()));
    }
    if let Some(build) = found
        .builds
        .iter()
        .find(|build| SUPPORTED.contains(&build.version.series))
    {
        return Way::Take(Php::Built(build.clone()));
    }
    if let Some(series) = found.installed.first() {
        return Way::Take(Php::Packaged(*series));
    }
    match found.available.first() {
        Some(series) => Way::Install(*series),
        None => Way::Build(SUPPORTED[0]),
    }
}

/// Debian's `php-config` of a series; other series may be installed beside it.
fn php_config(series: Series) -> PathBuf {
    format!("/usr/bin/php-config{series}").into()
}

fn libphp(series: Series) -> PathBuf {
    format!("/usr/lib/libphp{series}.so").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHP_8_4: Series = Series(8, 4);

    fn nothing() -> Found {
        Found {
            named: None,
            builds: vec![],
            installed: vec![],
            available: vec![],
        }
    }

    fn build(version: &str) -> Build {
        Build {
            version: version.parse().unwrap(),
            key: "0".to_owned(),
            prefix: "/p".into(),
            special: false,
        }
    }

    #[test]
    fn the_quickest_way_is_taken() {
        let mut found = nothing();
        assert_eq!(choose(&found), Way::Build(SUPPORTED[0]));
        found.available = vec![PHP_8_4];
        assert_eq!(choose(&found), Way::Install(PHP_8_4));
        found.installed = vec![PHP_8_4];
        assert_eq!(choose(&found), Way::Take(Php::Packaged(PHP_8_4)));
        found.builds = vec![build("8.4.2"), build("8.2.1")];
        assert_eq!(choose(&found), Way::Take(Php::Built(build("8.4.2"))));
        found.named = Some("/opt/php".into());
        assert_eq!(choose(&found), Way::Take(Php::Named("/opt/php".into())));
    }

    #[test]
    fn builds_of_series_that_are_not_supported_do_not_count() {
        let found = Found {
            builds: vec![build("7.4.33")],
            ..nothing()
        };
        assert_eq!(choose(&found), Way::Build(SUPPORTED[0]));
    }
}
