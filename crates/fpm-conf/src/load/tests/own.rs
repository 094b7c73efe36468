//! The directives that php-fpm does not have: what they become, what is said about them, and that nobody sees them who
//! does not use them.

use expect_test::expect;

use super::*;
use crate::{
    AutoChildren, CpuAffinity, CrashBudget, LogFormat, Percent, Portion, Reserve, Resource,
    TermMeans,
};

/// A file that sets all of them.
const ALL: &str = "[global]\nreload.surge = 50%\nworker_shutdown_timeout = 2m\nshutdown_on_term = graceful\n\
    log_format = json\nprocess.cpu_affinity = auto\ncontrol.listen = run/fpmd.control\noperator.listen = 9253\noperator.user = watch\noperator.group = adm\n\
    operator.ready_queue = 20%\noperator.ready_busy = 90%\n[www]\nuser = www\nlisten = 9000\npm = static\npm.max_children = auto 3-30\n\
    pm.memory_reserve = 2G\nrequest_queue_timeout = 30s\nrequest_stack = yes\npm.max_requests_jitter = 50\n\
    pm.max_memory = 256M\npm.max_recycling = 25%\nrequest_soft_timeout = 20s\npm.crash_budget = 5/1m\nprocess.cpu_affinity = 0-1 2\n\
    rlimit[as] = 1G:2G\nrlimit[nproc] = 50\naccess.log = /tmp/a\naccess.format = json\n";

fn dump(text: &str) -> String {
    let options = LoadOptions {
        purpose: Purpose::TestAndDump,
        ..options()
    };
    said_with(&files(text), &options)
}

#[test]
fn they_are_typed() {
    let config = load_with(&files(ALL), &options()).unwrap().config;
    assert_eq!(config.global.reload_surge, Portion::Percent(50));
    assert_eq!(config.global.worker_shutdown_timeout, Some(120));
    assert_eq!(config.global.shutdown_on_term, TermMeans::Graceful);
    assert_eq!(config.global.log_format, LogFormat::Json);
    let socket = config.global.control_listen;
    assert_eq!(socket, Some("/php/var/run/fpmd.control".into()));
    let operator = config.global.operator.unwrap();
    assert_eq!(operator.listen.to_string(), "127.0.0.1:9253");
    assert_eq!(
        (operator.user, operator.group),
        ("watch".into(), Some("adm".into()))
    );
    assert_eq!(
        (operator.ready_queue, operator.ready_busy),
        (Percent(20), Percent(90))
    );
    assert_eq!(config.pools[0].request_queue_timeout, 30);
    assert!(config.pools[0].request_stack);
    let bounds = AutoChildren {
        floor: 3,
        ceiling: 30,
    };
    assert_eq!(config.pools[0].pm_auto_children, Some(bounds));
    assert_eq!(config.pools[0].pm_max_children, 30);
    assert_eq!(config.pools[0].pm_memory_reserve, Reserve::Bytes(2 << 30));
    assert_eq!(config.pools[0].pm_max_requests_jitter, 50);
    assert_eq!(config.pools[0].pm_max_memory, 256 << 20);
    assert_eq!(config.pools[0].pm_max_recycling, Some(Portion::Percent(25)));
    assert_eq!(config.pools[0].request_soft_timeout, 20);
    let budget = CrashBudget {
        crashes: 5,
        seconds: 60,
    };
    assert_eq!(config.pools[0].pm_crash_budget, Some(budget));
    let affinity = |text: &str| CpuAffinity::parse(text.into()).ok();
    assert_eq!(config.global.process_cpu_affinity, affinity("auto"));
    assert_eq!(config.pools[0].process_cpu_affinity, affinity("0-1 2"));
    let limits = config.pools[0].rlimit.iter();
    let limits: Vec<_> = limits
        .map(|limit| (limit.resource, limit.soft, limit.hard))
        .collect();
    let expected = [
        (Resource::AddressSpace, 1 << 30, 2 << 30),
        (Resource::Processes, 50, 50),
    ];
    assert_eq!(limits, expected);
    assert_eq!(config.pools[0].access_format, Some("json".into()));
}

#[test]
fn who_does_not_set_them_gets_what_php_fpm_does() {
    let config = load_with(&files(POOL), &options()).unwrap().config;
    assert_eq!(config.global.reload_surge, Portion::Percent(25));
    assert_eq!(config.global.worker_shutdown_timeout, None);
    assert_eq!(config.global.shutdown_on_term, TermMeans::Fast);
    assert_eq!(config.global.log_format, LogFormat::Fpm);
    assert_eq!(config.global.control_listen, None);
    assert_eq!(config.global.operator, None);
    assert_eq!(config.pools[0].request_queue_timeout, 0);
    assert!(!config.pools[0].request_stack);
    assert_eq!(config.pools[0].pm_auto_children, None);
    assert_eq!(config.pools[0].pm_max_requests_jitter, 0);
    assert_eq!(config.pools[0].pm_max_memory, 0);
    assert_eq!(config.pools[0].pm_max_recycling, None);
    assert_eq!(config.pools[0].request_soft_timeout, 0);
    assert_eq!(config.pools[0].pm_crash_budget, None);
    assert_eq!(config.pools[0].process_cpu_affinity, None);
    assert_eq!(config.pools[0].rlimit, []);
}

