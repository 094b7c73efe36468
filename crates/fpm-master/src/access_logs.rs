//! The access logs of all pools: opened by the master, written by workers.
//!
//! Rule: a worker never opens one; it may not have the right to, and inside a chroot the path means another file. None makes a
//! worker wait ([`fpm_os::sink`]).
//!
//! Original: sapi/fpm/fpm/fpm_log.c (`fpm_log_open`)

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bstr::BString;
use fpm_conf::{Config, PoolIndex};
use fpm_os::sink;

use crate::error::MasterError;
use crate::upgrade::state;

/// Names of standard error. It is copied, for it may be a socket (journald's), which cannot be opened.
const STDERR: [&[u8]; 3] = [b"/dev/stderr", b"/dev/fd/2", b"/proc/self/fd/2"];

/// The open logs, in the order of the pools.
#[derive(Debug, Default)]
pub(crate) struct AccessLogs {
    of_pool: Vec<Option<AccessLog>>,
}

#[derive(Debug)]
struct AccessLog {
    path: BString,
    /// Shared with what waits to be sent to workers.
    file: Arc<File>,
}

/// What became of opening all logs again.
#[derive(Debug)]
pub(crate) enum Reopened {
    /// No pool keeps one.
    None,
    /// They are open.
    All,
    /// Some could not be opened and are as they were.
    NotAll(Vec<MasterError>),
}

impl AccessLogs {
    /// Opens the logs of all pools but those that are `known`. One that is standard error goes where `stderr` does, if that is
    /// known.
    pub(crate) fn open(
        config: &Config,
        stderr: Option<&Arc<File>>,
        known: impl Fn(PoolIndex) -> Option<Arc<File>>,
    ) -> Result<AccessLogs, MasterError> {
        let pools = (0..).map(PoolIndex).zip(&config.pools);
        let logs = pools.map(|(index, pool)| {
            let Some(path) = pool.access_log.clone() else {
                return Ok(None);
            };
            let log = match known(index) {
                Some(file) => AccessLog { path, file },
                None => AccessLog::open(path, stderr)?,
            };
            Ok(Some(log))
        });
        let of_pool: Result<_, MasterError> = logs.collect();
        Ok(AccessLogs { of_pool: of_pool? })
    }

    /// Describes the logs for another program.
    pub(crate) fn describe(&self) -> Vec<Option<state::AccessLog>> {
        let logs = self.of_pool.iter();
        let described = logs.map(|log| {
            log.as_ref().map(|log| state::AccessLog {
                path: log.path.clone(),
                descriptor: log.file.as_raw_fd(),
            })
        });
        described.collect()
    }

    /// Returns the open files.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.of_pool.iter().flatten().map(|log| log.file.as_fd())
    }

    /// Makes logs of what another program had open: the path and the file of each pool that keeps one.
    pub(crate) fn adopted(logs: Vec<Option<(BString, Arc<File>)>>) -> AccessLogs {
        let logs = logs.into_iter();
        let of_pool = logs.map(|log| log.map(|(path, file)| AccessLog { path, file }));
        AccessLogs {
            of_pool: of_pool.collect(),
        }
    }

    /// Returns the log of a pool that keeps one.
    pub(crate) fn of(&self, pool: PoolIndex) -> Option<&Arc<File>> {
        let log = self.of_pool.get(usize::try_from(pool.0).ok()?)?;
        log.as_ref().map(|log| &log.file)
    }

    /// Opens all logs again under their names. Standard error stays what it was when the daemon was started, though it may be
    /// the error log by now.
    pub(crate) fn reopen(&mut self) -> Reopened {
        let logs = self.of_pool.iter_mut().flatten();
        logs.map(AccessLog::reopen)
            .fold(Reopened::None, Reopened::and)
    }
}

impl Reopened {
    /// Puts together what became of some logs and of others.
    pub(crate) fn and(self, others: Reopened) -> Reopened {
        match (self, others) {
            (Reopened::None, outcome) | (outcome, Reopened::None) => outcome,
            (Reopened::All, outcome) | (outcome, Reopened::All) => outcome,
            (Reopened::NotAll(mut errors), Reopened::NotAll(more)) => {
                errors.extend(more);
                Reopened::NotAll(errors)
            }
        }
    }
}

