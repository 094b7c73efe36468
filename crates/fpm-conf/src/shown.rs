//! The directives of a typed configuration with their values as text, for people who compare two of them.
//!
//! A changer must know: every field of [`Global`] and [`Pool`] that is a directive is in these tables; a test counts them.

use bstr::{BString, ByteSlice};

use crate::global::ErrorLog;
use crate::{CpuAffinity, CrashBudget, Global, Pool, Portion, Rlimit};

/// One directive of a section, or one entry of a directive that is a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As in the configuration: `pm.max_children`, `env[PATH]`.
    pub(crate) name: String,
    /// `None` when it is not set and has no default.
    pub(crate) value: Option<String>,
}

/// A directive by its name.
type Row<S> = (&'static str, fn(&S) -> Option<String>);

/// A directive that is a list of names with values.
type ListRow = (&'static str, fn(&Pool) -> &[(BString, BString)]);

/// Returns all directives of the `[global]` section.
pub(crate) fn global(section: &Global) -> Vec<Entry> {
    rows(GLOBAL, section).collect()
}

/// Returns all directives of a pool.
pub(crate) fn pool(section: &Pool) -> Vec<Entry> {
    let lists = LISTS.iter().flat_map(|(name, list)| {
        list(section).iter().map(move |(key, value)| Entry {
            name: format!("{name}[{key}]"),
            value: Some(value.to_string()),
        })
    });
    rows(POOL, section).chain(lists).collect()
}

fn rows<S>(table: &[Row<S>], section: &S) -> impl Iterator<Item = Entry> {
    table.iter().map(|(name, value)| Entry {
        name: (*name).to_owned(),
        value: value(section),
    })
}

const GLOBAL: &[Row<Global>] = &[
    ("pid", |s| text(&s.pid)),
    ("error_log", |s| match &s.error_log {
        ErrorLog::Syslog => Some("syslog".to_owned()),
        ErrorLog::File(path) => Some(path.to_string()),
    }),
    ("syslog.ident", |s| Some(s.syslog_ident.to_string())),
    ("syslog.facility", |s| number(s.syslog_facility.0)),
    ("log_buffering", |s| yes_no(s.log_buffering)),
    ("log_level", |s| word(s.log_level.name())),
    ("log_limit", |s| number(s.log_limit)),
    ("emergency_restart_threshold", |s| {
        number(s.emergency_restart_threshold)
    }),
    ("emergency_restart_interval", |s| {
        seconds(s.emergency_restart_interval)
    }),
    ("process_control_timeout", |s| {
        seconds(s.process_control_timeout)
    }),
    ("process.max", |s| number(s.process_max)),
    ("process.priority", |s| s.process_priority.and_then(number)),
    ("daemonize", |s| yes_no(s.daemonize)),
    ("rlimit_files", |s| number(s.rlimit_files)),
    ("rlimit_core", |s| number(s.rlimit_core)),
    ("events.mechanism", |s| word(s.events_mechanism.name())),
    ("systemd_interval", |s| {
        Some(format!("{}ms", s.systemd_interval))
    }),
    ("reload.surge", |s| Some(s.reload_surge.shown())),
    ("worker_shutdown_timeout", |s| {
        s.worker_shutdown_timeout.and_then(seconds)
    }),
    ("shutdown_on_term", |s| word(s.shutdown_on_term.name())),
    ("log_format", |s| word(s.log_format.name())),
    ("control.listen", |s| text(&s.control_listen)),
    ("process.cpu_affinity", |s| {
        s.process_cpu_affinity.as_ref().map(CpuAffinity::shown)
    }),
    ("operator.listen", |s| {
        s.operator.as_ref().map(|own| own.listen.to_string())
    }),
    ("operator.user", |s| {
        s.operator.as_ref().map(|own| own.user.to_string())
    }),
    ("operator.group", |s| {
        s.operator.as_ref().and_then(|own| text(&own.group))
    }),
    ("operator.ready_queue", |s| {
        s.operator.as_ref().map(|own| own.ready_queue.to_string())
    }),
    ("operator.ready_busy", |s| {
        s.operator.as_ref().map(|own| own.ready_busy.to_string())
    }),
];

const POOL: &[Row<Pool>] = &[
    ("prefix", |s| text(&s.prefix)),
    ("user", |s| text(&s.user)),
    ("group", |s| text(&s.group)),
    ("listen", |s| Some(s.listen_raw.to_string())),
    ("listen.backlog", |s| number(s.listen_backlog)),
    ("listen.acl_users", |s| text(&s.listen_acl_users)),
    ("listen.acl_groups", |s| text(&s.listen_acl_groups)),
    ("listen.owner", |s| text(&s.listen_owner)),
    ("listen.group", |s| text(&s.listen_group)),
    ("listen.mode", |s| Some(format!("{:04o}", s.listen_mode))),
    ("listen.allowed_clients", |s| {
        text(&s.listen_allowed_clients)
    }),
    ("process.priority", |s| s.process_priority.and_then(number)),
    ("process.dumpable", |s| yes_no(s.process_dumpable)),
    ("pm", |s| word(s.pm.name())),
    ("pm.max_children", |s| match s.pm_auto_children {
        Some(auto) => Some(auto.shown()),
        None => number(s.pm_max_children),
    }),
    ("pm.start_servers", |s| number(s.pm_start_servers)),
    ("pm.min_spare_servers", |s| number(s.pm_min_spare_servers)),
    ("pm.max_spare_servers", |s| number(s.pm_max_spare_servers)),
    ("pm.max_spawn_rate", |s| number(s.pm_max_spawn_rate)),
    ("pm.process_idle_timeout", |s| {
        seconds(s.pm_process_idle_timeout)
    }),
    ("pm.max_requests", |s| number(s.pm_max_requests)),
    ("pm.status_path", |s| text(&s.pm_status_path)),
    ("pm.status_listen", |s| text(&s.pm_status_listen)),
    ("ping.path", |s| text(&s.ping_path)),
    ("ping.response", |s| text(&s.ping_response)),
    ("access.log", |s| text(&s.access_log)),
    ("access.format", |s| text(&s.access_format)),
    ("access.suppress_path", |s| words(&s.access_suppress_path)),
    ("slowlog", |s| text(&s.slowlog)),
    ("request_slowlog_timeout", |s| {
        seconds(s.request_slowlog_timeout)
    }),
    ("request_slowlog_trace_depth", |s| {
        number(s.request_slowlog_trace_depth)
    }),
    ("request_terminate_timeout", |s| {
        seconds(s.request_terminate_timeout)
    }),
    ("request_terminate_timeout_track_finished", |s| {
        yes_no(s.request_terminate_timeout_track_finished)
    }),
    ("rlimit_files", |s| number(s.rlimit_files)),
    ("rlimit_core", |s| number(s.rlimit_core)),
    ("chroot", |s| text(&s.chroot)),
    ("chdir", |s| text(&s.chdir)),
    ("catch_workers_output", |s| yes_no(s.catch_workers_output)),
    ("decorate_workers_output", |s| {
        yes_no(s.decorate_workers_output)
    }),
    ("clear_env", |s| yes_no(s.clear_env)),
    ("security.limit_extensions", |s| {
        words(&s.security_limit_extensions)
    }),
    ("apparmor_hat", |s| text(&s.apparmor_hat)),
    ("request_queue_timeout", |s| {
        seconds(s.request_queue_timeout)
    }),
    ("request_stack", |s| yes_no(s.request_stack)),
    ("pm.memory_reserve", |s| Some(s.pm_memory_reserve.shown())),
    ("pm.max_requests_jitter", |s| {
        number(s.pm_max_requests_jitter)
    }),
    ("pm.max_memory", |s| Some(s.pm_max_memory.to_string())),
    ("pm.max_recycling", |s| {
        s.pm_max_recycling.map(Portion::shown)
    }),
    ("request_soft_timeout", |s| seconds(s.request_soft_timeout)),
    ("pm.crash_budget", |s| {
        s.pm_crash_budget.map(CrashBudget::shown)
    }),
    ("process.cpu_affinity", |s| {
        s.process_cpu_affinity.as_ref().map(CpuAffinity::shown)
    }),
    ("rlimit", |s| limits(&s.rlimit)),
];

const LISTS: &[ListRow] = &[
    ("env", |s| &s.env),
    ("php_value", |s| &s.php_value),
    ("php_admin_value", |s| &s.php_admin_value),
];

fn text(value: &Option<BString>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a row may have no value, whatever its kind"
)]
fn word(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a row may have no value, whatever its kind"
)]
fn number(value: impl Into<i64>) -> Option<String> {
    Some(value.into().to_string())
}

