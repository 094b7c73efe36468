//! The table of directives: which name sets which field, and how its value is read.
//!
//! To add a directive: a field in [`draft`](crate::draft), a row here, a line in [`dump`](crate::dump) if `-tt` is to show
//! it, and a field of `Global` or `Pool` filled in [`finish`](crate::finish).
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`ini_fpm_global_options`, `ini_fpm_pool_options`)

use bstr::{BStr, BString};

use crate::draft::{DraftGlobal, DraftPool};
use crate::options::Feature;
use crate::own;
use crate::value::{self, Reason};
use crate::{
    AutoChildren, CpuAffinity, CrashBudget, LogFormat, LogLevel, Percent, Pm, Portion, Reserve,
    TermMeans,
};

/// A row of the table, for a section of type `S`.
pub(crate) struct Directive<S> {
    pub(crate) name: &'static str,
    pub(crate) field: Field<S>,
    /// Only known when the daemon has this feature.
    pub(crate) feature: Option<Feature>,
}

/// Where a value goes and how it is read.
pub(crate) enum Field<S> {
    Text(fn(&mut S) -> &mut Option<BString>),
    Number(fn(&mut S) -> &mut i32),
    Time(fn(&mut S) -> &mut i32),
    Boolean(fn(&mut S) -> &mut bool),
    CoreLimit(fn(&mut S) -> &mut i32),
    Level(fn(&mut S) -> &mut Option<LogLevel>),
    Facility(fn(&mut S) -> &mut i32),
    Pm(fn(&mut S) -> &mut Option<Pm>),
    OwnTime(fn(&mut S) -> &mut Option<i32>),
    /// [`own::requests`].
    Requests(fn(&mut S) -> &mut Option<u32>),
    /// [`own::bytes`].
    Bytes(fn(&mut S) -> &mut Option<u64>),
    /// [`value::boolean`], of a directive that php-fpm does not have.
    OwnBoolean(fn(&mut S) -> &mut Option<bool>),
    Portion(fn(&mut S) -> &mut Option<Portion>),
    CpuAffinity(fn(&mut S) -> &mut Option<CpuAffinity>),
    CrashBudget(fn(&mut S) -> &mut Option<CrashBudget>),
    /// A number, or [`AutoChildren`].
    Children(fn(&mut S) -> (&mut i32, &mut Option<AutoChildren>)),
    Reserve(fn(&mut S) -> &mut Option<Reserve>),
    TermMeans(fn(&mut S) -> &mut Option<TermMeans>),
    LogFormat(fn(&mut S) -> &mut Option<LogFormat>),
    Percent(fn(&mut S) -> &mut Option<Percent>),
}

impl<S> Directive<S> {
    const fn new(name: &'static str, field: Field<S>) -> Self {
        Self {
            name,
            field,
            feature: None,
        }
    }

    const fn with(name: &'static str, field: Field<S>, feature: Feature) -> Self {
        Self {
            name,
            field,
            feature: Some(feature),
        }
    }

    /// Reads a value into its field; on an error the field keeps what it had.
    pub(crate) fn set(
        &self,
        section: &mut S,
        text: &BStr,
        pool: Option<&BStr>,
    ) -> Result<(), Reason> {
        match self.field {
            Field::Text(field) => *field(section) = Some(value::string(text, pool)?),
            Field::Number(field) => *field(section) = value::number(text)?,
            Field::Time(field) => *field(section) = value::time(text)?,
            Field::Boolean(field) => *field(section) = value::boolean(text)?,
            Field::CoreLimit(field) => *field(section) = value::core_limit(text)?,
            Field::Level(field) => *field(section) = Some(value::log_level(text)?),
            Field::Facility(field) => *field(section) = value::facility(text)?,
            Field::Pm(field) => *field(section) = Some(value::pm(text)?),
            Field::OwnTime(field) => *field(section) = Some(value::time(text)?),
            Field::OwnBoolean(field) => *field(section) = Some(value::boolean(text)?),
            Field::Requests(field) => *field(section) = Some(own::requests(text)?),
            Field::Bytes(field) => *field(section) = Some(own::bytes(text)?),
            Field::CpuAffinity(field) => *field(section) = Some(CpuAffinity::parse(text)?),
            Field::CrashBudget(field) => *field(section) = Some(CrashBudget::parse(text)?),
            Field::Portion(field) => *field(section) = Some(Portion::parse(text)?),
            Field::Children(field) => {
                let auto = AutoChildren::parse(text)?;
                let most = match auto {
                    Some(auto) => i32::try_from(auto.ceiling).unwrap_or(i32::MAX),
                    None => value::number(text)?,
                };
                let (children, bounds) = field(section);
                (*children, *bounds) = (most, auto);
            }
            Field::Reserve(field) => *field(section) = Some(Reserve::parse(text)?),
            Field::TermMeans(field) => *field(section) = Some(TermMeans::parse(text)?),
            Field::LogFormat(field) => *field(section) = Some(LogFormat::parse(text)?),
            Field::Percent(field) => *field(section) = Some(Percent::parse(text)?),
        }
        Ok(())
    }
}

