//! The demo's folder: conf/'s files, copied and fitted to this machine.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

/// The address in conf/nginx.conf that the demo's port replaces.
const EXAMPLE_ADDRESS: &str = "127.0.0.1:8080";

/// The page, relative to conf/ and to the demo's folder.
const PAGE: &str = "demo/index.php";

/// Directives that need root and are mandatory for nobody else.
const FOR_ROOT: [&str; 4] = ["user", "group", "listen.owner", "listen.group"];

/// A folder with everything that both daemons read and write; removed at the end.
pub(super) struct Site {
    directory: TempDir,
}

impl Site {
    /// Copies the examples.
    ///
    /// # Errors
    /// When the folder cannot be made or an example is missing.
    pub(super) fn create(examples: &Path, port: u16) -> anyhow::Result<Site> {
        let directory = tempfile::Builder::new().prefix("fpmd-demo-").tempdir()?;
        let root = directory.path();
        // The workers run as another user and read the page here.
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
        for folder in ["run", "log", "pool.d", "demo"] {
            fs::create_dir(root.join(folder))?;
        }
        for file in ["php-fpm.conf", "php.ini", "fastcgi.conf", PAGE] {
            let copied = fs::copy(examples.join(file), root.join(file));
            copied.with_context(|| format!("cannot copy conf/{file}"))?;
        }
        // opcache leaves out what was written this moment; the page is as old as its original.
        let age = fs::metadata(examples.join(PAGE))?.modified()?;
        File::options()
            .append(true)
            .open(root.join(PAGE))?
            .set_modified(age)?;
        let fitted = |file: &str, fit: &dyn Fn(&str) -> String| -> anyhow::Result<()> {
            let text = fs::read_to_string(examples.join(file))
                .with_context(|| format!("cannot read conf/{file}"))?;
            Ok(fs::write(root.join(file), fit(&text))?)
        };
        fitted("nginx.conf", &|text| {
            text.replace(EXAMPLE_ADDRESS, &format!("127.0.0.1:{port}"))
        })?;
        let is_root = nix::unistd::geteuid().is_root();
        fitted("pool.d/www.conf", &|text| {
            if is_root {
                text.to_owned()
            } else {
                without_roots_directives(text)
            }
        })?;
        Ok(Site { directory })
    }

    /// The folder, which is also both daemons' prefix.
    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The pool's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.root().join("run/www.sock")
    }

    /// The page.
    pub(super) fn script(&self) -> PathBuf {
        self.root().join(PAGE)
    }

    /// Says whether fpmd takes connections.
    pub(super) fn socket_accepts(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }
}

/// Only root may change users; for anybody else fpmd runs as who they are.
fn without_roots_directives(pool: &str) -> String {
    let is_roots = |line: &&str| {
        line.split_once('=')
            .is_some_and(|(directive, _)| FOR_ROOT.contains(&directive.trim()))
    };
    pool.lines()
        .filter(|line| !is_roots(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_keeps_the_rest_of_the_pool() {
        let pool = "[www]\nuser = www-data\ngroup=www-data\n; user = x\nlisten = a\nlisten.owner = b\nlisten.mode = 0660\n";
        assert_eq!(
            without_roots_directives(pool),
            "[www]\n; user = x\nlisten = a\nlisten.mode = 0660\n"
        );
    }

    #[test]
    fn the_examples_are_all_there() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
        let site = Site::create(&examples, 4711).unwrap();
        let nginx = fs::read_to_string(site.root().join("nginx.conf")).unwrap();
        assert!(nginx.contains("listen 127.0.0.1:4711;") && !nginx.contains(EXAMPLE_ADDRESS));
        assert!(site.script().exists() && !site.socket_accepts());
    }
}
