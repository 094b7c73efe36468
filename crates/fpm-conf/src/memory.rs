//! A machine in memory for this crate's tests: files, accounts, words.
//!
//! A changer must know: its errors are those that Linux gives in the same place, because messages show them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bstr::{BStr, BString, ByteSlice};

use crate::{Accounts, Files, Vocabulary};

/// Files by path; every parent of a file is a directory.
#[derive(Debug, Default)]
pub(crate) struct MemoryFiles {
    files: BTreeMap<BString, Vec<u8>>,
    directories: BTreeSet<BString>,
    touched: RefCell<Vec<BString>>,
}

impl MemoryFiles {
    pub(crate) fn new<T: AsRef<[u8]>>(files: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let mut memory = Self::default();
        for (path, text) in files {
            memory.files.insert(path.into(), text.as_ref().to_vec());
            memory.directory(&path[..path.rfind('/').unwrap_or(0)]);
        }
        memory
    }

    /// Adds a directory with its parents.
    pub(crate) fn directory(&mut self, path: &str) {
        for (slash, _) in path.match_indices('/') {
            self.directories.insert(path[..slash].into());
        }
        self.directories.insert(path.into());
        self.directories.insert("/".into());
    }

    /// Returns the logs that were touched, in order.
    #[cfg(test)]
    pub(crate) fn touched(&self) -> Vec<BString> {
        self.touched.borrow().clone()
    }

    fn plain(path: &BStr) -> BString {
        let mut plain = BString::default();
        for part in path.split_str("/").filter(|part| !part.is_empty()) {
            plain.push(b'/');
            plain.extend_from_slice(part);
        }
        if plain.is_empty() { "/".into() } else { plain }
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &BStr) -> io::Result<Vec<u8>> {
        match self.files.get(&Self::plain(path)) {
            Some(text) => Ok(text.clone()),
            None if self.is_dir(path) => Ok(Vec::new()),
            None => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn entries(&self, directory: &BStr) -> io::Result<Vec<BString>> {
        if self.files.contains_key(&Self::plain(directory)) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if !self.is_dir(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut base = Self::plain(directory);
        if base != "/" {
            base.push(b'/');
        }
        let below = self.files.keys().chain(&self.directories);
        let names = below
            .filter_map(|path| path.strip_prefix(base.as_slice()))
            .filter(|name| !name.is_empty() && !name.contains(&b'/'));
        Ok(names.map(BString::from).collect())
    }

    fn exists(&self, path: &BStr) -> bool {
        self.files.contains_key(&Self::plain(path)) || self.is_dir(path)
    }

    fn is_dir(&self, path: &BStr) -> bool {
        self.directories.contains(&Self::plain(path))
    }

    fn touch_log(&self, path: &BStr) -> io::Result<()> {
        if !path.is_empty() && self.is_dir(path) {
            return Err(io::Error::from_raw_os_error(21));
        }
        let parent = path
            .rfind_byte(b'/')
            .map_or(BStr::new(""), |slash| path[..slash].as_bstr());
        if path.is_empty() || !self.is_dir(parent) {
            return Err(io::Error::from_raw_os_error(2));
        }
        self.touched.borrow_mut().push(path.to_owned());
        Ok(())
    }
}

/// Knows one variable, `NAME`, and one constant, `MEMORY_CONSTANT`.
pub(crate) struct MemoryVocabulary;

impl Vocabulary for MemoryVocabulary {
    fn variable(&self, name: &BStr) -> Option<BString> {
        (name == "NAME").then(|| "of variable".into())
    }

    fn constant(&self, name: &BStr) -> Option<BString> {
        (name == "MEMORY_CONSTANT").then(|| "of constant".into())
    }
}

/// Knows the user and group `www`.
pub(crate) struct MemoryAccounts;

impl Accounts for MemoryAccounts {
    fn find_user(&self, name: &BStr) -> io::Result<()> {
        if name == "www" {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(2))
        }
    }

    fn find_group(&self, name: &BStr) -> io::Result<()> {
        self.find_user(name)
    }
}
