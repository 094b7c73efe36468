//! What is said about pools as a whole: every text as php-fpm says it.

use super::*;

#[test]
fn pools_that_cannot_be_used() {
    check_pool(
        &[
            (
                "prefix = missing",
                "ERROR: [pool www] the prefix '/php/missing' does not exist or is not a directory",
            ),
            (
                "listen =",
                "ALERT: [pool www] no listen address have been defined!",
            ),
            (
                "process.priority = -20",
                "ERROR: [pool www] process.priority must be included into [-19,20]",
            ),
            (
                "pm.max_children = 0",
                "ALERT: [pool www] pm.max_children must be a positive value",
            ),
            (
                "pm = dynamic",
                "ALERT: [pool www] pm.min_spare_servers(0) must be a positive value",
            ),
            (
                "pm = dynamic\npm.min_spare_servers = 1",
                "ALERT: [pool www] pm.max_spare_servers(0) must be a positive value",
            ),
            (
                "pm = dynamic\npm.min_spare_servers = 1\npm.max_spare_servers = 6",
                "ALERT: [pool www] pm.min_spare_servers(1) and pm.max_spare_servers(6) cannot be greater than pm.max_children(5)",
            ),
            (
                "pm = dynamic\npm.min_spare_servers = 2\npm.max_spare_servers = 1",
                "ALERT: [pool www] pm.max_spare_servers(1) must not be less than pm.min_spare_servers(2)",
            ),
            (
                "pm = dynamic\npm.min_spare_servers = 2\npm.max_spare_servers = 3\npm.start_servers = 4",
                "ALERT: [pool www] pm.start_servers(4) must not be less than pm.min_spare_servers(2) and not greater than pm.max_spare_servers(3)",
            ),
            (
                "pm = dynamic\npm.min_spare_servers = 1\npm.max_spare_servers = 4\npm.max_spawn_rate = 0",
                "NOTICE: [pool www] pm.start_servers is not set. It's been set to 2.\nALERT: [pool www] pm.max_spawn_rate must be a positive value",
            ),
            (
                "pm = ondemand\npm.process_idle_timeout = 0",
                "ALERT: [pool www] pm.process_idle_timeout(0s) must be greater than 0s",
            ),
            (
                "pm = ondemand\n[global]\nevents.mechanism = poll",
                "ALERT: [pool www] ondemand process manager can ONLY be used when events.mechanism is either epoll (Linux) or kqueue (*BSD).",
            ),
            (
                "pm.status_path = s",
                "ERROR: [pool www] the status path 's' must start with a '/'",
            ),
            (
                "pm.status_path = /",
                "ERROR: [pool www] the status path '/' is not long enough",
            ),
            (
                "pm.status_path = /a?",
                "ERROR: [pool www] the status path '/a?' must contain only the following characters '[alphanum]/_-.~'",
            ),
            (
                "ping.path = p",
                "ERROR: [pool www] the ping path 'p' must start with a '/'",
            ),
            (
                "ping.path = /",
                "ERROR: [pool www] the ping path '/' is not long enough",
            ),
            (
                "ping.path = /%",
                "ERROR: [pool www] the ping path '/%' must contain only the following characters '[alphanum]/_-.~'",
            ),
            (
                "ping.path = /p\nping.response =",
                "ERROR: [pool www] the ping response page '' is not long enough",
            ),
            (
                "request_slowlog_timeout = 1",
                "ERROR: [pool www] 'slowlog' must be specified for use with 'request_slowlog_timeout'",
            ),
            (
                "slowlog = /tmp/s\nrequest_slowlog_timeout = 2\nrequest_terminate_timeout = 1",
                "ERROR: [pool www] 'request_slowlog_timeout' (2) can't be greater than 'request_terminate_timeout' (1)",
            ),
            (
                "slowlog = none/s\nrequest_slowlog_timeout = 2",
                "ERROR: Unable to create or open slowlog(/php/none/s): No such file or directory (2)",
            ),
            (
                "request_slowlog_trace_depth = 1",
                "ERROR: [pool www] 'slowlog' must be specified for use with 'request_slowlog_trace_depth'",
            ),
            (
                "slowlog = s\nrequest_slowlog_trace_depth = -1",
                "ERROR: [pool www] 'request_slowlog_trace_depth' (-1) must be a positive value",
            ),
            (
                "chroot = missing",
                "ERROR: [pool www] the chroot path '/php/missing' does not exist or is not a directory",
            ),
            (
                "chroot = x$prefix",
                "ERROR: '$prefix' must be use at the beginning of the value\nERROR: [pool www] the chroot path 'x$prefix' must start with a '/'",
            ),
            (
                "chdir = missing",
                "ERROR: [pool www] the chdir path '/php/missing' does not exist or is not a directory",
            ),
            (
                "chroot = /srv\nchdir = /tmp",
                "ERROR: [pool www] the chdir path '/tmp' within the chroot path '/srv' ('/srv//tmp') does not exist or is not a directory",
            ),
            (
                "access.log =",
                "ERROR: failed to open access log (): No such file or directory (2)",
            ),
            (
                "access.log = /tmp/a\naccess.format = %z",
                "WARNING: Invalid token in the access.format (%z)\nERROR: [pool www] wrong format for access.format '%z'",
            ),
            (
                "pm.status_listen =",
                "ALERT: [pool www_status] no listen address have been defined!",
            ),
            (
                "pm.status_listen = 9000",
                "ERROR: [pool www_status] unable to set listen address as it's already used in another pool 'www'",
            ),
            ("[b]", "ALERT: [pool b] user has not been defined"),
            (
                "[b]\nuser =",
                "ALERT: [pool b] no listen address have been defined!",
            ),
            (
                "[b]\nuser = www\nlisten = 1",
                "ALERT: [pool b] the process manager is missing (static, dynamic or ondemand)",
            ),
        ],
        NOT_USABLE,
    );
}

