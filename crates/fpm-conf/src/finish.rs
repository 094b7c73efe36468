//! A checked draft → the typed configuration.
//!
//! A changer must know: nothing is refused here; what the checks let through has a meaning, and this is where it is given.

use bstr::{BStr, BString, ByteSlice};

use crate::draft::{Draft, DraftGlobal, DraftPool, NO_PRIORITY, non_empty};
use crate::global::{ErrorLog, EventMechanism, Facility, Global};
use crate::operator::{OPERATOR_USER, READY_BUSY, READY_QUEUE};
use crate::{Config, CpuAffinity, ListenAddress, Operator, Pm, Pool, PoolIndex, Portion};

/// Types everything.
pub(crate) fn finish(
    name: &BStr,
    draft: Draft,
    events: EventMechanism,
    heartbeat: Option<u32>,
) -> Config {
    let affinity = draft.global.process_cpu_affinity.clone();
    let pools = draft.pools.into_iter();
    Config {
        name: name.to_owned(),
        global: global(draft.global, events),
        pools: pools.map(|draft| pool(draft, affinity.as_ref())).collect(),
        heartbeat,
    }
}

/// Types the `[global]` section.
pub(crate) fn global(draft: DraftGlobal, events: EventMechanism) -> Global {
    let error_log = draft.error_log.unwrap_or_default();
    Global {
        pid: draft.pid,
        error_log: if error_log.eq_ignore_ascii_case(b"syslog") {
            ErrorLog::Syslog
        } else {
            ErrorLog::File(error_log)
        },
        syslog_ident: draft.syslog_ident.unwrap_or_default(),
        syslog_facility: Facility(draft.syslog_facility),
        log_buffering: draft.log_buffering,
        log_level: draft.log_level.unwrap_or_default(),
        log_limit: count(draft.log_limit),
        emergency_restart_threshold: count(draft.emergency_restart_threshold),
        emergency_restart_interval: count(draft.emergency_restart_interval),
        process_control_timeout: count(draft.process_control_timeout),
        process_max: count(draft.process_max),
        process_priority: priority(draft.process_priority),
        daemonize: draft.daemonize,
        rlimit_files: draft.rlimit_files,
        rlimit_core: draft.rlimit_core,
        events_mechanism: events,
        systemd_interval: count(draft.systemd_interval),
        systemd_watchdog: draft.systemd_watchdog,
        reload_surge: draft.reload_surge.unwrap_or(Portion::SURGE),
        worker_shutdown_timeout: draft.worker_shutdown_timeout.map(count),
        shutdown_on_term: draft.shutdown_on_term.unwrap_or_default(),
        log_format: draft.log_format.unwrap_or_default(),
        control_listen: filled(draft.control_listen),
        process_cpu_affinity: draft.process_cpu_affinity,
        operator: draft.operator_address.map(|listen| Operator {
            listen,
            user: filled(draft.operator_user).unwrap_or_else(|| OPERATOR_USER.into()),
            group: filled(draft.operator_group),
            ready_queue: draft.operator_ready_queue.unwrap_or(READY_QUEUE),
            ready_busy: draft.operator_ready_busy.unwrap_or(READY_BUSY),
        }),
    }
}

