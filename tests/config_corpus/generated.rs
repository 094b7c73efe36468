//! Cases made by code: every directive with values of every kind, and random mixtures.

use crate::case::{Case, GLOBAL, POOL};

/// What a directive's value is meant to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Path,
    Folder,
    Address,
    Page,
    Number,
    Time,
    Boolean,
    Level,
    Facility,
    CoreLimit,
    Pm,
    Format,
}

use Kind::{
    Address, Boolean, CoreLimit, Facility, Folder, Format, Level, Number, Page, Path, Pm, Text,
    Time,
};

const GLOBAL_DIRECTIVES: &[(&str, Kind)] = &[
    ("pid", Path),
    ("error_log", Path),
    ("syslog.ident", Text),
    ("syslog.facility", Facility),
    ("log_buffering", Boolean),
    ("log_level", Level),
    ("log_limit", Number),
    ("emergency_restart_threshold", Number),
    ("emergency_restart_interval", Time),
    ("process_control_timeout", Time),
    ("process.max", Number),
    ("process.priority", Number),
    ("daemonize", Boolean),
    ("rlimit_files", Number),
    ("rlimit_core", CoreLimit),
    ("events.mechanism", Text),
    ("systemd_interval", Time),
];

const POOL_DIRECTIVES: &[(&str, Kind)] = &[
    ("prefix", Folder),
    ("user", Text),
    ("group", Text),
    ("listen", Address),
    ("listen.backlog", Number),
    ("listen.acl_users", Text),
    ("listen.acl_groups", Text),
    ("listen.owner", Text),
    ("listen.group", Text),
    ("listen.mode", Text),
    ("listen.allowed_clients", Text),
    ("listen.setfib", Number),
    ("process.priority", Number),
    ("process.dumpable", Boolean),
    ("pm", Pm),
    ("pm.max_children", Number),
    ("pm.start_servers", Number),
    ("pm.min_spare_servers", Number),
    ("pm.max_spare_servers", Number),
    ("pm.max_spawn_rate", Number),
    ("pm.process_idle_timeout", Time),
    ("pm.max_requests", Number),
    ("pm.status_path", Page),
    ("pm.status_listen", Address),
    ("ping.path", Page),
    ("ping.response", Text),
    ("access.log", Path),
    ("access.format", Format),
    ("slowlog", Path),
    ("request_slowlog_timeout", Time),
    ("request_slowlog_trace_depth", Number),
    ("request_terminate_timeout", Time),
    ("request_terminate_timeout_track_finished", Boolean),
    ("rlimit_files", Number),
    ("rlimit_core", CoreLimit),
    ("chroot", Folder),
    ("chdir", Folder),
    ("catch_workers_output", Boolean),
    ("decorate_workers_output", Boolean),
    ("clear_env", Boolean),
    ("security.limit_extensions", Text),
    ("apparmor_hat", Text),
    ("env[KEY]", Text),
    ("php_value[memory_limit]", Text),
    ("php_value[error_log]", Path),
    ("php_admin_value[error_log]", Path),
    ("php_admin_value[extension_dir]", Path),
    ("php_flag[display_errors]", Boolean),
    ("php_admin_flag[log_errors]", Boolean),
    ("access.suppress_path[]", Page),
];

