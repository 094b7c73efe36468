//! Debian packages of PHP applications, unpacked into a directory instead of being installed.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

use crate::{Result, Site, tool};

/// A tree of unpacked packages that is removed when dropped.
#[derive(Debug)]
pub struct Packages {
    site: Site,
}

impl Packages {
    /// Fetches the packages (once; they are kept in `~/.cache/fpmd/debs`) and unpacks them together.
    ///
    /// # Errors
    /// Fails when apt does not know a package or cannot fetch it.
    pub fn unpack(names: &[&str]) -> Result<Self> {
        let unpacker = tool::find("dpkg-deb", "dpkg")?;
        let cache = cache("debs")?;
        let site = Site::new()?;
        for name in names {
            let file = fetch(&cache, name)?;
            let status = Command::new(&unpacker)
                .arg("-x")
                .arg(&file)
                .arg(site.root())
                .status()?;
            ensure!(status.success(), "dpkg-deb -x {} failed", file.display());
        }
        let packages = Self { site };
        packages.turn_links(packages.root())?;
        Ok(packages)
    }

    /// What would be `/` if the packages were installed.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.site.root()
    }

    /// Where an installed path is now.
    #[must_use]
    pub fn path(&self, installed: &str) -> PathBuf {
        self.root().join(installed.trim_start_matches('/'))
    }

    /// Makes the PHP files below an installed path name the packages' files by where they are now.
    ///
    /// # Errors
    /// Fails when a file cannot be rewritten.
    pub fn relocate(&self, installed: &str) -> Result {
        let root = self.root().to_string_lossy().into_owned();
        each_file(&self.path(installed), &mut |file| {
            if file.extension().is_some_and(|extension| extension == "php") {
                let old = String::from_utf8_lossy(&fs::read(file)?).into_owned();
                let mut new = old.clone();
                for quote in ['\'', '"'] {
                    for folder in ["/usr/share/", "/etc/", "/var/lib/"] {
                        new = new.replace(
                            &format!("{quote}{folder}"),
                            &format!("{quote}{root}{folder}"),
                        );
                    }
                }
                if new != old {
                    fs::write(file, new)?;
                }
            }
            Ok(())
        })
    }

    /// Lets every user write below an installed path.
    ///
    /// # Errors
    /// Fails when there is no such path.
    pub fn open_to_all(&self, installed: &str) -> Result {
        let folder = self.path(installed);
        fs::create_dir_all(&folder)?;
        let status = Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(&folder)
            .status()?;
        ensure!(status.success(), "chmod {} failed", folder.display());
        Ok(())
    }

    /// Packages link to absolute paths of each other; those must stay within the tree.
    fn turn_links(&self, folder: &Path) -> Result {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                self.turn_links(&path)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&path)?;
                if let Ok(inside) = target.strip_prefix("/") {
                    fs::remove_file(&path)?;
                    symlink(self.root().join(inside), &path)?;
                }
            }
        }
        Ok(())
    }
}

fn each_file(folder: &Path, visit: &mut dyn FnMut(&Path) -> Result) -> Result {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            each_file(&path, visit)?;
        } else if kind.is_file() {
            visit(&path)?;
        }
    }
    Ok(())
}

/// Returns a folder of that name where things are kept from one run to the next.
pub(crate) fn cache(name: &str) -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("fpmd").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The package's file in the cache, fetched when it is not there yet. One process fetches at a time.
fn fetch(cache: &Path, name: &str) -> Result<PathBuf> {
    let lock = File::create(cache.join("lock"))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    let find = || -> Result<Option<PathBuf>> {
        for entry in fs::read_dir(cache)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.ends_with(".deb") && file.split('_').next() == Some(name) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    };
    if let Some(file) = find()? {
        return Ok(file);
    }
    let apt = tool::find("apt-get", "apt")?;
    let run = |arguments: &[&str]| {
        Command::new(&apt)
            .args(arguments)
            .current_dir(cache)
            .output()
    };
    let mut fetched = run(&["download", name])?;
    if !fetched.status.success() && Uid::effective().is_root() {
        // A fresh machine has no lists of packages yet.
        run(&["update"])?;
        fetched = run(&["download", name])?;
    }
    ensure!(
        fetched.status.success(),
        "apt-get download {name} failed: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    find()?.with_context(|| format!("apt-get download {name} left no file"))
}
