//! Where this program lies, so that zygotes are started from what lies there then.
//!
//! Rule: the path as the program was called, symbolic links and all: after an upgrade that moves a link the new program is
//! what runs. What the kernel says (/proc/self/exe) is the file that was started.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Finds the absolute path of this program, which was called as `argv0`. To be asked at the start: later the working
/// directory may be another.
///
/// # Errors
/// When it cannot be found out.
pub(crate) fn path(argv0: &OsStr) -> io::Result<PathBuf> {
    let running = env::current_exe()?;
    let called = Path::new(argv0);
    if called.components().count() < 2 {
        return Ok(searched(called, &running).unwrap_or(running));
    }
    let called = env::current_dir()?.join(called);
    Ok(if is_same(&called, &running) {
        called
    } else {
        running
    })
}

/// Looks for a program in PATH, as the shell did that called it.
fn searched(name: &Path, running: &Path) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_absolute() && is_same(path, running))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_was_called_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("fpmd");
        std::os::unix::fs::symlink(env::current_exe().unwrap(), &link).unwrap();
        assert_eq!(path(link.as_os_str()).unwrap(), link);
    }

    #[test]
    fn a_name_that_is_not_ours_is_not_believed() {
        for name in ["/bin/true", "true", "-fpmd", ""] {
            assert_eq!(
                path(name.as_ref()).unwrap(),
                env::current_exe().unwrap(),
                "{name}"
            );
        }
    }
}
