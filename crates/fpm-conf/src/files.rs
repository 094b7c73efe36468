//! The file system as loading sees it: the one seam that tests replace to load without one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

use bstr::{BStr, BString, ByteSlice};

/// Longest configuration file that is read, in bytes. The original has no limit and dies on `/dev/zero`.
const LONGEST_FILE: u64 = 64 << 20;

/// Gives access to files by path.
pub trait Files {
    /// Returns the text of a file. When reading stops with an error, as on a directory, the text before it is all.
    ///
    /// # Errors
    /// The file cannot be opened, or is larger than a configuration can be.
    fn read(&self, path: &BStr) -> io::Result<Vec<u8>>;

    /// Returns the names in a directory in any order, without `.` and `..`.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn entries(&self, directory: &BStr) -> io::Result<Vec<BString>>;

    /// Tells whether something has this name, be it a dangling link.
    fn exists(&self, path: &BStr) -> bool;

    /// Tells whether the path leads to a directory.
    fn is_dir(&self, path: &BStr) -> bool;

    /// Opens a log for appending, creates it with mode 0600 if it is missing, and closes it again. Never waits for its reader.
    ///
    /// # Errors
    /// It cannot be opened.
    fn touch_log(&self, path: &BStr) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFiles;

impl Files for OsFiles {
    fn read(&self, path: &BStr) -> io::Result<Vec<u8>> {
        let file = File::open(path.to_path_lossy())?;
        let mut text = Vec::new();
        let _incomplete = file.take(LONGEST_FILE + 1).read_to_end(&mut text);
        if text.len() as u64 > LONGEST_FILE {
            return Err(io::Error::from_raw_os_error(EFBIG));
        }
        Ok(text)
    }

    fn entries(&self, directory: &BStr) -> io::Result<Vec<BString>> {
        fs::read_dir(directory.to_path_lossy())?
            .map(|entry| Ok(entry?.file_name().into_vec().into()))
            .collect()
    }

    fn exists(&self, path: &BStr) -> bool {
        fs::symlink_metadata(path.to_path_lossy()).is_ok()
    }

    fn is_dir(&self, path: &BStr) -> bool {
        path.to_path_lossy().is_dir()
    }

    fn touch_log(&self, path: &BStr) -> io::Result<()> {
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(O_NONBLOCK)
            .open(path.to_path_lossy());
        match opened {
            // A named pipe that nobody reads, or a socket (standard error, with journald): there it is.
            Err(error) if error.raw_os_error() == Some(ENXIO) => Ok(()),
            opened => opened.map(drop),
        }
    }
}

/// "No such device or address", and not to wait for a reader, on Linux (asm-generic/errno-base.h, fcntl.h).
const ENXIO: i32 = 6;
const O_NONBLOCK: i32 = 0o4000;

/// "File too large" on Linux (asm-generic/errno-base.h).
const EFBIG: i32 = 27;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_reads_as_an_empty_file() {
        let home = tempfile::tempdir().unwrap();
        let path = BString::from(home.path().as_os_str().as_encoded_bytes());
        assert_eq!(OsFiles.read(path.as_bstr()).unwrap(), b"");
        assert_eq!(
            OsFiles.read("/none".into()).unwrap_err().raw_os_error(),
            Some(2)
        );
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let error = OsFiles.read("/dev/zero".into()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EFBIG));
    }

    #[test]
    fn names_are_bytes_and_dangling_links_exist() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &[u8]| {
            let mut path = BString::from(home.path().as_os_str().as_encoded_bytes());
            path.push(b'/');
            path.extend_from_slice(name);
            path
        };
        let odd = path(b"\xff");
        fs::write(odd.to_path_lossy(), "text").unwrap();
        symlink("/none", path(b"link").to_path_lossy()).unwrap();

        let mut names = OsFiles.entries(path(b"").as_bstr()).unwrap();
        names.sort();
        assert_eq!(names, [b"link".as_slice(), b"\xff"]);
        assert_eq!(OsFiles.read(odd.as_bstr()).unwrap(), b"text");
        assert!(OsFiles.exists(path(b"link").as_bstr()) && !OsFiles.exists(path(b"x").as_bstr()));
        assert!(OsFiles.is_dir(path(b"").as_bstr()) && !OsFiles.is_dir(odd.as_bstr()));
        assert!(OsFiles.entries(odd.as_bstr()).unwrap_err().kind() == io::ErrorKind::NotADirectory);
    }

    #[test]
    fn logs_are_private_and_keep_what_is_in_them() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("log");
        let path = BString::from(file.as_os_str().as_encoded_bytes());
        OsFiles.touch_log(path.as_bstr()).unwrap();
        // The umask of whoever runs this may only take bits away.
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o177, 0);
        fs::write(&file, "kept").unwrap();
        OsFiles.touch_log(path.as_bstr()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }
}
