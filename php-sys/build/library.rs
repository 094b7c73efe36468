//! The libphp of an installation, and how a program gets it.
//!
//! A libphp.so is opened when PHP is started; the program only has to find it. A libphp.a becomes a part of the program,
//! whole: what fpmd does not call, extensions may, which find PHP in the program's own symbols. The libraries that PHP itself
//! needs stay shared ones.

use std::path::{self, Path, PathBuf};
use std::{fs, io};

/// Says what a program with PHP in it exports.
const EXPORTED: &str = "build/exported.map";

/// A libphp to build against.
pub(crate) enum Library {
    /// libphp.so.
    Shared(File),
    /// libphp.a, and what the linker needs beside it.
    Static(File, Needs),
}

/// Where a libphp is.
pub(crate) struct File {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its name as the linker knows it: `php` or `php8.2`.
    pub(crate) name: String,
    /// The file itself.
    pub(crate) path: PathBuf,
}

/// The libraries below a libphp.a.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Their names, in order and once each.
    pub(crate) libraries: Vec<String>,
    /// Where to look for them beside the usual folders.
    pub(crate) folders: Vec<String>,
    /// What else is said there, and not understood here.
    pub(crate) other: Vec<String>,
}

impl Library {
    /// Where it is.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::Shared(file) | Self::Static(file, _) => file,
        }
    }

    /// Returns the argument that the linker needs for each executable. Cargo hands none on from a library, so the build
    /// scripts of all crates with executables do.
    ///
    /// # Errors
    /// When nobody knows where we are.
    pub(crate) fn argument(&self) -> io::Result<String> {
        Ok(match self {
            Self::Shared(file) => format!("-Wl,-rpath,{}", file.folder.display()),
            Self::Static(..) => format!(
                "-Wl,--export-dynamic,--version-script={}",
                path::absolute(EXPORTED)?.display()
            ),
        })
    }

    /// Returns the name to open it by; `None` when it is a part of the program. It is the name of the file itself:
    /// development packages may bring the plain name as a link only.
    ///
    /// # Errors
    /// When the file is gone or has a strange name.
    pub(crate) fn run_time_name(&self) -> Result<Option<String>, String> {
        let Self::Shared(file) = self else {
            return Ok(None);
        };
        let path = file.path.display();
        let real = fs::canonicalize(&file.path).map_err(|error| format!("{path}: {error}"))?;
        match real.file_name().and_then(|name| name.to_str()) {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(format!("{path} is a link to a file without a usual name")),
        }
    }
}

impl File {
    /// Looks for `libNAME.ENDING` below a prefix: our builds call it libphp, Debian libphp8.2.
    pub(crate) fn find(prefix: &Path, minor: &str, ending: &str) -> Option<Self> {
        let folders = [
            "lib",
            "lib64",
            "lib/x86_64-linux-gnu",
            "lib/aarch64-linux-gnu",
        ];
        for folder in folders.map(|folder| prefix.join(folder)) {
            for name in [format!("php{minor}"), "php".to_owned()] {
                let path = folder.join(format!("lib{name}.{ending}"));
                if path.is_file() {
                    return Some(Self { folder, name, path });
                }
            }
        }
        None
    }
}

impl Needs {
    /// Reads what `php-config --ldflags --libs` would have a compiler be told.
    pub(crate) fn read(flags: &str) -> Self {
        let mut needs = Self::default();
        for flag in flags.split_whitespace() {
            let (list, value) = match (flag.strip_prefix("-l"), flag.strip_prefix("-L")) {
                (Some(name), _) => (&mut needs.libraries, name),
                (_, Some(folder)) => (&mut needs.folders, folder),
                _ => (&mut needs.other, flag),
            };
            if !list.iter().any(|known| known == value) {
                list.push(value.to_owned());
            }
        }
        needs
    }
}