#[test]
fn complaints_that_are_not_the_end() {
    check_pool(
        &[
            (
                "pm = ondemand\nlisten.backlog = -2",
                "WARNING: [pool www] listen.backlog(-2) was too low for the ondemand process manager. I updated it for you to -1.",
            ),
            (
                "include = /etc/none/x.conf",
                "WARNING: Nothing matches the include pattern '/etc/none/x.conf' from /etc/fpm.conf at line 6.",
            ),
            ("access.format = %z", ""),
            ("pm.status_listen = 9001\npm.status_path = /", ""),
        ],
        SUCCESS,
    );
}

#[test]
fn accounts_are_looked_at_last_and_only_when_testing() {
    check_pool(
        &[
            (
                "user = missing",
                "ERROR: [pool www] cannot get uid for user 'missing'",
            ),
            (
                "group = missing",
                "ERROR: [pool www] cannot get gid for group 'missing'",
            ),
            (
                "listen.owner = missing",
                "ERROR: [pool www] cannot get uid for user 'missing': No such file or directory (2)",
            ),
            (
                "listen.group = missing",
                "ERROR: [pool www] cannot get gid for group 'missing': No such file or directory (2)",
            ),
        ],
        "",
    );
    let run = LoadOptions {
        purpose: Purpose::Run,
        ..options()
    };
    assert_eq!(
        said_with(&files(&format!("{POOL}user = missing\n")), &run),
        ""
    );

    let long = format!("{POOL}listen = /{}\n", "x".repeat(107));
    let complaint = "as path is too long (found length: 108, maximal length: 108): Success (0)\n";
    assert!(said(&long).ends_with(complaint), "{}", said(&long));
    let old = LoadOptions {
        php: PhpVersion::Php82,
        ..options()
    };
    assert!(said_with(&files(&long), &old).contains("successful"));
}
