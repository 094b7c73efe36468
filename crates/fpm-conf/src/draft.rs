//! The configuration while it is being read: every directive as the original stores it, not yet checked.
//!
//! A changer must know: numbers are C ints with their wrap-around because the `-tt` dump prints them, and lists are in
//! the order of the file although the original, which puts new entries in front, works through them backwards.
//!
//! Original: sapi/fpm/fpm/fpm_conf.h

use bstr::{BStr, BString, ByteSlice};

use crate::{
    AutoChildren, CpuAffinity, CrashBudget, LogFormat, LogLevel, OperatorAddress, Percent, Pm,
    Portion, Reserve, Rlimit, TermMeans,
};

/// Stands for a `process.priority` that was not set.
pub(crate) const NO_PRIORITY: i32 = 64;

/// Stands for a facility or an interval that was not set.
pub(crate) const UNSET: i32 = -1;

/// Everything that has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) global: DraftGlobal,
    pub(crate) pools: Vec<DraftPool>,
    /// The pool whose section is open; none in `[global]`.
    pub(crate) current: Option<usize>,
}

impl Draft {
    /// Opens a section: `[global]`, a pool that was seen before, or a new one. Names are compared without case.
    pub(crate) fn open_section(&mut self, name: &BStr) {
        self.current = if name.eq_ignore_ascii_case(b"global") {
            None
        } else {
            Some(self.find(name).unwrap_or_else(|| {
                self.pools.push(DraftPool::new(name.to_owned()));
                self.pools.len() - 1
            }))
        };
    }

    fn find(&self, name: &BStr) -> Option<usize> {
        self.pools
            .iter()
            .position(|pool| pool.name.eq_ignore_ascii_case(name))
    }
}

/// The `[global]` section.
#[derive(Debug, Clone)]
pub(crate) struct DraftGlobal {
    pub(crate) pid: Option<BString>,
    pub(crate) error_log: Option<BString>,
    pub(crate) syslog_ident: Option<BString>,
    pub(crate) syslog_facility: i32,
    pub(crate) log_buffering: bool,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) log_limit: i32,
    pub(crate) emergency_restart_threshold: i32,
    pub(crate) emergency_restart_interval: i32,
    pub(crate) process_control_timeout: i32,
    pub(crate) process_max: i32,
    pub(crate) process_priority: i32,
    pub(crate) daemonize: bool,
    pub(crate) rlimit_files: i32,
    pub(crate) rlimit_core: i32,
    pub(crate) events_mechanism: Option<BString>,
    /// In seconds while reading, in milliseconds once checked.
    pub(crate) systemd_interval: i32,
    pub(crate) systemd_watchdog: bool,
    pub(crate) reload_surge: Option<Portion>,
    pub(crate) worker_shutdown_timeout: Option<i32>,
    pub(crate) shutdown_on_term: Option<TermMeans>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) control_listen: Option<BString>,
    pub(crate) process_cpu_affinity: Option<CpuAffinity>,
    pub(crate) operator_listen: Option<BString>,
    pub(crate) operator_user: Option<BString>,
    pub(crate) operator_group: Option<BString>,
    pub(crate) operator_ready_queue: Option<Percent>,
    pub(crate) operator_ready_busy: Option<Percent>,
    /// What the check has made of `operator_listen`.
    pub(crate) operator_address: Option<OperatorAddress>,
}

impl Default for DraftGlobal {
    fn default() -> Self {
        Self {
            pid: None,
            error_log: None,
            syslog_ident: None,
            syslog_facility: UNSET,
            log_buffering: true,
            log_level: None,
            log_limit: 1024,
            emergency_restart_threshold: 0,
            emergency_restart_interval: 0,
            process_control_timeout: 0,
            process_max: 0,
            process_priority: NO_PRIORITY,
            daemonize: true,
            rlimit_files: 0,
            rlimit_core: 0,
            events_mechanism: None,
            systemd_interval: UNSET,
            systemd_watchdog: false,
            reload_surge: None,
            worker_shutdown_timeout: None,
            shutdown_on_term: None,
            log_format: None,
            control_listen: None,
            process_cpu_affinity: None,
            operator_listen: None,
            operator_user: None,
            operator_group: None,
            operator_ready_queue: None,
            operator_ready_busy: None,
            operator_address: None,
        }
    }
}

