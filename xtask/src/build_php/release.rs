//! PHP's official releases: the ones whose checksum we know, and their download.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use xshell::{Shell, cmd};

use crate::cache::Cache;
use crate::php_version::{Series, Version, Wanted};

/// A release that may be downloaded.
struct Release {
    version: Version,
    /// Of `php-X.Y.Z.tar.xz`. Checked against the release manager's signature when it was added here.
    sha256: &'static str,
}

/// One release per series is enough: the newest that the project was tested with.
const RELEASES: [Release; 2] = [
    Release {
        version: Version {
            series: Series(8, 2),
            patch: 32,
        },
        sha256: "e02aa173c236c12791696254d607da680e6d5516f8f5c2339642de7c4f944bd2",
    },
    Release {
        version: Version {
            series: Series(8, 4),
            patch: 24,
        },
        sha256: "e127be09a8506f4327c5cfa78a614b00d210714484ec215ce0011b4a03c00731",
    },
];

/// Downloads a pinned release that satisfies the wish; gives up after seconds when the site is not reached.
///
/// # Errors
/// When no pinned release satisfies the wish, the site is not reached or the checksum differs.
pub(super) fn download(sh: &Shell, cache: &Cache, wanted: Wanted) -> anyhow::Result<PathBuf> {
    let release = RELEASES
        .iter()
        .find(|release| wanted.accepts(release.version))
        .with_context(|| format!("no checksum of PHP {wanted} is known here"))?;
    let name = format!("php-{}.tar.xz", release.version);
    let url = format!("https://www.php.net/distributions/{name}");
    let checksum = format!("SHA256:{}", release.sha256);
    let tarball = cache.work().join(name);
    sh.create_dir(cache.work())?;
    // apt's own downloader is on every Debian machine and checks the sum; curl may not be there yet.
    let quick = [
        "Acquire::http::Timeout=8",
        "Acquire::https::Timeout=8",
        "Acquire::Retries=0",
    ];
    let quick = quick.into_iter().flat_map(|option| ["-o", option]);
    cmd!(
        sh,
        "/usr/lib/apt/apt-helper {quick...} download-file {url} {tarball} {checksum}"
    )
    .quiet()
    .ignore_stdout()
    .ignore_stderr()
    .run()
    .map_err(|_| anyhow!("{url} was not reached, or is not the file it should be"))?;
    Ok(tarball)
}
