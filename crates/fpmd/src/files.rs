//! The files of this machine for a look that leaves no trace.
//!
//! php-fpm makes the logs of a configuration even where it only tests it, and so does `-t`.

use std::io;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{Files, OsFiles};
use nix::errno::Errno;

/// The real file system, in which no log is made that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilesAsTheyAre;

impl Files for FilesAsTheyAre {
    fn read(&self, path: &BStr) -> io::Result<Vec<u8>> {
        OsFiles.read(path)
    }

    fn entries(&self, directory: &BStr) -> io::Result<Vec<BString>> {
        OsFiles.entries(directory)
    }

    fn exists(&self, path: &BStr) -> bool {
        OsFiles.exists(path)
    }

    fn is_dir(&self, path: &BStr) -> bool {
        OsFiles.is_dir(path)
    }

    /// A log that is missing can be made, as far as can be told, when there is a folder for it.
    fn touch_log(&self, path: &BStr) -> io::Result<()> {
        if OsFiles.exists(path) {
            return OsFiles.touch_log(path);
        }
        let folder = match path.rfind_byte(b'/') {
            Some(0) => "/".into(),
            Some(slash) => path[..slash].as_bstr(),
            None => ".".into(),
        };
        if OsFiles.is_dir(folder) {
            Ok(())
        } else {
            Err(Errno::ENOENT.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn no_log_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| {
            let path = folder.path().join(name);
            let touched = FilesAsTheyAre.touch_log(path.as_os_str().as_bytes().into());
            touched.map_err(|error| error.kind())
        };
        assert_eq!(touch("log"), Ok(()));
        assert_eq!(touch("none/log"), Err(io::ErrorKind::NotFound));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(folder.path().join("log"), "kept").unwrap();
        assert_eq!(touch("log"), Ok(()));
        assert_eq!(fs::read(folder.path().join("log")).unwrap(), b"kept");
        assert_eq!(touch(""), Err(io::ErrorKind::IsADirectory));
    }
}
