//! What becomes of a configuration that is accepted.

use expect_test::expect;

use super::*;
use crate::{Config, ErrorLog, ListenAddress, Pm, Pool, PoolIndex};

fn config(text: &str) -> Config {
    match load_with(&files(text), &options()) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{}", written(error.report())),
    }
}

fn pool(lines: &str) -> Pool {
    config(&format!("{POOL}{lines}\n")).pools.swap_remove(0)
}

#[test]
fn an_unset_directive_has_its_default() {
    let plain = pool("");
    let expected = Pool {
        user: Some("www".into()),
        pm_max_children: 5,
        ..Pool::new("www", "9000")
    };
    assert_eq!(plain, expected);
    let global = config(POOL).global;
    assert_eq!(
        global,
        crate::Global {
            error_log: ErrorLog::File("/php/var/log/php-fpm.log".into()),
            ..crate::Global::default()
        }
    );
}

#[test]
fn lists_are_in_the_order_of_application_so_that_the_first_entry_wins() {
    let pool = pool(
        "env[A] = 1\nenv[B] = 2\nenv[A] = 3\nphp_value[x] = 1\nphp_flag[x] = on\nphp_admin_flag[y] = off",
    );
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect::<Vec<_>>()
    };
    assert_eq!(pool.env, pairs(&[("A", "3"), ("B", "2"), ("A", "1")]));
    assert_eq!(pool.php_value, pairs(&[("x", "1"), ("x", "1")]));
    assert_eq!(pool.php_admin_value, pairs(&[("y", "0")]));
}

#[test]
fn the_pool_is_named_and_prefixes_apply() {
    let pool = pool(
        "prefix = /srv\nlisten = $pool.sock\naccess.log = a\nslowlog = s\nchdir = www\nphp_value[error_log] = e\nphp_admin_value[Error_Log] = syslog\nphp_value[other] = o",
    );
    assert_eq!(pool.listen, ListenAddress::Unix("/srv/www.sock".into()));
    assert_eq!(pool.listen_raw, "/srv/www.sock");
    assert_eq!(pool.access_log, Some("/srv/a".into()));
    assert_eq!(pool.access_format, Some("%R - %u %t \"%m %r\" %s".into()));
    assert_eq!(pool.slowlog, Some("/srv/s".into()));
    assert_eq!(pool.chdir, Some("/srv/www".into()));
    assert_eq!(
        pool.php_value,
        [
            ("other".into(), "o".into()),
            ("error_log".into(), "/srv/e".into())
        ]
    );
    assert_eq!(
        pool.php_admin_value,
        [("Error_Log".into(), "syslog".into())]
    );
}

#[test]
fn addresses_have_three_forms() {
    let tcp = |host: &str, port: &str| ListenAddress::Tcp {
        host: host.into(),
        port: port.into(),
    };
    for (text, expected) in [
        ("9000", ListenAddress::Port("9000".into())),
        ("127.0.0.1:9000", tcp("127.0.0.1", "9000")),
        ("\"[::1]:9000\"", tcp("::1", "9000")),
        ("::1:9000", tcp("::1", "9000")),
        (":9000", tcp("", "9000")),
        ("/a:b", tcp("/a", "b")),
        ("sock", ListenAddress::Unix("/php/sock".into())),
    ] {
        assert_eq!(pool(&format!("listen = {text}")).listen, expected, "{text}");
    }
}

#[test]
fn numbers_that_mean_nothing_count_as_zero() {
    let pool = pool(
        "pm.max_requests = -1\nrequest_terminate_timeout = -5s\nlisten.mode = 0666x\nprocess.priority = 64\nrlimit_files = -1",
    );
    assert_eq!(
        (pool.pm_max_requests, pool.request_terminate_timeout),
        (0, 0)
    );
    assert_eq!(
        (pool.listen_mode, pool.process_priority, pool.rlimit_files),
        (0o666, None, -1)
    );
}

#[test]
fn extensions_are_words_and_may_be_none() {
    assert_eq!(
        pool("security.limit_extensions = .php\t .html  ").security_limit_extensions,
        [".php", ".html"]
    );
    assert_eq!(
        pool("security.limit_extensions =").security_limit_extensions,
        Vec::<bstr::BString>::new()
    );
}

#[test]
fn the_heartbeat_is_a_third_of_the_shortest_limit() {
    assert_eq!(config(POOL).heartbeat, None);
    let limits =
        "request_terminate_timeout = 1m\nslowlog = /tmp/s\nrequest_slowlog_timeout = 10s\n";
    assert_eq!(config(&format!("{POOL}{limits}")).heartbeat, Some(3333));
}

#[test]
fn a_status_listener_gets_a_pool_of_its_own() {
    let text = format!(
        "{POOL}pm.status_listen = 9001\nlisten.owner = www\nphp_value[a] = 1\nphp_value[b] = 2\nping.path = /ping\n"
    );
    let config = config(&text);
    let shadow = config.pool(PoolIndex(1)).unwrap();
    let list = [("a".into(), "1".into()), ("b".into(), "2".into())];
    let expected = Pool {
        user: Some("www".into()),
        status_of: Some(PoolIndex(0)),
        listen_owner: Some("www".into()),
        pm: Pm::Ondemand,
        pm_max_children: 2,
        pm_status_path: Some("/".into()),
        ping_path: Some("/ping".into()),
        ping_response: Some("pong".into()),
        php_value: list.to_vec(),
        ..Pool::new("www_status", "9001")
    };
    assert_eq!(*shadow, expected);
    assert_eq!(config.pools[0].pm_status_path, Some("/".into()));
}

