//! Directives of a pool, typed.
//!
//! A changer must know: each field is named for its directive with `.` written as `_`, and documented as the directive.
//! Lists are in the order in which they are to be applied, so a later entry overrides an earlier one.
//!
//! Original: sapi/fpm/fpm/fpm_conf.h (`struct fpm_worker_pool_config_s`)

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::{AutoChildren, CpuAffinity, CrashBudget, ListenAddress, Portion, Reserve, Rlimit};

/// Holds one pool. Paths have their prefix already; an option that the file leaves empty is `None` unless noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The name in the section's brackets.
    pub name: BString,
    /// Set on the shadow pool that `pm.status_listen` creates: the pool whose status it reports.
    pub status_of: Option<PoolIndex>,
    /// `prefix`: directory that relative paths of this pool start from.
    pub prefix: Option<BString>,
    /// `user`: name or number that workers run as. Mandatory when started as root without `-R`.
    pub user: Option<BString>,
    /// `group`: name or number. Default: the user's primary group.
    pub group: Option<BString>,
    /// `listen`: where requests arrive. Mandatory.
    pub listen: ListenAddress,
    /// `listen` as text, the way messages show it (the prefix is applied to a path).
    pub listen_raw: BString,
    /// `listen.backlog`: second argument of listen(2). Default −1: as long as the kernel allows.
    pub listen_backlog: i32,
    /// `listen.acl_users`: comma list of users who get read and write access to the socket through an ACL.
    pub listen_acl_users: Option<BString>,
    /// `listen.acl_groups`: comma list of groups, likewise.
    pub listen_acl_groups: Option<BString>,
    /// `listen.owner`: name or number of the unix socket's owner. Ignored when an ACL list is set.
    pub listen_owner: Option<BString>,
    /// `listen.group`: name or number of the unix socket's group. Ignored when an ACL list is set.
    pub listen_group: Option<BString>,
    /// `listen.mode`: permission bits of the unix socket. Default 0660.
    pub listen_mode: u32,
    /// `listen.allowed_clients`: comma list of addresses that may connect over TCP. `None` (default): anybody;
    /// `Some` of an empty text: nobody. Blanks are still in it.
    pub listen_allowed_clients: Option<BString>,
    /// `process.priority`: nice value of the workers. Default unset, −19 to 20.
    pub process_priority: Option<i32>,
    /// `process.dumpable`: workers may be traced and dump core although they changed user. Default no.
    pub process_dumpable: bool,
    /// `pm`: how the number of workers is decided. Mandatory.
    pub pm: Pm,
    /// `pm.max_children`: most workers of this pool, at least 1. Mandatory.
    pub pm_max_children: u32,
    /// `pm.start_servers`: workers to start with when dynamic. Default: halfway between the spare limits.
    pub pm_start_servers: u32,
    /// `pm.min_spare_servers`: fewest idle workers when dynamic.
    pub pm_min_spare_servers: u32,
    /// `pm.max_spare_servers`: most idle workers when dynamic.
    pub pm_max_spare_servers: u32,
    /// `pm.max_spawn_rate`: most workers started per second when dynamic. Default 32.
    pub pm_max_spawn_rate: u32,
    /// `pm.process_idle_timeout`: seconds after which an idle worker ends when ondemand. Default 10.
    pub pm_process_idle_timeout: u32,
    /// `pm.max_requests`: requests after which a worker is replaced. Default 0: never.
    pub pm_max_requests: u32,
    /// `pm.status_path`: request path that answers with the status page. Default off.
    pub pm_status_path: Option<BString>,
    /// `pm.status_listen`: address of a shadow pool that serves only this pool's status. Default off.
    pub pm_status_listen: Option<BString>,
    /// `ping.path`: request path that answers with `ping.response`. Default off.
    pub ping_path: Option<BString>,
    /// `ping.response`: body of that answer. Default `pong`; set exactly when `ping.path` is.
    pub ping_response: Option<BString>,
    /// `access.log`: path of the access log. Default off.
    pub access_log: Option<BString>,
    /// `access.format`: format of a line of it, validated, or exactly `json` for JSON objects;
    /// `%R - %u %t "%m %r" %s` by default. Set when `access.log` is.
    pub access_format: Option<BString>,
    /// `access.suppress_path[]`: requests for exactly these paths are not logged when they succeed.
    pub access_suppress_path: Vec<BString>,
    /// `slowlog`: path of the slow log. Default off.
    pub slowlog: Option<BString>,
    /// `request_slowlog_timeout`, in seconds: requests running longer have their backtrace logged. Default 0: off.
    pub request_slowlog_timeout: u32,
    /// `request_slowlog_trace_depth`: most frames of a backtrace. Default 20.
    pub request_slowlog_trace_depth: u32,
    /// `request_terminate_timeout`, in seconds: requests running longer are killed. Default 0: off.
    pub request_terminate_timeout: u32,
    /// `request_terminate_timeout_track_finished`: the limit also covers what runs after
    /// `fastcgi_finish_request()`, shutdown functions included. Default no.
    pub request_terminate_timeout_track_finished: bool,
    /// `rlimit_files` of the workers, as [`Global::rlimit_files`](crate::Global::rlimit_files).
    pub rlimit_files: i32,
    /// `rlimit_core` of the workers, as [`Global::rlimit_core`](crate::Global::rlimit_core).
    pub rlimit_core: i32,
    /// `chroot`: new root directory of the workers, absolute.
    pub chroot: Option<BString>,
    /// `chdir`: directory that workers change to, absolute, inside the chroot.
    pub chdir: Option<BString>,
    /// `catch_workers_output`: stdout and stderr of the workers go to the log instead of nowhere. Default no.
    pub catch_workers_output: bool,
    /// `decorate_workers_output`: such lines say which worker wrote them. Default yes.
    pub decorate_workers_output: bool,
    /// `clear_env`: workers start with an empty environment. Default yes.
    pub clear_env: bool,
    /// `security.limit_extensions`: endings of files that may be run. Default `.php` and `.phar`; empty: all.
    pub security_limit_extensions: Vec<BString>,
    /// `apparmor_hat`: AppArmor hat that workers change to.
    pub apparmor_hat: Option<BString>,
    /// `env[NAME]`: the workers' environment, in the order of application.
    pub env: Vec<(BString, BString)>,
    /// `php_value[KEY]` and `php_flag[KEY]` (as `1` or `0`): ini settings that scripts may change, in the order of application.
    pub php_value: Vec<(BString, BString)>,
    /// `php_admin_value[KEY]` and `php_admin_flag[KEY]`: ini settings that scripts may not change, in the order of application.
    pub php_admin_value: Vec<(BString, BString)>,
    /// `request_queue_timeout`, in seconds: requests that waited longer for a worker are refused. Default 0: off.
    pub request_queue_timeout: u32,
    /// `request_stack`: workers can be asked at any time which calls their scripts are in. Default no.
    pub request_stack: bool,
    /// `pm.max_children = auto`: the bounds within which the daemon itself decides; the upper one is `pm_max_children`.
    pub pm_auto_children: Option<AutoChildren>,
    /// `pm.memory_reserve`: memory that is not for workers where the daemon decides how many there are. Default 20%.
    pub pm_memory_reserve: Reserve,
    /// `pm.max_requests_jitter`: up to so many requests more than `pm.max_requests` are served, each worker its own number. Default 0.
    pub pm_max_requests_jitter: u32,
    /// `pm.max_memory`, in bytes of its own: workers are replaced after the request that made them need more. Default 0: off.
    pub pm_max_memory: u64,
    /// `pm.max_recycling`: so many workers at once may end because they have served their share. Default: all.
    pub pm_max_recycling: Option<Portion>,
    /// `request_soft_timeout`, in seconds: scripts running longer get PHP's own time-out error. Default 0: off.
    pub request_soft_timeout: u32,
    /// `pm.crash_budget`: so many workers may crash in such a time; beyond that the next ones are a while in coming. Default: any.
    pub pm_crash_budget: Option<CrashBudget>,
    /// `process.cpu_affinity`: on which CPUs the workers run. Default: as the `[global]` section says.
    pub process_cpu_affinity: Option<CpuAffinity>,
    /// `rlimit[NAME]`: limits of the workers, one of each resource.
    pub rlimit: Vec<Rlimit>,
}

