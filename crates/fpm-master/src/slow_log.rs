//! The slow log: what an entry looks like, and writing it.
//!
//! The file is opened for every entry, as in the original: whoever moves it away gets the next entry in a new one, and thousands of
//! pools hold no descriptor for it.
//!
//! Original: sapi/fpm/fpm/fpm_php_trace.c

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use bstr::{BStr, BString, ByteVec};
use fpm_channel::underway::{End, Trace};
use fpm_conf::LogLevel;
use fpm_os::{clock, sink};
use nix::unistd::Pid;

/// Whose request it was, and when it was found to be slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading<'a> {
    /// The time since 1970.
    pub(crate) time: Duration,
    /// `log_level`: microseconds are shown to those who debug.
    pub(crate) level: LogLevel,
    /// The name of the pool.
    pub(crate) pool: &'a BStr,
    /// The worker.
    pub(crate) pid: Pid,
}

/// Puts an entry together.
pub(crate) fn entry(heading: Heading<'_>, trace: &Trace) -> BString {
    let mut entry = BString::new(b"\n[".to_vec());
    entry.push_str(clock::formatted(heading.time, c"%d-%b-%Y %H:%M:%S"));
    let micros = match heading.level {
        LogLevel::Debug => format!(".{:06}", heading.time.subsec_micros()),
        _ => String::new(),
    };
    entry.push_str(format!(
        "{micros}]  [pool {}] pid {}\n",
        heading.pool, heading.pid
    ));
    if let Some(script) = &trace.script {
        entry.push_str("script_filename = ");
        entry.push_str(script);
        entry.push_str("\n");
    }
    for call in &trace.calls {
        entry.push_str(format!("[0x{:016x}] ", call.address));
        entry.push_str(&call.function);
        entry.push_str("() ");
        match call.file.as_slice() {
            b"" => entry.push_str("unknown"),
            file => entry.push_str(file),
        }
        entry.push_str(format!(":{}\n", call.line));
    }
    if trace.end == End::Cut {
        entry.push_str("+++ dump failed\n");
    }
    entry
}

/// Appends an entry to a log, without waiting for whoever reads it.
///
/// # Errors
/// When the file cannot be opened or written, or not now.
pub(crate) fn append(path: &BStr, entry: &[u8]) -> io::Result<()> {
    // One write: entries of other daemons that share the file stay whole.
    sink::append(OsStr::from_bytes(path), entry)
}

#[cfg(test)]
mod tests {
    use fpm_channel::underway::Call;

    use super::*;

    fn heading(level: LogLevel) -> Heading<'static> {
        Heading {
            time: Duration::from_micros(1_795_252_087_000_042),
            level,
            pool: "www".into(),
            pid: Pid::from_raw(16654),
        }
    }

    fn trace(end: End) -> Trace {
        let call = |address, function: &str, file: &str, line| Call {
            address,
            function: function.into(),
            file: file.into(),
            line,
        };
        Trace {
            script: Some("/path/slow.php".into()),
            calls: vec![
                call(0x7fd7_57c1_3420, "usleep", "/path/slow.php", 2),
                call(0x10, "gen", "", 0),
            ],
            end,
        }
    }

    fn date() -> String {
        let date = clock::formatted(heading(LogLevel::Notice).time, c"%d-%b-%Y %H:%M:%S");
        String::from_utf8(date).unwrap()
    }

    #[test]
    fn an_entry_is_the_originals() {
        assert_eq!(
            entry(heading(LogLevel::Notice), &trace(End::Whole)),
            format!(
                "\n[{}]  [pool www] pid 16654\n\
                 script_filename = /path/slow.php\n\
                 [0x00007fd757c13420] usleep() /path/slow.php:2\n\
                 [0x0000000000000010] gen() unknown:0\n",
                date()
            )
        );
    }

    #[test]
    fn an_entry_says_when_it_is_not_whole() {
        let unknown = Trace {
            script: None,
            calls: vec![],
            end: End::Cut,
        };
        assert_eq!(
            entry(heading(LogLevel::Debug), &unknown),
            format!(
                "\n[{}.000042]  [pool www] pid 16654\n+++ dump failed\n",
                date()
            )
        );
        let cut = entry(heading(LogLevel::Notice), &trace(End::Cut));
        assert!(cut.ends_with(b" unknown:0\n+++ dump failed\n"));
    }

    #[test]
    fn entries_are_appended_and_the_file_made_anew_when_it_was_moved() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["slow", "slow.1"].map(|name| folder.path().join(name));
        let log = BString::from(path.as_os_str().as_bytes());
        append(log.as_ref(), b"one").unwrap();
        append(log.as_ref(), b"two").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        append(log.as_ref(), b"three").unwrap();
        let text = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((text(moved), text(path)), ("onetwo".into(), "three".into()));
        assert!(append("/no/such/folder/log".into(), b"").is_err());
    }
}
