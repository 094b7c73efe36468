//! Directives of the `[global]` section, typed.
//!
//! A changer must know: each field is named for its directive with `.` written as `_`, and documented as the directive.
//!
//! Original: sapi/fpm/fpm/fpm_conf.h (`struct fpm_global_config_s`)

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::{CpuAffinity, LogFormat, LogLevel, Operator, Portion, TermMeans};

/// Holds the `[global]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// `pid`: path of the pid file. Default none; relative to the prefix or to PHP's LOCALSTATEDIR.
    pub pid: Option<BString>,
    /// `error_log`: where the log goes. Default `log/php-fpm.log` under the prefix or PHP's LOCALSTATEDIR.
    pub error_log: ErrorLog,
    /// `syslog.ident`: name in front of each syslog line. Default `php-fpm`.
    pub syslog_ident: BString,
    /// `syslog.facility`: who syslog is told is speaking. Default daemon.
    pub syslog_facility: Facility,
    /// `log_buffering`: captured worker output is written line by line instead of piece by piece. Default yes.
    pub log_buffering: bool,
    /// `log_level`: lowest level that is written. Default notice.
    pub log_level: LogLevel,
    /// `log_limit`: longest log line in bytes, line feed included. Default 1024, at least 512.
    pub log_limit: u32,
    /// `emergency_restart_threshold`: this many workers dying by SIGSEGV or SIGBUS within
    /// `emergency_restart_interval` reload the daemon. Default 0; both must be positive to mean anything.
    pub emergency_restart_threshold: u32,
    /// `emergency_restart_interval`, in seconds. Default 0.
    pub emergency_restart_interval: u32,
    /// `process_control_timeout`: seconds that a worker may take to react to a signal of the master. Default 0: for ever.
    pub process_control_timeout: u32,
    /// `process.max`: most workers of all pools together. Default 0: unlimited.
    pub process_max: u32,
    /// `process.priority`: nice value of the master. Default unset, −19 to 20.
    pub process_priority: Option<i32>,
    /// `daemonize`, after `-D` and `-F`: run in the background. Default yes.
    pub daemonize: bool,
    /// `rlimit_files`: RLIMIT_NOFILE of the master, soft and hard. 0 (default) leaves it; a negative number is handed
    /// to the kernel as the unsigned number with the same bits (−1 is infinity).
    pub rlimit_files: i32,
    /// `rlimit_core`: RLIMIT_CORE of the master in bytes, soft and hard. 0 (default) leaves it, −1 is `unlimited`.
    pub rlimit_core: i32,
    /// `events.mechanism`: how the original waits for events. Checked and shown; ours is always epoll.
    pub events_mechanism: EventMechanism,
    /// `systemd_interval`, in milliseconds: time between status notifications to systemd; 0 is off. Default 10 s.
    /// When systemd runs a watchdog on us this is half of its period instead.
    pub systemd_interval: u32,
    /// Whether systemd watches us (`WATCHDOG_USEC`), so that each notification must also say we are alive.
    pub systemd_watchdog: bool,
    /// `reload.surge`: how many workers a pool may have beyond `pm.max_children` while a reload replaces them. A number,
    /// or 0% to 100% of `pm.max_children`. Default 25%.
    pub reload_surge: Portion,
    /// `worker_shutdown_timeout`: seconds that a worker may take to finish its request when it is to go; 0: for ever.
    /// Default unset: `process_control_timeout` counts.
    pub worker_shutdown_timeout: Option<u32>,
    /// `shutdown_on_term`: whether SIGTERM cuts requests off (`fast`) or lets them finish (`graceful`). Default fast.
    pub shutdown_on_term: TermMeans,
    /// `log_format`: what a line of the error log looks like, `fpm` or `json`. Default fpm.
    pub log_format: LogFormat,
    /// `control.listen`: path of the unix socket at which the master takes orders of whoever runs it. Default off; relative as
    /// `pid`.
    pub control_listen: Option<BString>,
    /// `process.cpu_affinity`: on which CPUs workers run, unless their pool says something else. Default: on all that there are.
    pub process_cpu_affinity: Option<CpuAffinity>,
    /// `operator.…`: the process that shows over HTTP how the daemon is. Default none.
    pub operator: Option<Operator>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            pid: None,
            error_log: ErrorLog::File("/var/log/php-fpm.log".into()),
            syslog_ident: "php-fpm".into(),
            syslog_facility: Facility::DAEMON,
            log_buffering: true,
            log_level: LogLevel::Notice,
            log_limit: 1024,
            emergency_restart_threshold: 0,
            emergency_restart_interval: 0,
            process_control_timeout: 0,
            process_max: 0,
            process_priority: None,
            daemonize: true,
            rlimit_files: 0,
            rlimit_core: 0,
            events_mechanism: EventMechanism::Epoll,
            systemd_interval: 10_000,
            systemd_watchdog: false,
            reload_surge: Portion::SURGE,
            worker_shutdown_timeout: None,
            shutdown_on_term: TermMeans::Fast,
            log_format: LogFormat::Fpm,
            control_listen: None,
            process_cpu_affinity: None,
            operator: None,
        }
    }
}

/// Says where the log goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorLog {
    /// The value `syslog`, in any case.
    Syslog,
    /// A file at this path (prefix already applied).
    File(BString),
}

/// The syslog facility as syslog(3) codes it (daemon is 24), which is also how the `-tt` dump prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facility(pub i32);

impl Facility {
    /// `LOG_DAEMON`, the default.
    pub const DAEMON: Self = Self(24);
}

/// Names an event mechanism that the original has on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum EventMechanism {
    /// `epoll`, the default; the only one that allows `pm = ondemand`.
    #[default]
    Epoll,
    /// `poll`.
    Poll,
    /// `select`.
    Select,
}

impl EventMechanism {
    /// Returns the name as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::Poll => "poll",
            Self::Select => "select",
        }
    }
}