/// The directives of `[global]`.
pub(crate) const GLOBAL: &[Directive<DraftGlobal>] = &[
    Directive::new("pid", Field::Text(|s| &mut s.pid)),
    Directive::new("error_log", Field::Text(|s| &mut s.error_log)),
    Directive::new("syslog.ident", Field::Text(|s| &mut s.syslog_ident)),
    Directive::new(
        "syslog.facility",
        Field::Facility(|s| &mut s.syslog_facility),
    ),
    Directive::new("log_buffering", Field::Boolean(|s| &mut s.log_buffering)),
    Directive::new("log_level", Field::Level(|s| &mut s.log_level)),
    Directive::new("log_limit", Field::Number(|s| &mut s.log_limit)),
    Directive::new(
        "emergency_restart_threshold",
        Field::Number(|s| &mut s.emergency_restart_threshold),
    ),
    Directive::new(
        "emergency_restart_interval",
        Field::Time(|s| &mut s.emergency_restart_interval),
    ),
    Directive::new(
        "process_control_timeout",
        Field::Time(|s| &mut s.process_control_timeout),
    ),
    Directive::new("process.max", Field::Number(|s| &mut s.process_max)),
    Directive::new(
        "process.priority",
        Field::Number(|s| &mut s.process_priority),
    ),
    Directive::new("daemonize", Field::Boolean(|s| &mut s.daemonize)),
    Directive::new("rlimit_files", Field::Number(|s| &mut s.rlimit_files)),
    Directive::new("rlimit_core", Field::CoreLimit(|s| &mut s.rlimit_core)),
    Directive::new("events.mechanism", Field::Text(|s| &mut s.events_mechanism)),
    Directive::with(
        "systemd_interval",
        Field::Time(|s| &mut s.systemd_interval),
        Feature::Systemd,
    ),
    // php-fpm has none of these.
    Directive::new("reload.surge", Field::Portion(|s| &mut s.reload_surge)),
    Directive::new(
        "worker_shutdown_timeout",
        Field::OwnTime(|s| &mut s.worker_shutdown_timeout),
    ),
    Directive::new(
        "shutdown_on_term",
        Field::TermMeans(|s| &mut s.shutdown_on_term),
    ),
    Directive::new("log_format", Field::LogFormat(|s| &mut s.log_format)),
    Directive::new("control.listen", Field::Text(|s| &mut s.control_listen)),
    Directive::new(
        "process.cpu_affinity",
        Field::CpuAffinity(|s| &mut s.process_cpu_affinity),
    ),
    Directive::new("operator.listen", Field::Text(|s| &mut s.operator_listen)),
    Directive::new("operator.user", Field::Text(|s| &mut s.operator_user)),
    Directive::new("operator.group", Field::Text(|s| &mut s.operator_group)),
    Directive::new(
        "operator.ready_queue",
        Field::Percent(|s| &mut s.operator_ready_queue),
    ),
    Directive::new(
        "operator.ready_busy",
        Field::Percent(|s| &mut s.operator_ready_busy),
    ),
];

