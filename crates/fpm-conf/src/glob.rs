//! File name patterns as glob(3) of the GNU C library expands them with `GLOB_ERR | GLOB_MARK`.
//!
//! A changer must know: a directory that cannot be read ends everything, because a configuration of which a part is
//! missing must not start. No crate does that, hence our own.

use std::io;

use bstr::{BStr, BString, ByteSlice};

use crate::Files;
use crate::pattern::{is_pattern, matches, unescape};

/// Why there is nothing to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlobError {
    /// Nothing matches.
    NoMatch,
    /// A directory could not be read.
    Aborted,
}

impl GlobError {
    /// Returns the number that glob(3) returns for it.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Aborted => 2,
            Self::NoMatch => 3,
        }
    }
}

/// Longest pattern that is tried, in bytes: no path is longer than 4096 (`PATH_MAX`), but it may be written longer.
const LONGEST_PATTERN: usize = 16 << 10;

/// Returns the paths that match, sorted by their bytes; those of directories end in a slash.
pub(crate) fn glob(pattern: &BStr, files: &dyn Files) -> Result<Vec<BString>, GlobError> {
    // "name/" matches as "name": the mark is added to directories anyway.
    let pattern = match pattern.trim_end_with(|c| c == '/') {
        b"" => pattern.as_bytes(),
        shorter => shorter,
    };
    if pattern.len() > LONGEST_PATTERN {
        return Err(if is_pattern(pattern) {
            GlobError::Aborted
        } else {
            GlobError::NoMatch
        });
    }
    let mut found: Vec<BString> = vec![BString::default()];
    let mut literal_so_far = true;
    let parts: Vec<&[u8]> = pattern.split(|b| *b == b'/').collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let join = |base: &BString, name: &[u8]| {
            let mut path = base.clone();
            path.extend_from_slice(name);
            path
        };
        if is_pattern(part) {
            let mut deeper = Vec::new();
            for base in &found {
                let names = match files.entries(if base.is_empty() {
                    ".".into()
                } else {
                    base.as_bstr()
                }) {
                    Ok(names) => names,
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                    Err(_) => return Err(GlobError::Aborted),
                };
                deeper.extend(
                    names
                        .iter()
                        .filter(|name| matches(part, name))
                        .map(|name| join(base, name)),
                );
            }
            found = deeper;
            literal_so_far = false;
        } else {
            let name = unescape(part);
            found = found.iter().map(|base| join(base, &name)).collect();
            if !literal_so_far || is_last {
                found.retain(|path| path.is_empty() || files.exists(path.as_bstr()));
            }
        }
        if found.is_empty() {
            return Err(GlobError::NoMatch);
        }
        if !is_last {
            found.iter_mut().for_each(|path| path.push(b'/'));
        }
    }
    for path in &mut found {
        if files.is_dir(path.as_bstr()) {
            path.push(b'/');
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryFiles;

    fn found(files: &MemoryFiles, pattern: &str) -> Result<Vec<String>, GlobError> {
        glob(pattern.into(), files).map(|paths| paths.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn sorts_by_bytes_marks_directories_and_leaves_hidden_names_out() {
        let files = MemoryFiles::new([
            ("/c/b.conf", ""),
            ("/c/B.conf", ""),
            ("/c/.h.conf", ""),
            ("/c/d.conf/x", ""),
        ]);
        assert_eq!(
            found(&files, "/c/*.conf").unwrap(),
            ["/c/B.conf", "/c/b.conf", "/c/d.conf/"]
        );
        assert_eq!(found(&files, "/c/.*.conf").unwrap(), ["/c/.h.conf"]);
    }

    #[test]
    fn a_missing_directory_is_an_error_but_a_missing_name_is_no_match() {
        let files = MemoryFiles::new([("/c/b.conf", "")]);
        assert_eq!(found(&files, "/none/*.conf"), Err(GlobError::Aborted));
        assert_eq!(found(&files, "/none/x.conf"), Err(GlobError::NoMatch));
        assert_eq!(found(&files, "/c/*.ini"), Err(GlobError::NoMatch));
        assert_eq!(found(&files, "/c/b.conf/*"), Err(GlobError::NoMatch));
    }

    #[test]
    fn patterns_may_stand_in_directories() {
        let files = MemoryFiles::new([
            ("/c/a/x.conf", ""),
            ("/c/b/x.conf", ""),
            ("/c/b/y.conf", ""),
            ("/c/f", ""),
        ]);
        assert_eq!(
            found(&files, "/c/*/x.conf").unwrap(),
            ["/c/a/x.conf", "/c/b/x.conf"]
        );
        assert_eq!(
            found(&files, "/c/[b]/?.conf").unwrap(),
            ["/c/b/x.conf", "/c/b/y.conf"]
        );
        assert_eq!(found(&files, "/c//a/*").unwrap(), ["/c//a/x.conf"]);
        assert_eq!(found(&files, "/c/a/").unwrap(), ["/c/a/"]);
        assert_eq!(found(&files, "/").unwrap(), ["//"]);
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        let files = MemoryFiles::new([("/c/*.conf", ""), ("/c/a.conf", "")]);
        assert_eq!(found(&files, "/c/\\*.conf").unwrap(), ["/c/*.conf"]);
    }
}
