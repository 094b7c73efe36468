//! The status page for Prometheus and its like.
//!
//! Names, types and help texts are php-fpm's, down to its counters without `_total`, which strict OpenMetrics parsers refuse, and
//! the one metric whose type stands before its help: dashboards go by these names.

use std::fmt::Write;

use bstr::ByteSlice;
use fpm_conf::PhpVersion;
use sapi::PoolStatus;

/// Writes the page.
pub(super) fn page(status: &PoolStatus, php: PhpVersion) -> String {
    let mut page = String::new();
    let up = format!(
        "Could pool {} using a {} PM on PHP-FPM be reached?",
        escaped(&status.pool),
        status.manager
    );
    put(&mut page, "up", "gauge", &up, 1);
    for (name, kind, help, value) in metrics(status) {
        put(&mut page, name, kind, help, value);
    }
    if php >= PhpVersion::Php84 {
        let help = "The memory usage peak since FPM has started.";
        put(&mut page, "memory_peak", "gauge", help, status.memory_peak);
    }
    page.push_str("# EOF\n");
    page
}

fn metrics(status: &PoolStatus) -> [(&'static str, &'static str, &'static str, u64); 11] {
    [
        (
            "start_since",
            "counter",
            "The number of seconds since FPM has started.",
            status.since,
        ),
        (
            "accepted_connections",
            "counter",
            "The number of requests accepted by the pool.",
            status.accepted,
        ),
        (
            "listen_queue",
            "gauge",
            "The number of requests in the queue of pending connections.",
            status.listen_queue,
        ),
        (
            "max_listen_queue",
            "counter",
            "The maximum number of requests in the queue of pending connections since FPM has started.",
            status.max_listen_queue,
        ),
        (
            "listen_queue_length",
            "gauge",
            "The size of the socket queue of pending connections.",
            status.listen_queue_len,
        ),
        (
            "idle_processes",
            "gauge",
            "The number of idle processes.",
            status.idle,
        ),
        (
            "active_processes",
            "gauge",
            "The number of active processes.",
            status.active,
        ),
        (
            "total_processes",
            "gauge",
            "The number of idle + active processes.",
            status.idle + status.active,
        ),
        (
            "max_active_processes",
            "counter",
            "The maximum number of active processes since FPM has started.",
            status.max_active,
        ),
        (
            "max_children_reached",
            "counter",
            "The number of times, the process limit has been reached, when pm tries to start more children \
             (works only for pm 'dynamic' and 'ondemand').",
            status.max_children_reached,
        ),
        (
            "slow_requests",
            "counter",
            "The number of requests that exceeded your 'request_slowlog_timeout' value.",
            status.slow_requests,
        ),
    ]
}

fn put(page: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let help = format!("# HELP phpfpm_{name} {help}\n");
    let kind = format!("# TYPE phpfpm_{name} {kind}\n");
    let [first, second] = if name == "listen_queue_length" {
        [kind, help]
    } else {
        [help, kind]
    };
    writeln!(page, "{first}{second}phpfpm_{name} {value}").expect("a String takes everything");
}

/// Makes a pool's name fit for a help text.
fn escaped(name: &[u8]) -> String {
    let name = name.replace(b"\\", b"\\\\").replace(b"\"", b"\\\"");
    String::from_utf8_lossy(&name).into_owned()
}