impl AccessLog {
    fn open(path: BString, stderr: Option<&Arc<File>>) -> Result<AccessLog, MasterError> {
        let stderr = stderr.filter(|_| is_stderr(&path)).cloned();
        Ok(AccessLog {
            file: stderr.map_or_else(|| open(&path), Ok)?,
            path,
        })
    }

    fn reopen(&mut self) -> Reopened {
        if is_stderr(&self.path) {
            return Reopened::All;
        }
        match open(&self.path) {
            Ok(file) => {
                self.file = file;
                Reopened::All
            }
            Err(error) => Reopened::NotAll(vec![error]),
        }
    }
}

fn is_stderr(path: &BString) -> bool {
    STDERR.contains(&path.as_slice())
}

fn open(path: &BString) -> Result<Arc<File>, MasterError> {
    let opened = if is_stderr(path) {
        sink::open_stderr()
    } else {
        sink::open(OsStr::from_bytes(path))
    };
    match opened {
        Ok(file) => Ok(Arc::new(file)),
        Err(source) => Err(MasterError::AccessLog {
            path: path.clone(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use fpm_conf::Pool;

    use super::*;

    fn pool(log: Option<&Path>) -> Pool {
        let mut pool = Pool::new("www", "/run/www.sock");
        pool.access_log = log.map(|path| path.as_os_str().as_bytes().into());
        pool
    }

    fn open(pools: Vec<Pool>) -> Result<AccessLogs, MasterError> {
        let config = Config {
            pools,
            ..Config::default()
        };
        AccessLogs::open(&config, None, |_| None)
    }

    fn write(logs: &AccessLogs, pool: u32, text: &str) {
        let mut file = &**logs.of(PoolIndex(pool)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn pools_with_and_without_a_log_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["a", "b"].map(|name| folder.path().join(name));
        let pools = [None, Some(one), None, Some(other.clone())];
        let logs = open(pools.iter().map(|path| pool(path.as_deref())).collect()).unwrap();
        let kept: Vec<_> = (0..5).map(|pool| logs.of(PoolIndex(pool))).collect();
        assert!(matches!(kept[..], [None, Some(_), None, Some(_), None]));
        write(&logs, 3, "x");
        assert_eq!(std::fs::read_to_string(other).unwrap(), "x");
    }

    #[test]
    fn standard_error_is_the_one_of_the_start() {
        let config = Config {
            pools: vec![pool(Some(Path::new("/proc/self/fd/2")))],
            ..Config::default()
        };
        let stderr = Arc::new(tempfile::tempfile().unwrap());
        let logs = AccessLogs::open(&config, Some(&stderr), |_| None).unwrap();
        assert!(Arc::ptr_eq(&stderr, logs.of(PoolIndex(0)).unwrap()));
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_named() {
        let path = Path::new("/no/such/folder/log");
        assert_eq!(
            open(vec![pool(Some(path))]).unwrap_err().to_string(),
            "failed to open access log (/no/such/folder/log): No such file or directory (2)"
        );
    }

    #[test]
    fn logs_are_opened_again_under_their_names_as_far_as_they_can() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["log", "log.1"].map(|name| folder.path().join(name));
        let gone = folder.path().join("gone");
        std::fs::create_dir(&gone).unwrap();
        let lost = gone.join("log");
        let stderr = Path::new("/dev/stderr");
        let pools = [Some(path.as_path()), Some(&lost), Some(stderr), None];
        let mut logs = open(pools.map(pool).into()).unwrap();
        let before = Arc::clone(logs.of(PoolIndex(2)).unwrap());
        write(&logs, 0, "one");
        std::fs::rename(&path, &moved).unwrap();
        assert!(matches!(logs.reopen(), Reopened::All));
        write(&logs, 0, "two");
        std::fs::remove_dir_all(&gone).unwrap();
        match logs.reopen() {
            Reopened::NotAll(errors) => assert_eq!(errors.len(), 1),
            other => panic!("{other:?}"),
        }
        // It still takes lines, as everything that was open does.
        write(&logs, 1, "three");
        assert!(Arc::ptr_eq(&before, logs.of(PoolIndex(2)).unwrap()));
        assert_eq!(std::fs::read_to_string(moved).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "two");
        assert!(matches!(AccessLogs::default().reopen(), Reopened::None));
    }
}
