//! The dump of `-tt`: every directive with the value that counts.
//!
//! A changer must know: the order and the odd lines (a blank as the last line of a section) are php-fpm's, and tools read
//! them.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_dump`)

use bstr::{BStr, BString, ByteSlice};

use crate::draft::{Draft, DraftGlobal, DraftPool, NO_PRIORITY};
use crate::global::EventMechanism;
use crate::options::{Feature, LoadOptions};
use crate::report::{Report, text};
use crate::{LogLevel, Pm};

/// Adds the dump to the report.
pub(crate) fn dump(
    draft: &Draft,
    events: EventMechanism,
    options: &LoadOptions,
    report: &mut Report,
) {
    let mut lines = Lines(report);
    global(&draft.global, events, options, &mut lines);
    for shown in draft.pools.iter().filter(|shown| shown.status_of.is_none()) {
        pool(shown, options, &mut lines);
    }
}

struct Lines<'r>(&'r mut Report);

impl Lines<'_> {
    fn line(&mut self, text: impl Into<BString>) {
        self.0.log(LogLevel::Notice, text);
    }

    fn show(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.line(text!("\t", key, " = ", value));
    }

    fn text(&mut self, key: &str, value: &Option<BString>) {
        self.show(
            key,
            value
                .as_ref()
                .map_or(BStr::new("undefined"), |value| value.as_bstr()),
        );
    }

    fn number(&mut self, key: &str, value: i32) {
        self.show(key, value.to_string());
    }

    fn seconds(&mut self, key: &str, value: i32) {
        self.show(key, format!("{value}s"));
    }

    fn yes_no(&mut self, key: &str, value: bool) {
        self.show(key, if value { "yes" } else { "no" });
    }

    fn priority(&mut self, value: i32) {
        let value = if value == NO_PRIORITY {
            "undefined".to_owned()
        } else {
            value.to_string()
        };
        self.show("process.priority", value);
    }

    /// Shows a list from its end: the original puts new entries in front.
    fn list(&mut self, key: &str, list: &[(BString, BString)]) {
        for (name, value) in list.iter().rev() {
            self.show(text!(key, "[", name, "]"), value);
        }
    }
}

fn global(
    section: &DraftGlobal,
    events: EventMechanism,
    options: &LoadOptions,
    lines: &mut Lines<'_>,
) {
    lines.line("[global]");
    lines.text("pid", &section.pid);
    lines.text("error_log", &section.error_log);
    lines.text("syslog.ident", &section.syslog_ident);
    lines.number("syslog.facility", section.syslog_facility);
    lines.yes_no("log_buffering", section.log_buffering);
    lines.show(
        "log_level",
        section.log_level.map_or("unknown value", LogLevel::name),
    );
    lines.number("log_limit", section.log_limit);
    lines.seconds(
        "emergency_restart_interval",
        section.emergency_restart_interval,
    );
    lines.number(
        "emergency_restart_threshold",
        section.emergency_restart_threshold,
    );
    lines.seconds("process_control_timeout", section.process_control_timeout);
    lines.number("process.max", section.process_max);
    lines.priority(section.process_priority);
    lines.yes_no("daemonize", section.daemonize);
    lines.number("rlimit_files", section.rlimit_files);
    lines.number("rlimit_core", section.rlimit_core);
    lines.show("events.mechanism", events.name());
    if options.has(Feature::Systemd) {
        lines.seconds("systemd_interval", section.systemd_interval / 1000);
    }
    own_global(section, lines);
    lines.line(" ");
}