fn values_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Text => &[
            "",
            "abc",
            "\"a b\"",
            "'a b'",
            "x$pool",
            "${ONE}",
            "${MISSING}",
            "www-data",
            "33",
            "0600",
            "on",
            "E_ALL",
        ],
        Path => &[
            "",
            "log",
            "@DIR@/x.log",
            "@DIR@/none/x.log",
            "@DIR@",
            "$pool.log",
            "syslog",
            "SysLog",
            "/dev/null",
        ],
        Folder => &[
            "",
            "/",
            "sub",
            "@DIR@",
            "@DIR@/none",
            "@DIR@/php-fpm.conf",
            "\"$prefix\"",
            "\"$prefix/x\"",
            "\"x$prefix\"",
        ],
        Address => &[
            "",
            "9000",
            "127.0.0.1:9000",
            "\"[::1]:9000\"",
            "sock",
            "@DIR@/$pool.sock",
            "*:9000",
            ":9000",
            "a:b:c",
            "69002",
        ],
        Page => &[
            "",
            "/",
            "/x",
            "x",
            "/a-b_c.d~e/",
            "\"/a b\"",
            "/a?b",
            "/$pool",
            "/é",
            "\"/a=b\"",
            "on",
        ],
        Number => &[
            "",
            "0",
            "1",
            "2",
            "-1",
            "-",
            "007",
            "5k",
            "64",
            "21",
            "-20",
            "512",
            "511",
            "2147483648",
            "99999999999999999999",
            "1.5",
            "on",
            "off",
            "0x10",
            "'12'",
            "\"3\"",
            "1|6",
            "~0",
            "!5",
            "(2)",
            "1 2",
            "5;x",
            "+5",
            "${ONE}",
            "E_ALL",
            "'4 '",
        ],
        Time => &[
            "", "0", "10", "10s", "2m", "1h", "1d", "10S", "s", "-5s", "10 s", "1e5", "99999d",
            "5w", "on", "'7m'", "${ONE}",
        ],
        Boolean => &[
            "", "yes", "no", "on", "off", "true", "false", "none", "null", "YES", "On", "NULL",
            "1", "0", "2", "'yes'", "'Yes'", "\"none\"", "maybe", "${ONE}", "${YES}", "y",
        ],
        Level => &[
            "", "debug", "notice", "warning", "warn", "error", "alert", "DEBUG", "Alert", "info",
            "5", "'error'",
        ],
        Facility => &[
            "", "daemon", "LOCAL7", "auth", "AUTHPRIV", "cron", "kern", "ftp", "user", "local8",
            "24",
        ],
        CoreLimit => &["", "0", "1024", "unlimited", "Unlimited", "-1", "10M", "on"],
        Pm => &[
            "", "static", "dynamic", "ondemand", "STATIC", "OnDemand", "auto", "1", "'static'",
        ],
        Format => &[
            "",
            "%R",
            "'%R - %u %t \"%m %r%Q%q\" %s %f %{milli}d %{kilo}M %C%%'",
            "'%z'",
            "'%{x}m'",
            "'%e'",
            "'%{A}e'",
            "'%{a}o%o'",
            "'%{x'",
            "'%{x}'",
            "'%'",
            "'%{total}C %{bad}C'",
            "'%{bad}d'",
            "'%{bad}M'",
            "\"%m $pool\"",
        ],
    }
}

/// Returns each directive with each value of its kind, and a name in odd case.
pub(crate) fn values() -> Vec<Case> {
    let mut cases = Vec::new();
    for (directive, kind) in GLOBAL_DIRECTIVES {
        for value in values_of(*kind) {
            cases.push(case(
                directive,
                value,
                format!("{GLOBAL}{directive} = {value}\n{POOL}"),
            ));
        }
    }
    for (directive, kind) in POOL_DIRECTIVES {
        // Formats, responses and trace depths only count beside what they belong to.
        let beside = match *directive {
            "access.format" => "access.log = @DIR@/access.log\n",
            "ping.response" => "ping.path = /ping\n",
            "request_slowlog_trace_depth" | "request_slowlog_timeout" => {
                "slowlog = @DIR@/slow.log\n"
            }
            "pm.process_idle_timeout" | "listen.backlog" => "pm = ondemand\n",
            _ => "",
        };
        for value in values_of(*kind) {
            cases.push(case(
                directive,
                value,
                format!("{GLOBAL}{POOL}{beside}{directive} = {value}\n"),
            ));
        }
        let odd: String = directive
            .chars()
            .enumerate()
            .map(|(index, c)| {
                if index % 2 == 0 {
                    c.to_ascii_uppercase()
                } else {
                    c
                }
            })
            .collect();
        cases.push(Case::new(
            format!("{odd} in odd case"),
            format!("{GLOBAL}{POOL}{odd} = 1\n"),
        ));
        cases.push(Case::new(
            format!("{directive} in [global]"),
            format!("{GLOBAL}{directive} = 1\n{POOL}"),
        ));
    }
    cases
}

