//! Where PHP looks for php.ini and the scan directory when libphp is a distribution's.
//!
//! Debian keeps a folder of settings for each SAPI: `/etc/php/8.2/embed` is compiled into libphp
//! (and `/etc/php/8.2/cli` into the headers that go with it), but an administrator keeps the
//! settings of php-fpm in `/etc/php/8.2/fpm`. When that folder stands beside the compiled one, it
//! is used in its place; everything else of PHP's search stays as it is.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The folder names of the SAPIs that libphp and its headers are packaged for.
const PACKAGED: [&str; 2] = ["embed", "cli"];
/// The folder name that php-fpm would use.
const FPM: &str = "fpm";

/// What decides where PHP looks, apart from the file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// Folder of php.ini compiled into libphp.
    pub(crate) compiled: &'a Path,
    /// Scan directories compiled into libphp.
    pub(crate) compiled_scan: &'a Path,
    /// The variable PHPRC.
    pub(crate) phprc: Option<&'a OsStr>,
    /// The variable PHP_INI_SCAN_DIR.
    pub(crate) scan_dir: Option<&'a OsStr>,
    /// The executable.
    pub(crate) program: &'a Path,
}

/// Returns the search path for php.ini that replaces PHP's own, or `None` when that one is right.
pub(crate) fn ini_path(search: Search<'_>, is_dir: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let fpm = beside_packaged(search.compiled, &is_dir)?;
    let mut path = Vec::new();
    for folder in [search.phprc, search.program.parent().map(Path::as_os_str)]
        .into_iter()
        .flatten()
    {
        if !folder.is_empty() {
            path.extend_from_slice(folder.as_bytes());
            path.push(b':');
        }
    }
    path.extend_from_slice(fpm.as_os_str().as_bytes());
    Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// Returns the value that PHP_INI_SCAN_DIR must have while PHP starts, or `None` when PHP's own
/// rule is right. An empty part of the variable stands for the compiled folder.
pub(crate) fn scan_path(search: Search<'_>, is_dir: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let fpm = beside_packaged(search.compiled_scan, &is_dir)?;
    let Some(given) = search.scan_dir else {
        return Some(fpm);
    };
    let fpm = fpm.as_os_str().as_bytes();
    let parts: Vec<&[u8]> = given
        .as_bytes()
        .split(|&byte| byte == b':')
        .map(|part| if part.is_empty() { fpm } else { part })
        .collect();
    // All of an empty variable means: no scan directory at all.
    (!given.is_empty()).then(|| PathBuf::from(std::ffi::OsString::from_vec(parts.join(&b':'))))
}

/// Returns `…/fpm/rest` for `…/embed/rest` when `…/fpm` exists.
pub(crate) fn beside_packaged(compiled: &Path, is_dir: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let is_packaged = |folder: &&Path| {
        let name = folder.file_name().unwrap_or_default();
        PACKAGED.iter().any(|packaged| name == *packaged)
    };
    let packaged = compiled.ancestors().find(is_packaged)?;
    let fpm = packaged.with_file_name(FPM);
    if !is_dir(&fpm) {
        return None;
    }
    let rest = compiled.strip_prefix(packaged).ok()?;
    Some(if rest.as_os_str().is_empty() {
        fpm
    } else {
        fpm.join(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debian() -> Search<'static> {
        Search {
            compiled: Path::new("/etc/php/8.2/embed"),
            compiled_scan: Path::new("/etc/php/8.2/embed/conf.d"),
            phprc: None,
            scan_dir: None,
            program: Path::new("/usr/sbin/fpmd"),
        }
    }

    fn has_fpm(path: &Path) -> bool {
        path == Path::new("/etc/php/8.2/fpm")
    }

    #[test]
    fn the_fpm_folder_beside_packaged_is_used() {
        assert_eq!(
            ini_path(debian(), has_fpm),
            Some("/usr/sbin:/etc/php/8.2/fpm".into())
        );
        assert_eq!(
            scan_path(debian(), has_fpm),
            Some("/etc/php/8.2/fpm/conf.d".into())
        );
        let headers = Search {
            compiled: Path::new("/etc/php/8.2/cli"),
            ..debian()
        };
        assert_eq!(
            ini_path(headers, has_fpm),
            Some("/usr/sbin:/etc/php/8.2/fpm".into())
        );
    }

    #[test]
    fn without_it_phps_own_search_stays() {
        assert_eq!(ini_path(debian(), |_| false), None);
        assert_eq!(scan_path(debian(), |_| false), None);
        let source = Search {
            compiled: Path::new("/opt/php/etc"),
            compiled_scan: Path::new(""),
            ..debian()
        };
        assert_eq!(ini_path(source, |_| true), None);
        assert_eq!(scan_path(source, |_| true), None);
    }

    #[test]
    fn the_variables_keep_their_place() {
        let search = Search {
            phprc: Some(OsStr::new("/srv/ini")),
            ..debian()
        };
        assert_eq!(
            ini_path(search, has_fpm),
            Some("/srv/ini:/usr/sbin:/etc/php/8.2/fpm".into())
        );
        for (given, used) in [
            ("/a", "/a"),
            (":/a", "/etc/php/8.2/fpm/conf.d:/a"),
            ("/a:", "/a:/etc/php/8.2/fpm/conf.d"),
        ] {
            let search = Search {
                scan_dir: Some(OsStr::new(given)),
                ..debian()
            };
            assert_eq!(scan_path(search, has_fpm), Some(used.into()), "{given}");
        }
        assert_eq!(
            scan_path(
                Search {
                    scan_dir: Some(OsStr::new("")),
                    ..debian()
                },
                has_fpm
            ),
            None
        );
    }
}