fn seconds(value: u32) -> Option<String> {
    word(&format!("{value}s"))
}

fn yes_no(value: bool) -> Option<String> {
    word(if value { "yes" } else { "no" })
}

fn limits(list: &[Rlimit]) -> Option<String> {
    let shown = list
        .iter()
        .map(|limit| format!("{} {}", limit.resource.name(), limit.shown()));
    Some(shown.collect::<Vec<_>>().join(", ")).filter(|shown| !shown.is_empty())
}

fn words(list: &[BString]) -> Option<String> {
    let joined = bstr::join(" ", list);
    Some(joined.to_str_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of the fields, as `Debug` writes them.
    fn fields(debug: &str) -> BTreeSet<String> {
        let own = debug.lines().filter(|line| {
            line.starts_with("    ") && !line.starts_with("     ") && line.contains(": ")
        });
        own.filter_map(|line| line.trim().split(':').next())
            .map(str::to_owned)
            .collect()
    }

    fn known<S>(table: &[Row<S>]) -> BTreeSet<String> {
        table
            .iter()
            .map(|(name, _)| name.replace('.', "_"))
            .collect()
    }

    #[test]
    fn no_directive_is_forgotten() {
        let mut global = fields(&format!("{:#?}", Global::default()));
        assert!(global.remove("systemd_watchdog"), "comes from systemd");
        // All of those of the operator are one field.
        let table = known(GLOBAL).into_iter();
        let table: BTreeSet<_> = table
            .map(|name| match name.starts_with("operator_") {
                true => "operator".to_owned(),
                false => name,
            })
            .collect();
        assert_eq!(table, global);

        let mut pool = fields(&format!("{:#?}", Pool::new("www", "9000")));
        // The last one is shown as `pm.max_children`.
        for none in ["name", "status_of", "listen_raw", "pm_auto_children"] {
            assert!(pool.remove(none), "{none}");
        }
        let lists = LISTS.iter().map(|(name, _)| (*name).to_owned());
        let table: BTreeSet<_> = known(POOL).into_iter().chain(lists).collect();
        assert_eq!(table, pool);
    }

    #[test]
    fn values_are_written_as_the_configuration_writes_them() {
        let mut www = Pool::new("www", "/run/www.sock");
        www.env = vec![("PATH".into(), "/bin".into())];
        let entries = pool(&www);
        let shown = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name);
            entry.and_then(|entry| entry.value.clone())
        };
        assert_eq!(shown("listen.mode").as_deref(), Some("0660"));
        assert_eq!(shown("pm").as_deref(), Some("static"));
        assert_eq!(shown("clear_env").as_deref(), Some("yes"));
        assert_eq!(
            shown("security.limit_extensions").as_deref(),
            Some(".php .phar")
        );
        assert_eq!(shown("pm.process_idle_timeout").as_deref(), Some("10s"));
        assert_eq!(shown("env[PATH]").as_deref(), Some("/bin"));
        assert_eq!(shown("user"), None);
    }
}