#[test]
fn sections_continue_across_files() {
    let files = MemoryFiles::new([
        (
            "/etc/fpm.conf",
            "error_log = syslog\n[a]\nlisten = 1\ninclude = /etc/d/*\nuser = www\npm = static\npm.max_children = 1\n",
        ),
        ("/etc/d/1", "user = www\npm = static\n[b]\nlisten = 2\n"),
        (
            "/etc/d/2",
            "pm.max_children = 7\n[A]\npm.max_children = 9\n[B]\n",
        ),
    ]);
    let config = load_with(&files, &options()).unwrap().config;
    let pools: Vec<_> = config
        .pools
        .iter()
        .map(|pool| (pool.name.to_string(), pool.pm_max_children))
        .collect();
    assert_eq!(pools, [("a".to_owned(), 9), ("b".to_owned(), 1)]);
}

#[test]
fn bytes_survive() {
    let mut text = POOL.as_bytes().to_vec();
    text.extend_from_slice(b"env[\xff] = \"\xe9\xc3\xa9\"\n");
    let mut files = MemoryFiles::new([("/etc/fpm.conf", text)]);
    files.directory("/php/var/log");
    let config = load_with(&files, &options()).unwrap().config;
    assert_eq!(
        config.pools[0].env,
        [(b"\xff".into(), b"\xe9\xc3\xa9".into())]
    );
}

#[test]
fn logs_are_created() {
    let files = files(&format!(
        "{POOL}access.log = /tmp/$pool.log\nslowlog = /tmp/slow\nrequest_slowlog_timeout = 1\n"
    ));
    load_with(&files, &options()).unwrap();
    assert_eq!(
        files.touched(),
        ["/php/var/log/php-fpm.log", "/tmp/slow", "/tmp/www.log"]
    );
}

#[test]
fn a_configuration_travels_with_postcard() {
    let config = config(&format!(
        "[global]\nprocess.priority = 5\n{POOL}listen = /s\nenv[A] = b\npm.status_listen = 9001\n"
    ));
    let bytes = postcard::to_allocvec(&config).unwrap();
    assert_eq!(postcard::from_bytes::<Config>(&bytes).unwrap(), config);
}

#[test]
fn the_dump_shows_what_counts() {
    let text = format!(
        "[global]\nsyslog.facility = local1\nrlimit_core = unlimited\n{POOL}env[A] = 1\nenv[B] = $HOME\nphp_flag[x] = no\naccess.suppress_path[] = /a\naccess.suppress_path[] = /b\npm.status_listen = 9001\n"
    );
    let options = LoadOptions {
        purpose: Purpose::TestAndDump,
        ..options()
    };
    expect![[r#"
        NOTICE: [global]
        NOTICE: 	pid = undefined
        NOTICE: 	error_log = /php/var/log/php-fpm.log
        NOTICE: 	syslog.ident = php-fpm
        NOTICE: 	syslog.facility = 136
        NOTICE: 	log_buffering = yes
        NOTICE: 	log_level = unknown value
        NOTICE: 	log_limit = 1024
        NOTICE: 	emergency_restart_interval = 0s
        NOTICE: 	emergency_restart_threshold = 0
        NOTICE: 	process_control_timeout = 0s
        NOTICE: 	process.max = 0
        NOTICE: 	process.priority = undefined
        NOTICE: 	daemonize = yes
        NOTICE: 	rlimit_files = 0
        NOTICE: 	rlimit_core = -1
        NOTICE: 	events.mechanism = epoll
        NOTICE: 	systemd_interval = 10s
        NOTICE:  
        NOTICE: [www]
        NOTICE: 	prefix = undefined
        NOTICE: 	user = www
        NOTICE: 	group = undefined
        NOTICE: 	listen = 9000
        NOTICE: 	listen.backlog = -1
        NOTICE: 	listen.acl_users = undefined
        NOTICE: 	listen.acl_groups = undefined
        NOTICE: 	listen.owner = undefined
        NOTICE: 	listen.group = undefined
        NOTICE: 	listen.mode = undefined
        NOTICE: 	listen.allowed_clients = undefined
        NOTICE: 	process.priority = undefined
        NOTICE: 	process.dumpable = no
        NOTICE: 	pm = static
        NOTICE: 	pm.max_children = 5
        NOTICE: 	pm.start_servers = 0
        NOTICE: 	pm.min_spare_servers = 0
        NOTICE: 	pm.max_spare_servers = 0
        NOTICE: 	pm.max_spawn_rate = 32
        NOTICE: 	pm.process_idle_timeout = 10
        NOTICE: 	pm.max_requests = 0
        NOTICE: 	pm.status_path = /
        NOTICE: 	pm.status_listen = 9001
        NOTICE: 	ping.path = undefined
        NOTICE: 	ping.response = undefined
        NOTICE: 	access.log = undefined
        NOTICE: 	access.format = undefined
        NOTICE: 	access.suppress_path[] = /b
        NOTICE: 	access.suppress_path[] = /a
        NOTICE: 	slowlog = undefined
        NOTICE: 	request_slowlog_timeout = 0s
        NOTICE: 	request_slowlog_trace_depth = 20
        NOTICE: 	request_terminate_timeout = 0s
        NOTICE: 	request_terminate_timeout_track_finished = no
        NOTICE: 	rlimit_files = 0
        NOTICE: 	rlimit_core = 0
        NOTICE: 	chroot = undefined
        NOTICE: 	chdir = undefined
        NOTICE: 	catch_workers_output = no
        NOTICE: 	decorate_workers_output = yes
        NOTICE: 	clear_env = yes
        NOTICE: 	security.limit_extensions = .php .phar
        NOTICE: 	env[B] = $HOME
        NOTICE: 	env[A] = 1
        NOTICE: 	php_value[x] = 0
        NOTICE:  
        NOTICE: configuration file /etc/fpm.conf test is successful
    "#]]
    .assert_eq(&said_with(&files(&text), &options));
}
