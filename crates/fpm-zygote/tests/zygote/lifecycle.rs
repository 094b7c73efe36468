//! How workers and zygotes end.

use std::os::unix::net::UnixStream;
use std::time::Instant;

use fpm_channel::FromZygote;
use fpm_conf::LogLevel;
use fpm_os::shared::Region;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use crate::Test;
use crate::master::{DEADLINE, Master};
use crate::site::Site;
use crate::web_server::{Connection, Request, ask};

pub(crate) const TESTS: &[Test] = &[
    (
        "killed_worker_costs_one_request",
        killed_worker_costs_one_request,
    ),
    ("draining_lets_a_script_sleep", draining_lets_a_script_sleep),
    (
        "quit_signal_lets_a_request_end",
        quit_signal_lets_a_request_end,
    ),
    ("idle_workers_end_at_once", idle_workers_end_at_once),
    (
        "resting_connections_do_not_keep_a_worker",
        resting_connections_do_not_keep_a_worker,
    ),
    ("master_dies_during_a_request", master_dies_during_a_request),
    (
        "addresses_are_free_after_the_masters_death",
        addresses_are_free_after_the_masters_death,
    ),
    ("max_requests", max_requests),
    ("quit_order", quit_order),
    ("failed_birth_says_why", failed_birth_says_why),
    (
        "fatal_setting_keeps_a_worker_from_its_work",
        fatal_setting_keeps_a_worker_from_its_work,
    ),
    ("failed_start_says_why", failed_start_says_why),
    ("unknown_pool", unknown_pool),
    ("startup_warnings_are_logged", startup_warnings_are_logged),
    (
        "a_worker_has_only_its_own_descriptors",
        a_worker_has_only_its_own_descriptors,
    ),
    (
        "an_ending_worker_leaves_opcache_alone",
        an_ending_worker_leaves_opcache_alone,
    ),
];

const SLEEPER: &str =
    "echo 'begun'; flush(); $left = sleep(1); echo ' and ended, ', $left, ' s early';";

fn killed_worker_costs_one_request() {
    let site =
        Site::new("echo 'x'; flush(); posix_kill(getmypid(), $_GET['signal'] ?? 0); echo 'y';");
    let mut master = Master::start(&site);
    for signal in [Signal::KILL, Signal::SEGV, Signal::TERM] {
        let worker = master.spawn();
        let query = format!("signal={}", signal.number());
        let mut connection = Connection::open(&site.socket());
        connection.begin(
            &Request::get(&site, "x.php").with("QUERY_STRING", &query),
            "x",
        );
        assert_eq!(connection.rest(), b"");
        match master.exit_of(&worker) {
            ExitStatus::Signal { signal: found, .. } => assert_eq!(found, signal),
            other => panic!("{other:?}"),
        }
        master.release(&worker);
    }
    let worker = master.spawn();
    assert_eq!(ask(&site, &Request::get(&site, "x.php")).text(), "xy");
    master.kill(&worker, Signal::KILL);
    master.exit_of(&worker);
}

fn draining_lets_a_script_sleep() {
    let site = Site::new(SLEEPER);
    let mut master = Master::start(&site);
    let mut worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    connection.begin(&Request::get(&site, "x.php").keep(), "begun");
    master.drain(&mut worker);
    assert_eq!(connection.answer().text(), "begun and ended, 0 s early");
    assert_eq!(connection.rest(), b"", "the connection is not kept");
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
}

fn quit_signal_lets_a_request_end() {
    let site = Site::new(SLEEPER);
    let mut master = Master::start(&site);
    let worker = master.spawn();
    for _ in 0..3 {
        // Not the first request: PHP looks at signal handlers anew for each.
        ask(&site, &Request::get(&site, "x.php"));
    }
    let mut connection = Connection::open(&site.socket());
    connection.begin(&Request::get(&site, "x.php"), "begun");
    master.kill(&worker, Signal::QUIT);
    assert!(connection.answer().text().starts_with("begun and ended"));
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
}