fn pool(section: &DraftPool, options: &LoadOptions, lines: &mut Lines<'_>) {
    lines.line(text!("[", section.name, "]"));
    lines.text("prefix", &section.prefix);
    lines.text("user", &section.user);
    lines.text("group", &section.group);
    lines.text("listen", &section.listen);
    lines.number("listen.backlog", section.listen_backlog);
    if options.has(Feature::Acl) {
        lines.text("listen.acl_users", &section.listen_acl_users);
        lines.text("listen.acl_groups", &section.listen_acl_groups);
    }
    lines.text("listen.owner", &section.listen_owner);
    lines.text("listen.group", &section.listen_group);
    lines.text("listen.mode", &section.listen_mode);
    lines.text("listen.allowed_clients", &section.listen_allowed_clients);
    lines.priority(section.process_priority);
    lines.yes_no("process.dumpable", section.process_dumpable);
    lines.show("pm", section.pm.map_or("undefined", Pm::name));
    match section.pm_auto_children {
        Some(auto) => lines.show("pm.max_children", auto.shown()),
        None => lines.number("pm.max_children", section.pm_max_children),
    }
    lines.number("pm.start_servers", section.pm_start_servers);
    lines.number("pm.min_spare_servers", section.pm_min_spare_servers);
    lines.number("pm.max_spare_servers", section.pm_max_spare_servers);
    lines.number("pm.max_spawn_rate", section.pm_max_spawn_rate);
    lines.number("pm.process_idle_timeout", section.pm_process_idle_timeout);
    lines.number("pm.max_requests", section.pm_max_requests);
    lines.text("pm.status_path", &section.pm_status_path);
    lines.text("pm.status_listen", &section.pm_status_listen);
    lines.text("ping.path", &section.ping_path);
    lines.text("ping.response", &section.ping_response);
    lines.text("access.log", &section.access_log);
    lines.text("access.format", &section.access_format);
    for path in section.access_suppress_path.iter().rev() {
        lines.show("access.suppress_path[]", path);
    }
    lines.text("slowlog", &section.slowlog);
    lines.seconds("request_slowlog_timeout", section.request_slowlog_timeout);
    lines.number(
        "request_slowlog_trace_depth",
        section.request_slowlog_trace_depth,
    );
    lines.seconds(
        "request_terminate_timeout",
        section.request_terminate_timeout,
    );
    lines.yes_no(
        "request_terminate_timeout_track_finished",
        section.request_terminate_timeout_track_finished,
    );
    lines.number("rlimit_files", section.rlimit_files);
    lines.number("rlimit_core", section.rlimit_core);
    lines.text("chroot", &section.chroot);
    lines.text("chdir", &section.chdir);
    lines.yes_no("catch_workers_output", section.catch_workers_output);
    lines.yes_no("decorate_workers_output", section.decorate_workers_output);
    lines.yes_no("clear_env", section.clear_env);
    lines.text(
        "security.limit_extensions",
        &section.security_limit_extensions,
    );
    lines.list("env", &section.env);
    lines.list("php_value", &section.php_value);
    lines.list("php_admin_value", &section.php_admin_value);
    if let Some(timeout) = section.request_queue_timeout {
        lines.seconds("request_queue_timeout", timeout);
    }
    if let Some(wanted) = section.request_stack {
        lines.yes_no("request_stack", wanted);
    }
    if let Some(reserve) = section.pm_memory_reserve {
        lines.show("pm.memory_reserve", reserve.shown());
    }
    if let Some(jitter) = section.pm_max_requests_jitter {
        lines.show("pm.max_requests_jitter", jitter.to_string());
    }
    if let Some(bytes) = section.pm_max_memory {
        lines.show("pm.max_memory", bytes.to_string());
    }
    if let Some(share) = section.pm_max_recycling {
        lines.show("pm.max_recycling", share.shown());
    }
    if let Some(timeout) = section.request_soft_timeout {
        lines.seconds("request_soft_timeout", timeout);
    }
    if let Some(budget) = section.pm_crash_budget {
        lines.show("pm.crash_budget", budget.shown());
    }
    if let Some(affinity) = &section.process_cpu_affinity {
        lines.show("process.cpu_affinity", affinity.shown());
    }
    for limit in &section.rlimit {
        lines.show(format!("rlimit[{}]", limit.resource.name()), limit.shown());
    }
    lines.line(" ");
}

/// Shows what php-fpm does not have, as far as the file sets it: other dumps stay as php-fpm's.
fn own_global(section: &DraftGlobal, lines: &mut Lines<'_>) {
    if let Some(surge) = section.reload_surge {
        lines.show("reload.surge", surge.shown());
    }
    if let Some(timeout) = section.worker_shutdown_timeout {
        lines.seconds("worker_shutdown_timeout", timeout);
    }
    if let Some(means) = section.shutdown_on_term {
        lines.show("shutdown_on_term", means.name());
    }
    if let Some(format) = section.log_format {
        lines.show("log_format", format.name());
    }
    if section.control_listen.is_some() {
        lines.text("control.listen", &section.control_listen);
    }
    if let Some(affinity) = &section.process_cpu_affinity {
        lines.show("process.cpu_affinity", affinity.shown());
    }
    if let Some(address) = &section.operator_address {
        lines.show("operator.listen", address.to_string());
    }
    for (name, value) in [
        ("operator.user", &section.operator_user),
        ("operator.group", &section.operator_group),
    ] {
        if value.is_some() {
            lines.text(name, value);
        }
    }
    for (name, share) in [
        ("operator.ready_queue", section.operator_ready_queue),
        ("operator.ready_busy", section.operator_ready_busy),
    ] {
        if let Some(share) = share {
            lines.show(name, share.to_string());
        }
    }
}