fn pool(draft: DraftPool, affinity: Option<&CpuAffinity>) -> Pool {
    let listen_raw = draft.listen.unwrap_or_default();
    let extensions = draft.security_limit_extensions.unwrap_or_default();
    Pool {
        name: draft.name,
        status_of: draft
            .status_of
            .and_then(|index| u32::try_from(index).ok())
            .map(PoolIndex),
        prefix: filled(draft.prefix),
        user: filled(draft.user),
        group: filled(draft.group),
        listen: ListenAddress::parse(listen_raw.as_bstr()),
        listen_raw,
        listen_backlog: draft.listen_backlog,
        listen_acl_users: filled(draft.listen_acl_users),
        listen_acl_groups: filled(draft.listen_acl_groups),
        listen_owner: filled(draft.listen_owner),
        listen_group: filled(draft.listen_group),
        listen_mode: non_empty(&draft.listen_mode).map_or(0o660, octal),
        listen_allowed_clients: draft.listen_allowed_clients,
        process_priority: priority(draft.process_priority),
        process_dumpable: draft.process_dumpable,
        pm: draft.pm.unwrap_or(Pm::Static),
        pm_max_children: count(draft.pm_max_children),
        pm_start_servers: count(draft.pm_start_servers),
        pm_min_spare_servers: count(draft.pm_min_spare_servers),
        pm_max_spare_servers: count(draft.pm_max_spare_servers),
        pm_max_spawn_rate: count(draft.pm_max_spawn_rate),
        pm_process_idle_timeout: count(draft.pm_process_idle_timeout),
        pm_max_requests: count(draft.pm_max_requests),
        pm_status_path: filled(draft.pm_status_path),
        pm_status_listen: draft.pm_status_listen,
        ping_path: filled(draft.ping_path),
        ping_response: draft.ping_response,
        access_format: draft
            .access_format
            .filter(|_| non_empty(&draft.access_log).is_some()),
        access_log: filled(draft.access_log),
        access_suppress_path: draft.access_suppress_path,
        slowlog: filled(draft.slowlog),
        request_slowlog_timeout: count(draft.request_slowlog_timeout),
        request_slowlog_trace_depth: count(draft.request_slowlog_trace_depth),
        request_terminate_timeout: count(draft.request_terminate_timeout),
        request_terminate_timeout_track_finished: draft.request_terminate_timeout_track_finished,
        rlimit_files: draft.rlimit_files,
        rlimit_core: draft.rlimit_core,
        chroot: filled(draft.chroot),
        chdir: filled(draft.chdir),
        catch_workers_output: draft.catch_workers_output,
        decorate_workers_output: draft.decorate_workers_output,
        clear_env: draft.clear_env,
        security_limit_extensions: words(extensions.as_bstr()),
        apparmor_hat: filled(draft.apparmor_hat),
        env: applied(draft.env),
        php_value: applied(draft.php_value),
        php_admin_value: applied(draft.php_admin_value),
        request_queue_timeout: count(draft.request_queue_timeout.unwrap_or_default()),
        request_stack: draft.request_stack.unwrap_or_default(),
        pm_auto_children: draft.pm_auto_children,
        pm_memory_reserve: draft.pm_memory_reserve.unwrap_or_default(),
        pm_max_requests_jitter: draft.pm_max_requests_jitter.unwrap_or_default(),
        pm_max_memory: draft.pm_max_memory.unwrap_or_default(),
        pm_max_recycling: draft.pm_max_recycling,
        request_soft_timeout: count(draft.request_soft_timeout.unwrap_or_default()),
        pm_crash_budget: draft.pm_crash_budget,
        process_cpu_affinity: draft.process_cpu_affinity.or_else(|| affinity.cloned()),
        rlimit: draft.rlimit,
    }
}

/// Puts a list into the order of application: the original works through it from the end, so the first entry wins.
fn applied(mut list: Vec<(BString, BString)>) -> Vec<(BString, BString)> {
    list.reverse();
    list
}

fn words(text: &BStr) -> Vec<BString> {
    text.split(|b| *b == b' ' || *b == b'\t')
        .filter(|word| !word.is_empty())
        .map(BString::from)
        .collect()
}

fn filled(setting: Option<BString>) -> Option<BString> {
    setting.filter(|text| !text.is_empty())
}

fn priority(draft: i32) -> Option<i32> {
    (draft != NO_PRIORITY).then_some(draft)
}

/// Negative counts and times are accepted where 0 means "none" or "off", and mean the same.
fn count(draft: i32) -> u32 {
    u32::try_from(draft).unwrap_or(0)
}

/// Reads an octal number as strtoul(3) does: digits until something else comes, and no digits are 0.
fn octal(text: &BStr) -> u32 {
    let digits = text
        .trim_start()
        .iter()
        .take_while(|b| (b'0'..=b'7').contains(*b));
    digits.fold(0u32, |number, digit| {
        (number << 3) | u32::from(digit - b'0')
    }) & 0o7777
}