impl Pool {
    /// Returns a pool with nothing but its name and address set: one static worker and the defaults.
    #[must_use]
    pub fn new(name: &str, listen: &str) -> Self {
        Self {
            name: name.into(),
            status_of: None,
            prefix: None,
            user: None,
            group: None,
            listen: ListenAddress::parse(listen.into()),
            listen_raw: listen.into(),
            listen_backlog: -1,
            listen_acl_users: None,
            listen_acl_groups: None,
            listen_owner: None,
            listen_group: None,
            listen_mode: 0o660,
            listen_allowed_clients: None,
            process_priority: None,
            process_dumpable: false,
            pm: Pm::Static,
            pm_max_children: 1,
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
            request_slowlog_trace_depth: 20,
            request_terminate_timeout: 0,
            request_terminate_timeout_track_finished: false,
            rlimit_files: 0,
            rlimit_core: 0,
            chroot: None,
            chdir: None,
            catch_workers_output: false,
            decorate_workers_output: true,
            clear_env: true,
            security_limit_extensions: vec![".php".into(), ".phar".into()],
            apparmor_hat: None,
            env: Vec::new(),
            php_value: Vec::new(),
            php_admin_value: Vec::new(),
            request_queue_timeout: 0,
            request_stack: false,
            pm_auto_children: None,
            pm_memory_reserve: Reserve::default(),
            pm_max_requests_jitter: 0,
            pm_max_memory: 0,
            pm_max_recycling: None,
            request_soft_timeout: 0,
            pm_crash_budget: None,
            process_cpu_affinity: None,
            rlimit: Vec::new(),
        }
    }

    /// Tells whether its workers have somebody who can say which calls their scripts are in.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.request_stack || self.request_slowlog_timeout > 0 || self.request_soft_timeout > 0
    }
}

/// Decides how many workers a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pm {
    /// Always `pm.max_children`.
    Static,
    /// Between one and `pm.max_children`, keeping the number of idle ones within the spare limits.
    Dynamic,
    /// None until a request waits, and none again after `pm.process_idle_timeout`.
    Ondemand,
}

impl Pm {
    /// Returns the name as the configuration and the status page write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
            Self::Ondemand => "ondemand",
        }
    }
}

/// Counts pools from 0 in the order of [`Config::pools`](crate::Config::pools).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolIndex(pub u32);
