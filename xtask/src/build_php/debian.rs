//! Debian's source packages of PHP: their `.orig.tar` is the official release, untouched.
//!
//! Rule: the machine's own apt configuration is read and never written. The lists live in the cache, and
//! only the apt-get commands of this file are told about them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use xshell::{Shell, cmd};

use super::apt_sources::{self, Format, SourcesFile};
use crate::cache::Cache;
use crate::php_version::{Series, Version, Wanted};

/// Which release of Debian carries which PHP.
const CARRIED_BY: [(Series, &str); 2] = [(Series(8, 2), "bookworm"), (Series(8, 4), "trixie")];

/// Downloads the upstream archive of a source package that satisfies the wish, verified by apt.
///
/// # Errors
/// When no release of Debian carries the series, the machine has no Debian sources, or nothing can be fetched.
pub(super) fn download(sh: &Shell, cache: &Cache, wanted: Wanted) -> anyhow::Result<PathBuf> {
    let series = wanted.series();
    let (_, suite) = CARRIED_BY
        .iter()
        .find(|(carried, _)| *carried == series)
        .with_context(|| format!("no release of Debian known here carries PHP {series}"))?;
    let private = cache.work().join(format!("apt-{suite}"));
    let apt = &prepare(sh, &private, suite)?;
    cmd!(sh, "apt-get {apt...} --quiet update")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .with_context(|| format!("cannot fetch the list of {suite}'s source packages"))?;

    let package = format!("php{series}");
    // apt-get calls an unreachable mirror a warning; then there are no lists to look into.
    let records = cmd!(sh, "apt-cache {apt...} showsrc --only-source {package}")
        .quiet()
        .ignore_stderr()
        .read()
        .map_err(|_| anyhow!("no list of {suite}'s source packages; is there a network?"))?;
    let candidates = candidates(&records, wanted);
    // The newest version may be listed while its files are not on the mirror (yet, or any more).
    for (_, candidate) in &candidates {
        let download = sh.push_dir(&private);
        let fetched = cmd!(
            sh,
            "apt-get {apt...} --quiet --download-only source {package}={candidate}"
        )
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run();
        drop(download);
        if fetched.is_ok() {
            let kept = keep_archive(cache, &private);
            sh.remove_path(&private)?;
            eprintln!("fetched the source package {package} {candidate} of {suite}");
            return kept;
        }
        eprintln!("{suite} lists {package} {candidate}, but its files cannot be fetched");
    }
    if candidates.is_empty() {
        bail!("{suite} has no {package} of release {wanted}");
    }
    bail!("none of {suite}'s versions of {package} could be fetched")
}

/// Writes the private list and returns apt's options for using it and nothing of the system's.
fn prepare(sh: &Shell, private: &Path, suite: &str) -> anyhow::Result<Vec<OsString>> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let own = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("this is not a release of Debian (no VERSION_CODENAME in /etc/os-release)")?;
    let list = apt_sources::source_list(&machine_sources()?, own, suite);
    if list.is_empty() {
        bail!("the machine's package sources name no Debian archive for {own}");
    }
    sh.remove_path(private)?;
    sh.create_dir(private.join("lists/partial"))?;
    sh.create_dir(private.join("cache/archives/partial"))?;
    let list_file = private.join("php.sources");
    fs::write(&list_file, list)?;

    let settings = [
        ("Dir::Etc::sourcelist=", list_file.as_path()),
        ("Dir::Etc::sourceparts=", Path::new("-")),
        ("Dir::State::lists=", &private.join("lists")),
        ("Dir::Cache=", &private.join("cache")),
    ];
    let mut options = Vec::new();
    for (name, value) in settings {
        let mut setting = OsString::from(name);
        setting.push(value);
        options.extend(["-o".into(), setting]);
    }
    // apt's download user could not write into a cache below root's home.
    options.extend(["-o".into(), "APT::Sandbox::User=root".into()]);
    Ok(options)
}

/// Reads the machine's lists, in the order in which apt does.
fn machine_sources() -> anyhow::Result<Vec<SourcesFile>> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    let mut parts: Vec<PathBuf> = fs::read_dir("/etc/apt/sources.list.d")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        })
        .unwrap_or_default();
    parts.sort();
    paths.append(&mut parts);
    let mut files = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => Format::OneLine,
            Some("sources") => Format::Deb822,
            _ => continue,
        };
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push(SourcesFile { format, text });
    }
    Ok(files)
}

/// The versions in `apt-cache showsrc`'s records that satisfy the wish, newest release first, one each.
fn candidates(records: &str, wanted: Wanted) -> Vec<(Version, String)> {
    let mut found: Vec<(Version, String)> = records
        .lines()
        .filter_map(|line| line.strip_prefix("Version: "))
        .filter_map(|text| Some((Version::from_start(text)?, text.to_owned())))
        .filter(|(version, _)| wanted.accepts(*version))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.dedup();
    found
}

/// Moves the upstream archive among the fetched files to where downloads are.
fn keep_archive(cache: &Cache, fetched: &Path) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(fetched)? {
        let entry = entry?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.contains(".orig.tar.") && !name.ends_with(".asc"))
        {
            let kept = cache.work().join(&name);
            fs::rename(entry.path(), &kept)?;
            return Ok(kept);
        }
    }
    bail!("the source package has no .orig.tar file")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = "Package: php8.2\nVersion: 8.2.7-1~deb12u1\n\nPackage: php8.2\nVersion: 8.2.35-1~deb12u1\n\
        \nPackage: php8.2\nVersion: 8.2.32-1~deb12u1\n\nPackage: php8.2\nVersion: 8.2.32-1~deb12u1\n";

    #[test]
    fn candidates_come_newest_first_and_once() {
        let found = candidates(RECORDS, "8.2".parse().unwrap());
        let versions: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            versions,
            ["8.2.35-1~deb12u1", "8.2.32-1~deb12u1", "8.2.7-1~deb12u1"]
        );
    }

    #[test]
    fn an_exact_wish_leaves_only_that_release() {
        let found = candidates(RECORDS, "8.2.32".parse().unwrap());
        assert_eq!(found.len(), 1);
        assert!(candidates(RECORDS, "8.2.33".parse().unwrap()).is_empty());
    }
}
