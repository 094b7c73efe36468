//! Where lines go before and after the launch.

use fpm_conf::Facility;

use super::*;
use crate::cli::Stderr;

fn global(path: &std::path::Path) -> Global {
    let path = path.as_os_str().as_bytes();
    Global {
        error_log: ErrorLog::File(path.into()),
        ..Global::default()
    }
}

fn logged(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split_once("] ").unwrap().1.to_owned())
        .collect()
}

#[test]
fn events_become_lines_of_their_level() {
    use tracing_subscriber::layer::SubscriberExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::to_stderr();
    log.open(&global(&path), Destination::ErrorLog).unwrap();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::with_default(subscriber, || {
        tracing::debug!("too low");
        tracing::info!("a {}", 1);
        tracing::warn!("b");
        tracing::error!("c");
        tracing::error!(alert = true, "d");
    });
    assert_eq!(
        logged(&path),
        ["NOTICE: a 1", "WARNING: b", "ERROR: c", "ALERT: d"]
    );
}

#[test]
fn the_level_filters_lines_but_not_what_was_filtered_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::to_stderr();
    log.open(&global(&path), Destination::ErrorLog).unwrap();
    log.set_level(LogLevel::Error);
    log.write_line(LogLevel::Warning, "dropped".into(), Place::default());
    log.show(LogLevel::Notice, "shown".into());
    assert_eq!(logged(&path), ["NOTICE: shown"]);
}

#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("log"), folder.path().join("old"));
    let log = Log::to_stderr();
    log.open(&global(&path), Destination::ErrorLog).unwrap();
    log.show(LogLevel::Error, "one".into());
    std::fs::rename(&path, &old).unwrap();
    log.show(LogLevel::Error, "two".into());
    // Not through `reopen`, which would redirect the standard error of the test runner.
    log.lock().reopen_file().unwrap();
    log.show(LogLevel::Error, "three".into());
    assert_eq!(logged(&old), ["ERROR: one", "ERROR: two"]);
    assert_eq!(logged(&path), ["ERROR: three"]);
}

#[test]
fn in_the_foreground_the_file_is_created_and_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Log::to_stderr();
    log.open(&global(&path), Destination::Stderr).unwrap();
    log.show(LogLevel::Error, "to the terminal".into());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn the_background_and_pipes_log_to_the_file() {
    let daemonized = Global {
        daemonize: true,
        ..Global::default()
    };
    let foreground = Global {
        daemonize: false,
        ..Global::default()
    };
    assert_eq!(
        Destination::of(&daemonized, Stderr::Always),
        Destination::ErrorLog
    );
    assert_eq!(
        Destination::of(&foreground, Stderr::Always),
        Destination::Stderr
    );
    assert_eq!(
        Destination::of(&foreground, Stderr::Never),
        Destination::ErrorLog,
        "it was started in the background"
    );
}

#[test]
fn syslog_is_no_reason_to_fail() {
    let global = Global {
        error_log: ErrorLog::Syslog,
        syslog_facility: Facility::DAEMON,
        ..Global::default()
    };
    let log = Log::to_stderr();
    log.open(&global, Destination::ErrorLog).unwrap();
    log.show(LogLevel::Error, "nobody may be listening".into());
}
