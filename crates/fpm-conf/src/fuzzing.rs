//! What the fuzz target does with its input, and the plain test that feeds it the committed corpus and mutations of it.
//!
//! The body loads the input as a configuration that may include itself, and checks what must hold of whatever is
//! accepted.

use bstr::ByteSlice;

use crate::memory::{MemoryAccounts, MemoryFiles, MemoryVocabulary};
use crate::options::{BuildFolders, Feature, LoadOptions, Purpose, Starter, Surroundings};
use crate::{ConfError, Config, Loaded, LogLevel, Message, PhpVersion, Pm, load};

/// Loads the input. Its first byte chooses the version, what for, and who starts it.
///
/// # Panics
/// Something that was accepted should not have been.
pub fn config(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else {
        return;
    };
    let files = MemoryFiles::new([
        ("/etc/fpm.conf", text),
        ("/etc/pool.d/a.conf", b"env[A] = 1\n[a]\n".as_slice()),
        ("/var/log/other", b"".as_slice()),
    ]);
    let options = LoadOptions {
        purpose: if choice & 1 == 0 {
            Purpose::TestAndDump
        } else {
            Purpose::Run
        },
        prefix: (choice & 2 != 0).then(|| "/etc".into()),
        pid: None,
        background: None,
        starter: if choice & 4 == 0 {
            Starter::Root
        } else {
            Starter::Unprivileged
        },
        watchdog_usec: None,
        folders: BuildFolders {
            prefix: "/".into(),
            localstatedir: "/var".into(),
            sysconfdir: "/etc".into(),
        },
        php: if choice & 8 == 0 {
            PhpVersion::Php82
        } else {
            PhpVersion::Php84
        },
        features: vec![Feature::Acl, Feature::Systemd, Feature::AppArmor],
    };
    let around = Surroundings {
        files: &files,
        accounts: &MemoryAccounts,
        vocabulary: &MemoryVocabulary,
    };
    match load("/etc/fpm.conf".into(), &options, around) {
        Ok(Loaded { config, .. }) => accepted(&config),
        Err(error) => refused(&error),
    }
}

fn accepted(config: &Config) {
    assert!(!config.pools.is_empty());
    assert!(config.global.log_limit >= 512);
    assert_ne!(config.heartbeat, Some(0));
    for (index, pool) in config.pools.iter().enumerate() {
        assert!(!pool.listen_raw.is_empty());
        assert!(pool.pm_max_children >= 1);
        if pool.pm == Pm::Dynamic {
            let spare = pool.pm_min_spare_servers..=pool.pm_max_spare_servers;
            assert!(
                spare.contains(&pool.pm_start_servers)
                    && pool.pm_max_spare_servers <= pool.pm_max_children
            );
        }
        assert_eq!(pool.ping_path.is_some(), pool.ping_response.is_some());
        assert_eq!(pool.access_log.is_some(), pool.access_format.is_some());
        assert!(pool.status_of.is_none_or(|of| (of.0 as usize) < index));
        assert!(
            config
                .pools
                .iter()
                .filter(|other| other.listen_raw == pool.listen_raw)
                .count()
                == 1
        );
    }
}

/// Whoever refuses says why, unless the level hides it.
fn refused(error: &ConfError) {
    let report = error.report();
    let worst = report.messages.iter().filter_map(|message| match message {
        Message::Log { level, .. } => Some(*level),
        Message::Stderr(line) => {
            assert!(
                line.starts_with(b"PHP:  ") && line.ends_with(b"\n"),
                "{:?}",
                line.as_bstr()
            );
            None
        }
    });
    assert!(report.level > LogLevel::Error || worst.max() >= Some(LogLevel::Error));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    /// Feeds the committed corpus, every input as it is, cut, and with each of its lines missing.
    #[test]
    fn the_corpus_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/config");
        let inputs: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        assert!(inputs.len() > 5);
        for input in &inputs {
            for choice in 0..16 {
                config(&[&[choice], &input[1..]].concat());
            }
            for length in 0..input.len() {
                config(&input[..length]);
            }
            let lines: Vec<&[u8]> = input.split_inclusive(|b| *b == b'\n').collect();
            for missing in 1..lines.len() {
                config(&[lines[..missing].concat(), lines[missing + 1..].concat()].concat());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(input in proptest::collection::vec(any::<u8>(), 0..400)) {
            config(&input);
        }

        #[test]
        fn any_lines_pass(
            choice in any::<u8>(),
            lines in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(vec![
                        "[global]", "[www]", "[api]", "user = www", "listen = 9000", "listen = $pool.sock", "pm = static", "pm = dynamic",
                        "pm = ondemand", "pm.max_children = 5", "pm.min_spare_servers = 1", "pm.max_spare_servers = 3",
                        "pm.status_listen = 9001", "pm.status_path = /s", "ping.path = /p", "access.log = log/other", "slowlog = log/slow",
                        "request_slowlog_timeout = 1", "chroot = /var", "chdir = /log", "prefix = /var", "include = /etc/pool.d/*.conf",
                        "include = /etc/fpm.conf", "include = /none/*", "log_level = alert", "php_value[error_log] = x", "env[A] = $pool",
                    ]).prop_map(str::to_owned),
                    "[a-z._]{1,30}(\\[[a-z]{0,3}\\])? = [ -~]{0,12}",
                ],
                0..24,
            ),
        ) {
            config(&[&[choice], lines.join("\n").as_bytes()].concat());
        }
    }
}
