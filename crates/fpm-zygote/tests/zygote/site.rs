//! A directory with scripts, a listening socket and a pool for them.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use bstr::BString;
use fpm_conf::Pool;
use tempfile::TempDir;

/// Scripts and the pool that serves them; everything is gone when it is dropped.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) pool: Pool,
}

impl Site {
    /// Makes a site with one script, `x.php`.
    pub(crate) fn new(code: &str) -> Site {
        let directory = TempDir::new().expect("a temporary directory");
        let socket = directory.path().join("x.sock");
        let mut pool = Pool::new("www", socket.to_str().expect("a plain path"));
        pool.pm_max_children = 4;
        let site = Site { directory, pool };
        site.script("x.php", code);
        site
    }

    /// Adds a script and returns its path.
    pub(crate) fn script(&self, name: &str, code: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, format!("<?php\n{code}\n")).expect("a script can be written");
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("x.sock")
    }

    /// Opens the pool's socket.
    pub(crate) fn listen(&self) -> OwnedFd {
        let listener = UnixListener::bind(self.socket()).expect("the socket can be bound");
        listener.set_nonblocking(true).expect("fcntl");
        listener.into()
    }

    /// Sets a `php_admin_value`.
    pub(crate) fn php(&mut self, key: &str, value: &str) -> &mut Site {
        let value: (BString, BString) = (key.into(), value.into());
        self.pool.php_admin_value.push(value);
        self
    }
}