fn case(directive: &str, value: &str, text: String) -> Case {
    Case::new(format!("{directive} = {value}"), text)
        .variable("ONE", "1")
        .variable("YES", "yes")
}

const LINES: &[&str] = &[
    "[global]",
    "[www]",
    "[api]",
    "[WWW]",
    "[global] ; comment",
    "",
    "; comment",
    "   ; indented comment",
    "\t[api]",
    "user = www-data",
    "user = nobody",
    "group = nogroup",
    "listen = 9000",
    "listen = 9001",
    "listen = @DIR@/$pool.sock",
    "pm = static",
    "pm = ondemand",
    "pm = dynamic",
    "pm.max_children = 5",
    "pm.start_servers = 3",
    "pm.min_spare_servers = 2",
    "pm.max_spare_servers = 4",
    "pm.max_spare_servers = 2",
    "pm.status_path = /status",
    "pm.status_listen = 9100",
    "pm.status_listen = @DIR@/status.sock",
    "ping.path = /ping",
    "ping.response = \"p\" 'o' ng",
    "request_terminate_timeout = 30s",
    "request_slowlog_timeout = 10s",
    "request_slowlog_timeout = 60s",
    "slowlog = @DIR@/$pool.slow",
    "access.log = @DIR@/$pool.access",
    "access.format = '%R %{x}d'",
    "access.suppress_path[] = /ping",
    "env[A] = \"1\"",
    "env[B] = $HOME",
    "env[A] = 'again'",
    "php_value[error_reporting] = E_ALL & ~E_DEPRECATED",
    "php_admin_value[error_log] = $pool.log",
    "php_flag[display_errors] = on",
    "php_admin_flag[display_errors] = off",
    "process.priority = -19",
    "process.priority = 64",
    "rlimit_files = 1024",
    "rlimit_core = unlimited",
    "chroot = @DIR@",
    "chdir = /",
    "prefix = @DIR@",
    "log_level = debug",
    "log_level = error",
    "daemonize = no",
    "log_limit = 4096",
    "events.mechanism = poll",
    "events.mechanism = epoll",
    "security.limit_extensions = .php .html",
    "catch_workers_output = yes",
    "clear_env = no",
    "listen.backlog = -2",
    "include = @DIR@/more/*.conf",
    "include = @DIR@/nothing/*.conf",
    "bogus = 1",
];

/// Returns configurations of which each is a handful of lines drawn at random, in an order drawn at random.
pub(crate) fn mixtures() -> Vec<Case> {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mixtures = (0..400).map(|number| {
        let mut text = GLOBAL.to_owned();
        // Mostly on top of a pool that is complete: else hardly any mixture would be valid.
        if random.below(5) > 0 {
            text.push_str(POOL);
        }
        for _ in 0..=random.below(10) {
            text.push_str(random.pick(LINES));
            text.push_str(if random.below(12) == 0 { "\r\n" } else { "\n" });
        }
        let more = format!("{}\n{}\n", random.pick(LINES), random.pick(LINES));
        Case::new(format!("mixture {number}"), text)
            .file("more/one.conf", more)
            .variable("HOME", "/root")
    });
    mixtures.collect()
}

/// Marsaglia's xorshift64: the same numbers on every machine, for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'l>(&mut self, lines: &[&'l str]) -> &'l str {
        let index = self.below(lines.len() as u64);
        lines[usize::try_from(index).unwrap_or(0)]
    }
}