/// The directives of a pool.
pub(crate) const POOL: &[Directive<DraftPool>] = &[
    Directive::new("prefix", Field::Text(|s| &mut s.prefix)),
    Directive::new("user", Field::Text(|s| &mut s.user)),
    Directive::new("group", Field::Text(|s| &mut s.group)),
    Directive::new("listen", Field::Text(|s| &mut s.listen)),
    Directive::new("listen.backlog", Field::Number(|s| &mut s.listen_backlog)),
    Directive::with(
        "listen.acl_users",
        Field::Text(|s| &mut s.listen_acl_users),
        Feature::Acl,
    ),
    Directive::with(
        "listen.acl_groups",
        Field::Text(|s| &mut s.listen_acl_groups),
        Feature::Acl,
    ),
    Directive::new("listen.owner", Field::Text(|s| &mut s.listen_owner)),
    Directive::new("listen.group", Field::Text(|s| &mut s.listen_group)),
    Directive::new("listen.mode", Field::Text(|s| &mut s.listen_mode)),
    Directive::new(
        "listen.allowed_clients",
        Field::Text(|s| &mut s.listen_allowed_clients),
    ),
    Directive::new(
        "process.priority",
        Field::Number(|s| &mut s.process_priority),
    ),
    Directive::new(
        "process.dumpable",
        Field::Boolean(|s| &mut s.process_dumpable),
    ),
    Directive::new("pm", Field::Pm(|s| &mut s.pm)),
    // php-fpm knows no `auto`.
    Directive::new(
        "pm.max_children",
        Field::Children(|s| (&mut s.pm_max_children, &mut s.pm_auto_children)),
    ),
    Directive::new(
        "pm.start_servers",
        Field::Number(|s| &mut s.pm_start_servers),
    ),
    Directive::new(
        "pm.min_spare_servers",
        Field::Number(|s| &mut s.pm_min_spare_servers),
    ),
    Directive::new(
        "pm.max_spare_servers",
        Field::Number(|s| &mut s.pm_max_spare_servers),
    ),
    Directive::new(
        "pm.max_spawn_rate",
        Field::Number(|s| &mut s.pm_max_spawn_rate),
    ),
    Directive::new(
        "pm.process_idle_timeout",
        Field::Time(|s| &mut s.pm_process_idle_timeout),
    ),
    Directive::new("pm.max_requests", Field::Number(|s| &mut s.pm_max_requests)),
    Directive::new("pm.status_path", Field::Text(|s| &mut s.pm_status_path)),
    Directive::new("pm.status_listen", Field::Text(|s| &mut s.pm_status_listen)),
    Directive::new("ping.path", Field::Text(|s| &mut s.ping_path)),
    Directive::new("ping.response", Field::Text(|s| &mut s.ping_response)),
    Directive::new("access.log", Field::Text(|s| &mut s.access_log)),
    Directive::new("access.format", Field::Text(|s| &mut s.access_format)),
    Directive::new("slowlog", Field::Text(|s| &mut s.slowlog)),
    Directive::new(
        "request_slowlog_timeout",
        Field::Time(|s| &mut s.request_slowlog_timeout),
    ),
    Directive::new(
        "request_slowlog_trace_depth",
        Field::Number(|s| &mut s.request_slowlog_trace_depth),
    ),
    Directive::new(
        "request_terminate_timeout",
        Field::Time(|s| &mut s.request_terminate_timeout),
    ),
    Directive::new(
        "request_terminate_timeout_track_finished",
        Field::Boolean(|s| &mut s.request_terminate_timeout_track_finished),
    ),
    Directive::new("rlimit_files", Field::Number(|s| &mut s.rlimit_files)),
    Directive::new("rlimit_core", Field::CoreLimit(|s| &mut s.rlimit_core)),
    Directive::new("chroot", Field::Text(|s| &mut s.chroot)),
    Directive::new("chdir", Field::Text(|s| &mut s.chdir)),
    Directive::new(
        "catch_workers_output",
        Field::Boolean(|s| &mut s.catch_workers_output),
    ),
    Directive::new(
        "decorate_workers_output",
        Field::Boolean(|s| &mut s.decorate_workers_output),
    ),
    Directive::new("clear_env", Field::Boolean(|s| &mut s.clear_env)),
    Directive::new(
        "security.limit_extensions",
        Field::Text(|s| &mut s.security_limit_extensions),
    ),
    Directive::with(
        "apparmor_hat",
        Field::Text(|s| &mut s.apparmor_hat),
        Feature::AppArmor,
    ),
    // php-fpm does not have this.
    Directive::new(
        "request_queue_timeout",
        Field::OwnTime(|s| &mut s.request_queue_timeout),
    ),
    // php-fpm does not have this.
    Directive::new("request_stack", Field::OwnBoolean(|s| &mut s.request_stack)),
    // php-fpm does not have this.
    Directive::new(
        "pm.memory_reserve",
        Field::Reserve(|s| &mut s.pm_memory_reserve),
    ),
    // php-fpm does not have this.
    Directive::new(
        "pm.max_requests_jitter",
        Field::Requests(|s| &mut s.pm_max_requests_jitter),
    ),
    // php-fpm does not have this.
    Directive::new("pm.max_memory", Field::Bytes(|s| &mut s.pm_max_memory)),
    // php-fpm does not have this.
    Directive::new(
        "pm.max_recycling",
        Field::Portion(|s| &mut s.pm_max_recycling),
    ),
    // php-fpm does not have this.
    Directive::new(
        "request_soft_timeout",
        Field::OwnTime(|s| &mut s.request_soft_timeout),
    ),
    // php-fpm does not have this.
    Directive::new(
        "pm.crash_budget",
        Field::CrashBudget(|s| &mut s.pm_crash_budget),
    ),
    // php-fpm does not have this.
    Directive::new(
        "process.cpu_affinity",
        Field::CpuAffinity(|s| &mut s.process_cpu_affinity),
    ),
];
