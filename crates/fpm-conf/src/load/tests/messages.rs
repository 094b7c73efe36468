//! What is said about single entries, `[global]`, levels and logs: every text as php-fpm says it.

use super::*;
use crate::LogLevel;

#[test]
fn a_good_pool_passes_without_a_word() {
    assert_eq!(said(POOL), SUCCESS);
    let old = LoadOptions {
        php: PhpVersion::Php82,
        ..options()
    };
    assert_eq!(
        said_with(&files(POOL), &old),
        SUCCESS.replace("successful", "successful\n")
    );
    let run = LoadOptions {
        purpose: Purpose::Run,
        ..options()
    };
    assert_eq!(said_with(&files(POOL), &run), "");
}

#[test]
fn entries_that_are_not_understood() {
    check_pool(
        &[
            (
                "bogus = 1",
                "ERROR: [/etc/fpm.conf:6] unknown entry 'bogus'",
            ),
            (
                "bogus",
                "ERROR: [/etc/fpm.conf:6] value is NULL for a ZEND_INI_PARSER_ENTRY",
            ),
            (
                "bogus[x] = 1",
                "ERROR: [/etc/fpm.conf:6] unknown directive 'bogus'",
            ),
            (
                "apparmor_hat = x",
                "ERROR: [/etc/fpm.conf:6] unknown entry 'apparmor_hat'",
            ),
            (
                "PM = x",
                "ERROR: [/etc/fpm.conf:6] unable to parse value for entry 'pm': invalid process manager (static, dynamic or ondemand)",
            ),
            (
                "PM.max_requests = x",
                "ERROR: [/etc/fpm.conf:6] unable to parse value for entry 'pm.max_requests': is not a valid number (greater or equal than zero)",
            ),
            (
                "clear_env = 'On'",
                "ERROR: [/etc/fpm.conf:6] unable to parse value for entry 'clear_env': invalid boolean value",
            ),
            (
                "request_terminate_timeout =",
                "ERROR: [/etc/fpm.conf:6] unable to parse value for entry 'request_terminate_timeout': invalid time value",
            ),
            (
                "rlimit_core = -2",
                "ERROR: [/etc/fpm.conf:6] unable to parse value for entry 'rlimit_core': must be greater than zero or 'unlimited'",
            ),
            (
                "[global]\nlog_level = loud",
                "ERROR: [/etc/fpm.conf:7] unable to parse value for entry 'log_level': invalid value for 'log_level'",
            ),
            (
                "[global]\npid = $pool",
                "ERROR: [/etc/fpm.conf:7] unable to parse value for entry 'pid': Can't use '$pool' when the pool is not defined",
            ),
            (
                "k = 1)",
                "ERROR: [/etc/fpm.conf:6] unknown entry 'k'\nstderr PHP:  syntax error, unexpected ')' in Unknown on line 1",
            ),
            (
                "k = (1",
                "stderr PHP:  syntax error, unexpected END_OF_LINE, expecting '^' or '|' or '&' or ')' in Unknown on line 2",
            ),
        ],
        NOT_READ,
    );
}

#[test]
fn lists_that_are_not_understood() {
    check_pool(
        &[
            (
                "env[] = x",
                "ERROR: [/etc/fpm.conf:6] You must provide a key for field 'env'",
            ),
            ("env[A] =", "ERROR: [/etc/fpm.conf:6] empty value"),
            (
                "Env[A] = x",
                "ERROR: [/etc/fpm.conf:6] unknown directive 'Env'",
            ),
            (
                "php_flag[A] = 2",
                "ERROR: [/etc/fpm.conf:6] error while parsing 'php_flag[A]' : invalid boolean value",
            ),
            (
                "[global]\nenv[A] = x",
                "ERROR: [/etc/fpm.conf:7] Array are not allowed in the global section",
            ),
            (
                "access.suppress_path[] = x",
                "ERROR: [/etc/fpm.conf:6] Values provided to field 'access.suppress_path' must begin with '/'",
            ),
            (
                "access.suppress_path[k] = x",
                "ERROR: [/etc/fpm.conf:6] Keys provided to field 'access.suppress_path' are ignored\nERROR: [/etc/fpm.conf:6] Values provided to field 'access.suppress_path' must begin with '/'",
            ),
            (
                "access.suppress_path = /x",
                "ERROR: [/etc/fpm.conf:6] unknown entry 'access.suppress_path'",
            ),
        ],
        NOT_READ,
    );
}

