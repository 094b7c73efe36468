//! One configuration: its files, the command line, the environment.

use std::fmt;
use std::fs;
use std::path::Path;

use fpmd_tests::Result;

/// A configuration to check. `@DIR@` in its files, arguments and environment stands for the directory it lies in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    /// Says what is special about it; unique.
    pub(crate) name: String,
    /// Files by name; the main one is `php-fpm.conf`. A name that ends in a slash is an empty directory.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Further arguments, after `-n -tt -y php-fpm.conf`.
    pub(crate) arguments: Vec<String>,
    /// Variables in the environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// Starts every configuration: a log in the case's own directory.
pub(crate) const GLOBAL: &str = "[global]\nerror_log = @DIR@/error.log\n";

/// A pool with nothing wrong in it.
pub(crate) const POOL: &str = "[www]
user = www-data
listen = @DIR@/www.sock
pm = dynamic
pm.max_children = 10
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
";

impl Case {
    /// Returns a case with only a main file.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            files: vec![("php-fpm.conf".into(), text.into())],
            ..Self::default()
        }
    }

    /// Adds a file.
    pub(crate) fn file(mut self, name: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Adds arguments.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Adds a variable to the environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes the files.
    pub(crate) fn write(&self, directory: &Path) -> Result {
        for (name, text) in &self.files {
            let path = directory.join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path)?;
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, placed(text, directory))?;
        }
        Ok(())
    }
}

/// Puts the directory's path where `@DIR@` stands.
pub(crate) fn placed(text: &[u8], directory: &Path) -> Vec<u8> {
    const MARK: &[u8] = b"@DIR@";
    let mut placed = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        placed.extend_from_slice(&rest[..at]);
        placed.extend_from_slice(directory.as_os_str().as_encoded_bytes());
        rest = &rest[at + MARK.len()..];
    }
    placed.extend_from_slice(rest);
    placed
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.files {
            writeln!(f, "{name}:")?;
            for line in text.split(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(line);
                writeln!(f, "    {}", line.chars().take(200).collect::<String>())?;
            }
        }
        writeln!(
            f,
            "arguments {:?}, environment {:?}",
            self.arguments, self.environment
        )
    }
}