fn idle_workers_end_at_once() {
    let site = Site::new("echo 'x';");
    let mut master = Master::start(&site);
    let mut drained = master.spawn();
    ask(&site, &Request::get(&site, "x.php"));
    master.drain(&mut drained);
    assert_eq!(master.exit_of(&drained), ExitStatus::Code(0));
    let quit = master.spawn();
    ask(&site, &Request::get(&site, "x.php"));
    master.kill(&quit, Signal::QUIT);
    assert_eq!(master.exit_of(&quit), ExitStatus::Code(0));
    let mut given_up = master.spawn();
    ask(&site, &Request::get(&site, "x.php"));
    given_up.give_up();
    assert_eq!(master.exit_of(&given_up), ExitStatus::Code(0));
}

fn resting_connections_do_not_keep_a_worker() {
    let site = Site::new("echo 'x';");
    let mut master = Master::start(&site);
    let mut worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    connection.ask(&Request::get(&site, "x.php").keep());
    master.drain(&mut worker);
    assert_eq!(connection.rest(), b"");
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
}

fn master_dies_during_a_request() {
    let site = Site::new(SLEEPER);
    let mut master = Master::start(&site);
    let workers = [master.spawn(), master.spawn()];
    let mut connection = Connection::open(&site.socket());
    connection.begin(&Request::get(&site, "x.php"), "begun");
    drop(workers);
    let died = std::thread::spawn(move || master.die());
    assert_eq!(connection.answer().text(), "begun and ended, 0 s early");
    assert_eq!(died.join().expect("no panic"), ExitStatus::Code(0));
}

fn addresses_are_free_after_the_masters_death() {
    let site = Site::new(SLEEPER);
    let mut master = Master::start(&site);
    let worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    connection.begin(&Request::get(&site, "x.php"), "begun");
    drop(worker);
    let died = std::thread::spawn(move || master.die());
    // The zygote needs a moment to notice.
    let since = Instant::now();
    while UnixStream::connect(site.socket()).is_ok() {
        assert!(since.elapsed() < DEADLINE, "somebody listens");
        std::thread::yield_now();
    }
    assert_eq!(
        connection.answer().text(),
        "begun and ended, 0 s early",
        "it still runs"
    );
    assert_eq!(died.join().expect("no panic"), ExitStatus::Code(0));
}

fn max_requests() {
    let mut site = Site::new("echo 'x';");
    site.pool.pm_max_requests = 2;
    let mut master = Master::start(&site);
    let worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    connection.ask(&Request::get(&site, "x.php").keep());
    connection.ask(&Request::get(&site, "x.php").keep());
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
    // The connection was given to the master, which has not looked.
    drop(worker);
    assert_eq!(connection.rest(), b"");
}

fn quit_order() {
    let site = Site::new(SLEEPER);
    let mut master = Master::start(&site);
    let mut worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    connection.begin(&Request::get(&site, "x.php"), "begun");
    master.quit();
    master.drain(&mut worker);
    assert_eq!(connection.answer().text(), "begun and ended, 0 s early");
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
    assert_eq!(master.zygote_exit(), ExitStatus::Code(0));
}

fn failed_birth_says_why() {
    let mut site = Site::new("echo 'x';");
    site.pool.chdir = Some("/no/such/directory".into());
    let mut master = Master::start(&site);
    let worker = master.spawn();
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(70));
    let reason = "[pool www] failed to chdir(/no/such/directory): No such file or directory (2)";
    let then = "[pool www] child failed to initialize";
    assert_eq!(
        master.logged(2),
        [reason, then].map(|text| (LogLevel::Error, text.into()))
    );
    let caught = master.spawn_caught();
    assert_eq!(master.exit_of(&caught), ExitStatus::Code(70));
    assert_eq!(
        caught.stderr(&format!("{then}\n")),
        format!("ERROR: {reason}\nERROR: {then}\n")
    );
    assert_eq!(master.logged(2).len(), 2, "it was said once");
}

