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

    /// Opens a log for appending, creates it with mode 0600 if it is missing, and closes it again.
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
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path.to_path_lossy())
            .map(drop)
    }
}

/// "File too large" on Linux (asm-generic/errno-base.h).
const EFBIG: i32 = 27;
