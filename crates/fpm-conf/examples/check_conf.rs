//! Checks a configuration and prints what `php-fpm -t` would print, for comparing the two without the daemon.
//!
//! `FPMD_PHP_PREFIX=/opt/php8.2 check_conf [-t | -tt] [-R] [-D | -F] [-p PREFIX] [-g PID] [-y FILE]`

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{
    Accounts, Background, BuildFolders, ErrorLog, Feature, LoadOptions, LogLevel, Message, OsFiles,
    PhpVersion, Purpose, Report, Starter, Surroundings, Vocabulary, load,
};

/// The lines of /etc/passwd and /etc/group.
struct Passwd;

impl Accounts for Passwd {
    fn find_user(&self, name: &BStr) -> io::Result<()> {
        find("/etc/passwd", name)
    }

    fn find_group(&self, name: &BStr) -> io::Result<()> {
        find("/etc/group", name)
    }
}

fn find(file: &str, name: &BStr) -> io::Result<()> {
    let known = fs::read(file)?
        .lines()
        .any(|line| line.split_str(":").next() == Some(name.as_bytes()));
    if known {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(0))
    }
}

/// The environment, and no PHP.
struct Environment;

impl Vocabulary for Environment {
    fn variable(&self, name: &BStr) -> Option<BString> {
        let value = env::var_os(name.to_os_str().ok()?)?;
        Some(value.into_vec().into())
    }

    fn constant(&self, _: &BStr) -> Option<BString> {
        None
    }
}

fn main() -> ExitCode {
    let build = env::var("FPMD_PHP_PREFIX").unwrap_or_else(|_| "/usr/local".to_owned());
    let mut options = LoadOptions {
        purpose: Purpose::Run,
        prefix: None,
        pid: None,
        background: None,
        starter: Starter::Root,
        watchdog_usec: env::var("WATCHDOG_USEC").ok().map(BString::from),
        folders: BuildFolders {
            prefix: build.as_str().into(),
            localstatedir: format!("{build}/var").into(),
            sysconfdir: format!("{build}/etc").into(),
        },
        php: if build.contains("8.2") {
            PhpVersion::Php82
        } else {
            PhpVersion::Php84
        },
        features: vec![Feature::Acl, Feature::Systemd],
    };
    let mut file = None;
    let mut arguments = env::args_os()
        .skip(1)
        .map(|argument| BString::from(argument.into_vec()));
    while let Some(argument) = arguments.next() {
        match argument.as_bytes() {
            b"-t" => options.purpose = Purpose::Test,
            b"-tt" => options.purpose = Purpose::TestAndDump,
            b"-R" => options.starter = Starter::RootAllowed,
            b"-D" => options.background = Some(Background::Daemonize),
            b"-F" => options.background = Some(Background::Foreground),
            b"-p" => options.prefix = arguments.next(),
            b"-g" => options.pid = arguments.next(),
            b"-y" => file = arguments.next().filter(|file| !file.is_empty()),
            _ => {}
        }
    }
    let prefix = options.prefix.as_ref().map(|prefix| prefix.as_bstr());
    let file = file.unwrap_or_else(|| options.folders.default_file(prefix));
    let around = Surroundings {
        files: &OsFiles,
        accounts: &Passwd,
        vocabulary: &Environment,
    };
    match load(file.as_bstr(), &options, around) {
        Ok(loaded) => {
            print(&loaded.report);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let mut report = Report::clone(error.report());
            if report.level <= LogLevel::Error {
                report.messages.push(Message::Log {
                    level: LogLevel::Error,
                    text: "FPM initialization failed".into(),
                });
            }
            print(&report);
            ExitCode::from(78)
        }
    }
}

/// Writes notices and more to stderr, and everything from the opening of the log on into the log.
fn print(report: &Report) {
    let mut stderr = io::stderr().lock();
    let (mut log, mut is_syslog) = (None, false);
    for (index, message) in report.messages.iter().enumerate() {
        if let Some(open) = report.log.as_ref().filter(|open| open.earlier == index) {
            match &open.global.error_log {
                ErrorLog::Syslog => is_syslog = true,
                ErrorLog::File(path) => {
                    log = OpenOptions::new()
                        .append(true)
                        .open(path.to_path_lossy())
                        .ok();
                }
            }
        }
        let (line, level) = match message {
            Message::Log { level, text } => (line(*level, text.as_bstr(), is_syslog), *level),
            Message::Stderr(line) => (line.to_vec(), LogLevel::Alert),
        };
        if level > LogLevel::Debug || log.is_none() {
            let _closed = stderr.write_all(&line);
        }
        if let Some(log) = &mut log {
            let _full = log.write_all(&line);
        }
    }
}

/// Formats a line, cut as the original cuts it: never longer than its buffer of 2048 bytes.
fn line(level: LogLevel, text: &BStr, is_syslog: bool) -> Vec<u8> {
    let level = level.name().as_bytes();
    let start = if is_syslog {
        [b"[", level, b"] "].concat()
    } else {
        [b"[00-Nov-0000 00:00:00] ", level, b": "].concat()
    };
    let mut line = [&start, text.as_bytes()].concat();
    if line.len() >= 2048 {
        line.truncate(1023 - 3);
        line.extend_from_slice(b"...");
    }
    line.push(b'\n');
    line
}
