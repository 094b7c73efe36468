//! What loading says about a configuration, and what it makes of it.

mod included;
mod messages;
mod own;
mod pools;
mod typed;

use crate::memory::{MemoryAccounts, MemoryFiles, MemoryVocabulary};
use crate::{
    BuildFolders, ConfError, Feature, LoadOptions, Loaded, Message, PhpVersion, Purpose, Report,
    Starter, Surroundings, load,
};

/// A pool with nothing wrong in it.
const POOL: &str = "[www]\nuser = www\nlisten = 9000\npm = static\npm.max_children = 5\n";

fn options() -> LoadOptions {
    LoadOptions {
        purpose: Purpose::Test,
        prefix: None,
        pid: None,
        background: None,
        starter: Starter::Root,
        watchdog_usec: None,
        folders: BuildFolders {
            prefix: "/php".into(),
            localstatedir: "/php/var".into(),
            sysconfdir: "/php/etc".into(),
        },
        php: PhpVersion::Php84,
        features: vec![Feature::Acl, Feature::Systemd],
    }
}

/// Returns the main file with this text among a few folders.
fn files(text: &str) -> MemoryFiles {
    let mut files = MemoryFiles::new([("/etc/fpm.conf", text)]);
    for folder in ["/php/var/log", "/srv/www", "/tmp"] {
        files.directory(folder);
    }
    files
}

fn load_with(files: &MemoryFiles, options: &LoadOptions) -> Result<Loaded, ConfError> {
    load(
        "/etc/fpm.conf".into(),
        options,
        Surroundings {
            files,
            accounts: &MemoryAccounts,
            vocabulary: &MemoryVocabulary,
        },
    )
}

/// Writes a report down: a level and a text a line.
fn written(report: &Report) -> String {
    let lines = report.messages.iter().map(|message| match message {
        Message::Log { level, text } => format!("{}: {text}\n", level.name()),
        Message::Stderr(line) => format!("stderr {line}"),
    });
    lines.collect()
}

/// Returns what is said about a text.
fn said(text: &str) -> String {
    said_with(&files(text), &options())
}

fn said_with(files: &MemoryFiles, options: &LoadOptions) -> String {
    match load_with(files, options) {
        Ok(loaded) => written(&loaded.report),
        Err(error) => written(error.report()),
    }
}

const SUCCESS: &str = "NOTICE: configuration file /etc/fpm.conf test is successful\n";
const NOT_READ: &str = "ERROR: failed to load configuration file '/etc/fpm.conf'\n";
const NOT_USABLE: &str = "ERROR: failed to post process the configuration\n";

/// Checks what is said about lines that stand at the end of a good pool.
fn check_pool(cases: &[(&str, &str)], end: &str) {
    for (lines, expected) in cases {
        let expected = if expected.is_empty() {
            end.to_owned()
        } else {
            format!("{expected}\n{end}")
        };
        assert_eq!(said(&format!("{POOL}{lines}\n")), expected, "{lines}");
    }
}
