//! Checks a configuration and prints what `php-fpm -t` would print, for comparing the two without the daemon.
//!
//! `FPMD_PHP_PREFIX=/opt/php8.2 check_conf [-t | -tt] [-R] [-p PREFIX] [-g PID] [-y FILE]`

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use bstr::{BStr, BString, ByteSlice};
use fpm_conf::{
    Accounts, BuildFolders, Feature, LoadOptions, LogLevel, Message, OsFiles, PhpVersion, Purpose,
    Report, Starter, Surroundings, Vocabulary, load,
};

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

struct Environment;

impl Vocabulary for Environment {
    fn variable(&self, name: &BStr) -> Option<BString> {
        let value = env::var_os(name.to_os_str().ok()?)?;
        Vec::from_os_string(value).ok().map(BString::from)
    }

    fn constant(&self, _: &BStr) -> Option<BString> {
        None
    }
}

use bstr::ByteVec;

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
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().map(BString::from);
        match argument.as_str() {
            "-t" => options.purpose = Purpose::Test,
            "-tt" => options.purpose = Purpose::TestAndDump,
            "-R" => options.starter = Starter::RootAllowed,
            "-p" => options.prefix = value(),
            "-g" => options.pid = value(),
            "-y" => file = value(),
            _ => {}
        }
    }
    let file = file.unwrap_or_else(|| {
        options
            .folders
            .default_file(options.prefix.as_ref().map(|prefix| prefix.as_bstr()))
    });
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
            let mut report = error.report().clone();
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

fn print(report: &Report) {
    let mut stderr = io::stderr().lock();
    for message in &report.messages {
        let line = match message {
            Message::Log { level, text } => {
                [format!("[now] {}: ", level.name()).as_bytes(), text, b"\n"].concat()
            }
            Message::Stderr(line) => line.to_vec(),
        };
        let _closed = stderr.write_all(&line);
    }
}
