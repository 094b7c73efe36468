//! Gets PHP's source: what the caller gave, the cache, the official release, Debian's source package.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use xshell::{Shell, cmd};

use super::{Given, debian, release};
use crate::cache::Cache;
use crate::php_version::{SUPPORTED, Series, Version, Wanted};

/// An unpacked source tree with its `configure`.
pub(super) struct Source {
    pub(super) version: Version,
    pub(super) directory: PathBuf,
}

/// Fetches the archive of a release that satisfies the wish and returns its path.
type Download = fn(&Shell, &Cache, Wanted) -> anyhow::Result<PathBuf>;

/// Gets the source of a release that satisfies the wish.
///
/// # Errors
/// When what was given is not a release of PHP that fpmd supports, or every place failed; the message then
/// lists each place with its reason.
pub(super) fn obtain(
    sh: &Shell,
    cache: &Cache,
    wanted: Option<Wanted>,
    given: &Given,
    key: &str,
) -> anyhow::Result<Source> {
    let source = match given {
        Given::Directory(directory) => inspect(directory)?,
        // Beside the releases, under the build's key: it may be a changed one.
        Given::Tarball(tarball) => unpack(sh, cache, tarball, |version| {
            cache.sources().join(format!("php-{version}-{key}"))
        })?,
        Given::Nothing => {
            let wanted =
                wanted.context("say which PHP: --version 8.2, --tarball FILE or --source DIR")?;
            without_help(sh, cache, wanted)?
        }
    };
    if wanted.is_some_and(|wanted| !wanted.accepts(source.version)) {
        bail!(
            "{} is PHP {}, not what --version asks for",
            source.directory.display(),
            source.version
        );
    }
    ensure_supported(source.version.series, source.version)?;
    Ok(source)
}

fn ensure_supported(series: Series, what: impl Display) -> anyhow::Result<()> {
    let supported = SUPPORTED.map(|series| series.to_string()).join(" and ");
    ensure!(
        SUPPORTED.contains(&series),
        "fpmd does not support PHP {what}, only {supported}"
    );
    Ok(())
}

fn without_help(sh: &Shell, cache: &Cache, wanted: Wanted) -> anyhow::Result<Source> {
    ensure_supported(wanted.series(), wanted)?;
    if let Some(version) = cache.newest_source(wanted) {
        return inspect(&cache.source(version));
    }
    let places: [(&str, Download); 2] = [
        ("the official release", release::download),
        ("Debian's source package", debian::download),
    ];
    let mut reasons = String::new();
    for (place, download) in places {
        match download(sh, cache, wanted) {
            Ok(tarball) => {
                let source = unpack(sh, cache, &tarball, |version| cache.source(version));
                // Unpacked or broken: nobody needs the archive any more.
                fs::remove_file(&tarball)?;
                return source;
            }
            Err(error) => {
                eprintln!("{place}: {error:#}");
                reasons.push_str(&format!("\n    {place}: {error:#}"));
            }
        }
    }
    bail!(
        "found no source of PHP {wanted}:{reasons}\nIf you have an archive or a tree of it, give it with --tarball FILE or --source DIR."
    )
}

/// Looks what a source tree is.
fn inspect(directory: &Path) -> anyhow::Result<Source> {
    let directory = directory
        .canonicalize()
        .with_context(|| format!("cannot open the source tree {}", directory.display()))?;
    let header = directory.join("main/php_version.h");
    let version = fs::read_to_string(&header)
        .ok()
        .and_then(|text| Version::from_header(&text))
        .with_context(|| {
            format!(
                "{} is not PHP's source (main/php_version.h)",
                directory.display()
            )
        })?;
    if !directory.join("configure").exists() {
        bail!(
            "{} has no ./configure; run ./buildconf there first (it needs autoconf, bison and re2c)",
            directory.display()
        );
    }
    Ok(Source { version, directory })
}

/// Unpacks an archive to the place that `place` names; a half unpacked tree never gets there.
fn unpack(
    sh: &Shell,
    cache: &Cache,
    tarball: &Path,
    place: impl Fn(Version) -> PathBuf,
) -> anyhow::Result<Source> {
    let unfinished = cache.sources().join("unpacking");
    sh.remove_path(&unfinished)?;
    sh.create_dir(&unfinished)?;
    cmd!(sh, "tar --extract --file {tarball} --directory {unfinished} --strip-components=1 --no-same-owner")
        .quiet()
        .run()
        .with_context(|| format!("cannot unpack {}", tarball.display()))?;
    let version = inspect(&unfinished)?.version;
    let directory = place(version);
    sh.remove_path(&directory)?;
    fs::rename(&unfinished, &directory)?;
    Ok(Source { version, directory })
}