/// A pool's section.
#[derive(Debug)]
pub(crate) struct DraftPool {
    pub(crate) name: BString,
    /// Set on the shadow pool of `pm.status_listen`: whose it is.
    pub(crate) status_of: Option<usize>,
    pub(crate) prefix: Option<BString>,
    pub(crate) user: Option<BString>,
    pub(crate) group: Option<BString>,
    pub(crate) listen: Option<BString>,
    pub(crate) listen_backlog: i32,
    pub(crate) listen_acl_users: Option<BString>,
    pub(crate) listen_acl_groups: Option<BString>,
    pub(crate) listen_owner: Option<BString>,
    pub(crate) listen_group: Option<BString>,
    pub(crate) listen_mode: Option<BString>,
    pub(crate) listen_allowed_clients: Option<BString>,
    pub(crate) process_priority: i32,
    pub(crate) process_dumpable: bool,
    pub(crate) pm: Option<Pm>,
    pub(crate) pm_max_children: i32,
    pub(crate) pm_start_servers: i32,
    pub(crate) pm_min_spare_servers: i32,
    pub(crate) pm_max_spare_servers: i32,
    pub(crate) pm_max_spawn_rate: i32,
    pub(crate) pm_process_idle_timeout: i32,
    pub(crate) pm_max_requests: i32,
    pub(crate) pm_status_path: Option<BString>,
    pub(crate) pm_status_listen: Option<BString>,
    pub(crate) ping_path: Option<BString>,
    pub(crate) ping_response: Option<BString>,
    pub(crate) access_log: Option<BString>,
    pub(crate) access_format: Option<BString>,
    pub(crate) access_suppress_path: Vec<BString>,
    pub(crate) slowlog: Option<BString>,
    pub(crate) request_slowlog_timeout: i32,
    pub(crate) request_slowlog_trace_depth: i32,
    pub(crate) request_terminate_timeout: i32,
    pub(crate) request_terminate_timeout_track_finished: bool,
    pub(crate) rlimit_files: i32,
    pub(crate) rlimit_core: i32,
    pub(crate) chroot: Option<BString>,
    pub(crate) chdir: Option<BString>,
    pub(crate) catch_workers_output: bool,
    pub(crate) decorate_workers_output: bool,
    pub(crate) clear_env: bool,
    pub(crate) security_limit_extensions: Option<BString>,
    pub(crate) apparmor_hat: Option<BString>,
    pub(crate) env: Vec<(BString, BString)>,
    pub(crate) php_value: Vec<(BString, BString)>,
    pub(crate) php_admin_value: Vec<(BString, BString)>,
    pub(crate) request_queue_timeout: Option<i32>,
    pub(crate) request_stack: Option<bool>,
    pub(crate) pm_auto_children: Option<AutoChildren>,
    pub(crate) pm_memory_reserve: Option<Reserve>,
    pub(crate) pm_max_requests_jitter: Option<u32>,
    pub(crate) pm_max_memory: Option<u64>,
    pub(crate) pm_max_recycling: Option<Portion>,
    pub(crate) request_soft_timeout: Option<i32>,
    pub(crate) pm_crash_budget: Option<CrashBudget>,
    pub(crate) process_cpu_affinity: Option<CpuAffinity>,
    pub(crate) rlimit: Vec<Rlimit>,
}

impl DraftPool {
    /// Returns a pool in which nothing is set.
    pub(crate) fn new(name: BString) -> Self {
        Self {
            name,
            status_of: None,
            prefix: None,
            user: None,
            group: None,
            listen: None,
            listen_backlog: -1,
            listen_acl_users: None,
            listen_acl_groups: None,
            listen_owner: None,
            listen_group: None,
            listen_mode: None,
            listen_allowed_clients: None,
            process_priority: NO_PRIORITY,
            process_dumpable: false,
            pm: None,
            pm_max_children: 0,
            pm_start_servers: 0,
            pm_min_spare_servers: 0,
            pm_max_spare_servers: 0,
            pm_max_spawn_rate: 32,
            pm_process_idle_timeout: 10,
            pm_max_requests: 0,
            pm_status_path: None,
            pm_status_listen: None,
            ping_path: None,
            ping_response: None,
            access_log: None,
            access_format: None,
            access_suppress_path: Vec::new(),
            slowlog: None,
            request_slowlog_timeout: 0,
            request_slowlog_trace_depth: 0,
            request_terminate_timeout: 0,
            request_terminate_timeout_track_finished: false,
            rlimit_files: 0,
            rlimit_core: 0,
            chroot: None,
            chdir: None,
            catch_workers_output: false,
            decorate_workers_output: true,
            clear_env: true,
            security_limit_extensions: None,
            apparmor_hat: None,
            env: Vec::new(),
            php_value: Vec::new(),
            php_admin_value: Vec::new(),
            request_queue_timeout: None,
            request_stack: None,
            pm_auto_children: None,
            pm_memory_reserve: None,
            pm_max_requests_jitter: None,
            pm_max_memory: None,
            pm_max_recycling: None,
            request_soft_timeout: None,
            pm_crash_budget: None,
            process_cpu_affinity: None,
            rlimit: Vec::new(),
        }
    }
}

/// Returns a setting unless it is unset or empty.
pub(crate) fn non_empty(setting: &Option<BString>) -> Option<&BStr> {
    setting
        .as_ref()
        .map(|text| text.as_bstr())
        .filter(|text| !text.is_empty())
}