#[test]
fn the_global_section() {
    for (lines, expected) in [
        (
            "log_limit = 511",
            "ERROR: log_limit must be greater than 512",
        ),
        ("process.max = -1", "ERROR: process_max can't be negative"),
        (
            "process.priority = 21",
            "ERROR: process.priority must be included into [-19,20]",
        ),
        (
            "error_log = none/x",
            "ERROR: failed to open error_log (/php/var/none/x): No such file or directory (2)",
        ),
        (
            "error_log = /tmp",
            "ERROR: failed to open error_log (/tmp): Is a directory (21)",
        ),
        (
            "events.mechanism = kqueue",
            "ERROR: event mechanism 'kqueue' is not available on this system",
        ),
        (
            "",
            "ERROR: No pool defined. at least one pool section must be specified in config file",
        ),
    ] {
        assert_eq!(
            said(&format!("{lines}\n")),
            format!("{expected}\n{NOT_USABLE}"),
            "{lines}"
        );
    }
}

#[test]
fn the_level_counts_once_everything_is_read() {
    let warned = "include = /etc/none.conf\n";
    for (level, expected) in [
        (
            "warning",
            "WARNING: Nothing matches the include pattern '/etc/none.conf' from /etc/fpm.conf at line 1.\n",
        ),
        (
            "debug",
            &format!(
                "WARNING: Nothing matches the include pattern '/etc/none.conf' from /etc/fpm.conf at line 1.\n{SUCCESS}"
            ),
        ),
    ] {
        assert_eq!(
            said(&format!("{warned}log_level = {level}\n{POOL}")),
            expected
        );
    }
    let hidden = load_with(&files("log_level = alert\nlog_limit = 1\n"), &options()).unwrap_err();
    assert_eq!(hidden.report().messages, []);
    assert_eq!(hidden.report().level, LogLevel::Alert);
    assert_eq!(hidden.report().log, None);
}

#[test]
fn the_place_of_the_log_is_known_when_loading_fails_later() {
    let error = load_with(
        &files("error_log = /tmp/x\ninclude = missing\n"),
        &options(),
    )
    .unwrap_err();
    let log = error.report().log.clone().unwrap();
    assert_eq!(
        (log.earlier, log.global.error_log),
        (1, crate::ErrorLog::File("/tmp/x".into()))
    );
}

#[test]
fn systemd_and_its_watchdog() {
    let watched = |period: &str, interval: &str| {
        let options = LoadOptions {
            watchdog_usec: Some(period.into()),
            ..options()
        };
        said_with(
            &files(&format!("log_level = debug\n{interval}{POOL}")),
            &options,
        )
    };
    let debug = "DEBUG: WATCHDOG_USEC=30500000, interval=15250\n";
    assert_eq!(
        watched("30500000", ""),
        format!("{debug}NOTICE: systemd watchdog configured to 15.2sec\n{SUCCESS}")
    );
    assert_eq!(
        watched("30500000", "systemd_interval = 3\n"),
        format!(
            "{debug}WARNING: systemd_interval option ignored\nNOTICE: systemd watchdog configured to 15.2sec\n{SUCCESS}"
        )
    );
    assert_eq!(
        watched("2000000", ""),
        format!("DEBUG: WATCHDOG_USEC=2000000, interval=1000\n{SUCCESS}")
    );
}