fn fatal_setting_keeps_a_worker_from_its_work() {
    let mut site = Site::new("echo 'x';");
    site.php("session.save_handler", "user");
    let mut master = Master::start(&site);
    let worker = master.spawn();
    assert_eq!(master.exit_of(&worker), ExitStatus::Code(70));
    let logged = master.logged(2);
    let last = &logged[logged.len() - 1];
    assert_eq!(last.1, "[pool www] child failed to initialize");
}

fn failed_start_says_why() {
    let site = Site::new("echo 'x';");
    let mut master = Master::launch(&site, |mut start| {
        start.pools[0].area = Region {
            offset: 1 << 40,
            len: 8,
        };
        start
    });
    match master.hear() {
        FromZygote::Failed { reason } => assert_ne!(reason, ""),
        other => panic!("{other:?}"),
    }
    assert_eq!(master.zygote_exit(), ExitStatus::Code(1));
}

fn unknown_pool() {
    let site = Site::new("echo 'x';");
    let mut master = Master::start(&site);
    let (id, answer) = master.order_of_unknown_pool();
    assert_eq!(
        answer,
        FromZygote::SpawnFailed {
            worker: id,
            errno: nix::errno::Errno::EINVAL as i32
        }
    );
    let _worker = master.spawn();
    assert_eq!(ask(&site, &Request::get(&site, "x.php")).text(), "x");
}

fn startup_warnings_are_logged() {
    let site = Site::new("echo 'x';");
    let mut master = Master::launch(&site, |mut start| {
        let defines = ["extension=nonesuch", "log_errors=1"];
        start.php.defines = defines.map(Into::into).into();
        start
    });
    assert!(matches!(master.hear(), FromZygote::Ready { .. }));
    let (level, text) = &master.logged(1)[0];
    assert_eq!(*level, LogLevel::Notice);
    let expected =
        "PHP message: PHP Warning:  PHP Startup: Unable to load dynamic library 'nonesuch'";
    assert!(text.starts_with(expected.as_bytes()), "{text}");
}

fn a_worker_has_only_its_own_descriptors() {
    let mut site = Site::new(
        "foreach (scandir('/proc/self/fd') as $fd) {
            if (is_numeric($fd)) { echo preg_replace('/[0-9]+/', '', @readlink(\"/proc/self/fd/$fd\")), ' '; }
        }",
    );
    // So few that none of them stands by.
    site.pool.pm_max_children = 3;
    let mut master = Master::start(&site);
    let _workers = [master.spawn(), master.spawn()];
    let answer = ask(&site, &Request::get(&site, "x.php")).text();
    let mut names: Vec<&str> = answer.split_whitespace().collect();
    names.sort_unstable();
    // Standard streams, epoll and quit flag, control socket, listener and its relay, and client; files are PHP's own.
    names.retain(|name| !name.starts_with('/') || *name == "/dev/null");
    let expected = [
        "/dev/null",
        "/dev/null",
        "/dev/null",
        "anon_inode:[eventfd]",
        "anon_inode:[eventpoll]",
        "socket:[]",
        "socket:[]",
        "socket:[]",
        "socket:[]",
    ];
    assert_eq!(names, expected);
}

fn an_ending_worker_leaves_opcache_alone() {
    let mut site = Site::new("echo opcache_is_script_cached(__FILE__) ? 'cached' : 'new';");
    site.pool.pm_max_requests = 3;
    let mut master = Master::launch(&site, |mut start| {
        let defines = ["zend_extension=opcache", "opcache.file_update_protection=0"];
        start.php.defines = defines.map(Into::into).into();
        start
    });
    assert!(matches!(master.hear(), FromZygote::Ready { .. }));
    let request = Request::get(&site, "x.php");
    let mut cached = Vec::new();
    for _ in 0..3 {
        let worker = master.spawn();
        for _ in 0..3 {
            cached.push(ask(&site, &request).text());
        }
        assert_eq!(master.exit_of(&worker), ExitStatus::Code(0));
        master.release(&worker);
    }
    // The script is cached when it has run once, and stays so beyond the end of the worker that has run it.
    assert_eq!(cached[1..], ["cached"; 8]);
}
