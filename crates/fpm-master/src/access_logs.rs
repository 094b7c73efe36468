//! The access logs of all pools: opened by the master, written by workers.
//!
//! Rule: a worker never opens one; it may not have the right to, and inside a chroot the path means another file.
//!
//! Original: sapi/fpm/fpm/fpm_log.c (`fpm_log_open`)

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use bstr::BString;
use fpm_conf::Config;

use crate::error::MasterError;

/// Names of standard error. It is copied, for it may be a socket (journald's), which cannot be opened.
const STDERR: [&[u8]; 3] = [b"/dev/stderr", b"/dev/fd/2", b"/proc/self/fd/2"];

/// The open logs, and which pool has which.
#[derive(Debug, Default)]
pub(crate) struct AccessLogs {
    files: Vec<File>,
    /// In the order of the pools.
    of_pool: Vec<Option<u32>>,
}

impl AccessLogs {
    /// Opens the logs of all pools, in their order.
    pub(crate) fn open(config: &Config) -> Result<AccessLogs, MasterError> {
        let mut logs = AccessLogs::default();
        for pool in &config.pools {
            let Some(path) = &pool.access_log else {
                logs.of_pool.push(None);
                continue;
            };
            let index =
                u32::try_from(logs.files.len()).expect("a process has far fewer than 2^32 files");
            logs.files.push(open(path)?);
            logs.of_pool.push(Some(index));
        }
        Ok(logs)
    }

    /// Returns the open files.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// Returns, for each pool, the index of its file.
    pub(crate) fn of_pools(&self) -> impl Iterator<Item = Option<u32>> {
        self.of_pool.iter().copied()
    }
}

fn open(path: &BString) -> Result<File, MasterError> {
    let opened = if STDERR.contains(&path.as_slice()) {
        io::stderr().as_fd().try_clone_to_owned().map(File::from)
    } else {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(OsStr::from_bytes(path))
    };
    opened.map_err(|source| MasterError::AccessLog {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use fpm_conf::Pool;

    use super::*;

    fn pool(log: Option<&str>) -> Pool {
        let mut pool = Pool::new("www", "/run/www.sock");
        pool.access_log = log.map(BString::from);
        pool
    }

    #[test]
    fn pools_with_and_without_a_log_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let pools = vec![
            pool(None),
            pool(Some(&path("a"))),
            pool(None),
            pool(Some(&path("b"))),
        ];
        let logs = AccessLogs::open(&Config {
            pools,
            ..Config::default()
        })
        .unwrap();
        assert!(logs.of_pools().eq([None, Some(0), None, Some(1)]));
        assert_eq!(logs.files().len(), 2);
        assert!(folder.path().join("b").exists());
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_named() {
        let pools = vec![pool(Some("/no/such/folder/log"))];
        let error = AccessLogs::open(&Config {
            pools,
            ..Config::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to open access log (/no/such/folder/log): No such file or directory (2)"
        );
    }
}