#[test]
fn a_dump_shows_those_that_the_file_sets() {
    let own = |dump: &str| -> String {
        let names = [
            "reload.surge",
            "worker_shutdown_timeout",
            "shutdown_on_term",
            "log_format",
            "control.listen",
            "operator.",
            "request_queue_timeout",
            "request_stack",
            "max_children = auto",
            "pm.memory_reserve",
            "pm.max_requests_jitter",
            "pm.max_memory",
            "pm.max_recycling",
            "request_soft_timeout",
            "pm.crash_budget",
            "process.cpu_affinity",
            "rlimit[",
        ];
        dump.lines()
            .filter(|line| names.iter().any(|name| line.contains(name)))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    assert_eq!(own(&dump(POOL)), "");
    expect![[r#"
        NOTICE: 	reload.surge = 50%
        NOTICE: 	worker_shutdown_timeout = 120s
        NOTICE: 	shutdown_on_term = graceful
        NOTICE: 	log_format = json
        NOTICE: 	control.listen = /php/var/run/fpmd.control
        NOTICE: 	process.cpu_affinity = auto
        NOTICE: 	operator.listen = 127.0.0.1:9253
        NOTICE: 	operator.user = watch
        NOTICE: 	operator.group = adm
        NOTICE: 	operator.ready_queue = 20%
        NOTICE: 	operator.ready_busy = 90%
        NOTICE: 	pm.max_children = auto 3-30
        NOTICE: 	request_queue_timeout = 30s
        NOTICE: 	request_stack = yes
        NOTICE: 	pm.memory_reserve = 2147483648
        NOTICE: 	pm.max_requests_jitter = 50
        NOTICE: 	pm.max_memory = 268435456
        NOTICE: 	pm.max_recycling = 25%
        NOTICE: 	request_soft_timeout = 20s
        NOTICE: 	pm.crash_budget = 5/60s
        NOTICE: 	process.cpu_affinity = 0-1 2
        NOTICE: 	rlimit[as] = 1073741824:2147483648
        NOTICE: 	rlimit[nproc] = 50
    "#]]
    .assert_eq(&own(&dump(ALL)));
}

#[test]
fn a_pool_has_the_affinity_of_all_unless_it_has_its_own() {
    let text = format!("process.cpu_affinity = auto\n{POOL}");
    let config = load_with(&files(&text), &options()).unwrap().config;
    let auto = CpuAffinity::parse("auto".into()).ok();
    assert_eq!(config.pools[0].process_cpu_affinity, auto);
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let refused = |line: &str, reason: &str| {
        let text = format!("{POOL}{line}\n");
        let lines = text.lines().count();
        let said = said(&text);
        let expected = format!("ERROR: [/etc/fpm.conf:{lines}] error while parsing '");
        assert!(
            said.starts_with(&expected) && said.contains(reason),
            "{said}"
        );
    };
    refused(
        "rlimit[nofile] = 5",
        "rlimit[nofile]' : must be one of as, cpu,",
    );
    refused(
        "rlimit[as] = 2G:1G",
        "rlimit[as]' : the soft limit can't be",
    );
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let refused = |name: &str, reason: &str| {
        format!(
            "ERROR: [/etc/fpm.conf:1] unable to parse value for entry '{name}': {reason}\n{NOT_READ}"
        )
    };
    for (line, name, reason) in [
        (
            "reload.surge = many",
            "reload.surge",
            "must be a number of workers, or a percentage from 0% to 100%",
        ),
        (
            "Reload.Surge = 200%",
            "reload.surge",
            "must be a number of workers, or a percentage from 0% to 100%",
        ),
        (
            "worker_shutdown_timeout = soon",
            "worker_shutdown_timeout",
            "unknown suffix used in time value",
        ),
        (
            "shutdown_on_term = off",
            "shutdown_on_term",
            "invalid kind of shutdown (fast or graceful)",
        ),
        (
            "log_format = xml",
            "log_format",
            "invalid log format (fpm or json)",
        ),
        (
            "operator.ready_busy = 101%",
            "operator.ready_busy",
            "must be a percentage from 0% to 100%",
        ),
    ] {
        assert_eq!(said(&format!("{line}\n{POOL}")), refused(name, reason));
    }
    assert_eq!(
        said(&format!("worker_shutdown_timeout = -5s\n{POOL}")),
        format!("ERROR: worker_shutdown_timeout can't be negative\n{NOT_USABLE}")
    );
    assert_eq!(
        said(&format!("operator.listen = 10.0.0.1:80\n{POOL}")),
        format!(
            "ERROR: operator.listen: '10.0.0.1:80' is no loopback address: put a proxy in front of one to let others see it\n{NOT_USABLE}"
        )
    );
    check_pool(
        &[
            (
                "request_queue_timeout = -5s",
                "ERROR: [pool www] 'request_queue_timeout' (-5) can't be negative",
            ),
            (
                "request_soft_timeout = -5s",
                "ERROR: [pool www] 'request_soft_timeout' (-5) can't be negative",
            ),
            (
                "request_soft_timeout = 1m\nrequest_terminate_timeout = 60",
                "ERROR: [pool www] 'request_soft_timeout' (60) must be less than 'request_terminate_timeout' (60)",
            ),
        ],
        NOT_USABLE,
    );
}
