//! The operator process: what it tells over HTTP, and that nobody suffers when it does not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use fpmd_tests::operator::{self, Told, get, get_when, listens, process, socket, start};
use fpmd_tests::{
    Daemon, Fpm, Gate, Load, Python, Result, Site, Under, control, under, wait_until,
};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

/// Reads numbers as the format's own library does, and prints how many requests there were.
const PARSE: &str = "
import sys
from prometheus_client.openmetrics import parser
families = {f.name: f for f in parser.text_string_to_metric_families(sys.stdin.read())}
print(len(families))
for sample in families['fpmd_pool_requests'].samples:
    print(sample.labels['pool'], int(sample.value))
";

/// As many connections as the operator has at a time, and more.
const MANY: usize = 80;

/// How many pools a large daemon has.
const POOLS: usize = 2_000;

/// How long the numbers of a large daemon may take on a machine that has other things to do.
const LARGE: Duration = Duration::from_secs(5);

#[test]
fn everything_is_told_under_load() -> Result {
    let daemon = Daemon::echo()
        .file("wait.php", Gate::SCRIPT)
        .workers(3)
        .other_pool("api", "pm = ondemand");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php?a=b")?;
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|running| {
        running.wait_for_answers(100)?;
        let status = get(&fpm, "/status?full")?.json()?;
        assert_eq!(status["pid"], fpm.process().pid());
        assert_eq!(status["state"], "serving");
        let www = &status["pools"][0];
        assert_eq!(
            (&www["name"], &www["max_children"]),
            (&"www".into(), &3.into())
        );
        let workers = www["workers"].as_array().map(Vec::as_slice);
        let workers = workers.unwrap_or_default();
        assert_eq!(workers.len(), 3);
        assert!(
            workers
                .iter()
                .any(|worker| worker["uri"] == "/wait.php?a=b")
        );
        let status = get(&fpm, "/status")?.json()?;
        assert_eq!(status["pools"][0]["workers"], serde_json::json!([]));
        assert_eq!(get(&fpm, "/healthz")?.code, 200);
        let ready = get(&fpm, "/readyz")?;
        assert_eq!(ready.code, 200, "{}", ready.body);
        running.wait_for_answers(100)
    })?;
    report.all_good()?;
    let expected = report.answers + 1;
    let told = get_when(&fpm, "/metrics", |told| {
        told.number("fpmd_pool_requests_total{pool=\"www\"}").ok() == Some(expected as f64)
    })?;
    assert!(
        told.head
            .contains("application/openmetrics-text; version=1.0.0")
    );
    let active = told.number("fpmd_pool_workers{pool=\"www\",stage=\"active\"}")?;
    assert!(active >= 1.0, "{}", told.body);
    let read = Python::with("prometheus_client==0.26.0")?.run(PARSE, &told.body)?;
    assert!(
        read.ends_with(&format!("www {expected}\napi 0\n")),
        "{read}"
    );
    gate.open()?;
    running.answer()?;
    assert_eq!(get(&fpm, "/nothing")?.code, 404);
    Ok(())
}

#[test]
fn an_operator_that_is_killed_is_followed_by_another_and_costs_nobody_an_answer() -> Result {
    let Some(fpm) = start(Daemon::echo().workers(2))? else {
        return Ok(());
    };
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -");
    let ((), report) = load.during(|running| {
        for round in 1..=3 {
            let before = process(&fpm)?;
            before.signal(Signal::SIGKILL)?;
            // The socket stays, so this waits for the next one.
            assert_eq!(get(&fpm, "/healthz")?.code, 200);
            assert_ne!(process(&fpm)?.pid(), before.pid());
            let line = fpm.log().wait_for_nth("operator process ", 2 * round)?;
            assert!(line.contains("exited on signal 9 (SIGKILL)"), "{line}");
            running.wait_for_answers(20)?;
        }
        Ok(())
    })?;
    report.all_good()?;
    // It does not mind the signals of a terminal, nor those that are meant for the master.
    let pid = process(&fpm)?.pid();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGUSR2,
        Signal::SIGQUIT,
    ] {
        process(&fpm)?.signal(signal)?;
    }
    assert_eq!(get(&fpm, "/healthz")?.code, 200);
    assert_eq!(process(&fpm)?.pid(), pid);
    Ok(())
}

#[test]
fn it_is_nobody_and_has_nothing_but_its_socket() -> Result {
    let Some(mut fpm) = start(Daemon::echo().tcp())? else {
        return Ok(());
    };
    get(&fpm, "/status")?;
    let operator = process(&fpm)?;
    assert_eq!(operator.parent()?, fpm.process().pid());
    // A client's that has just been answered goes in a moment.
    wait_until("it has its channel and its own socket only", || {
        let files = operator.open_files()?;
        let sockets = files.iter().filter(|file| file.starts_with("socket:"));
        Ok(sockets.count() == 2)
    })?;
    let files = operator.open_files()?;
    assert!(
        !files.iter().any(|file| file.contains("memfd")),
        "{files:?}"
    );
    let maps = fs::read_to_string(format!("/proc/{}/maps", operator.pid()))?;
    let memory: Vec<_> = maps
        .lines()
        .filter(|line| line.contains("memfd:fpmd-"))
        .collect();
    assert!(!memory.is_empty());
    assert!(
        memory.iter().all(|line| line.contains(" r--s ")),
        "{memory:?}"
    );
    let file = fs::metadata(socket(&fpm))?;
    assert_eq!(file.permissions().mode() & 0o7777, 0o660);
    if Uid::effective().is_root() {
        assert_eq!(operator.status("CapEff")?, "0000000000000000");
        let uid = operator.status("Uid")?;
        assert_ne!(uid, "0 0 0 0");
        assert_ne!(uid, process_of_a_worker(&fpm)?);
        let group = operator.status("Gid")?;
        assert!(group.starts_with(&format!("{} ", file.gid())), "{group}");
    }
    // It goes with the master, however that ends.
    fpm.signal(Signal::SIGKILL)?;
    fpm.wait()?;
    operator.wait_for_end()
}

fn process_of_a_worker(fpm: &Fpm) -> Result<String> {
    fpm.wait_for_processes("php-fpm: pool www", 1)?[0].status("Uid")
}

#[test]
fn a_reload_moves_it_takes_it_away_and_brings_it_back() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let before = process(&fpm)?.pid();
    fpm.reload()?;
    assert_eq!(process(&fpm)?.pid(), before, "nothing about it has changed");
    let told = get_when(&fpm, "/metrics", |told| told.code == 200)?;
    assert_eq!(told.number("fpmd_generation")?, 2.0);

    let moved = fpm.site().path("moved");
    fpm.edit("/operator\n", "/moved\n")?;
    fpm.reload()?;
    assert!(!socket(&fpm).exists());
    let told = operator::ask(UnixStream::connect(&moved)?, "/readyz")?;
    assert_eq!(told.code, 200, "{}", told.body);

    fpm.edit("operator.listen", ";operator.listen")?;
    fpm.reload()?;
    fpm.wait_for_processes(operator::TITLE, 0)?;
    assert!(!moved.exists());

    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fpm.edit(
        ";operator.listen",
        &format!("operator.listen = {port}\n;operator.listen"),
    )?;
    fpm.reload()?;
    let told = operator::ask(TcpStream::connect(("127.0.0.1", port))?, "/metrics")?;
    assert_eq!(told.number("fpmd_generation")?, 5.0);
    fpm.serves_on()
}

#[test]
fn an_address_that_cannot_be_had_fails_the_reload_only() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let taken = taken.local_addr()?.port().to_string();
    let place = socket(&fpm).display().to_string();
    let mut now = place.clone();
    for (address, complaint) in [
        (
            taken.as_str(),
            "unable to bind listening socket for address '127.0.0.1:",
        ),
        ("10.0.0.1:80", "'10.0.0.1:80' is no loopback address"),
        (
            "operator",
            "'operator' is no port, no address with a port and no path",
        ),
        ("/nowhere/at/all", "/nowhere/at/all"),
    ] {
        fpm.edit(
            &format!("operator.listen = {now}"),
            &format!("operator.listen = {address}"),
        )?;
        now = address.to_owned();
        fpm.reload_in_vain()?;
        assert_ne!(
            fpm.log().lines_with(complaint),
            [""; 0],
            "{}",
            fpm.log().text()
        );
        assert_eq!(get(&fpm, "/healthz")?.code, 200);
    }
    fpm.serves_on()?;
    let refusal = Daemon::echo()
        .global("operator.listen = 0.0.0.0:80")
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78), "{}", refusal.output);
    if Uid::effective().is_root() {
        for lines in ["operator.user = no-such-user", "operator.group = root"] {
            let daemon = Daemon::echo().global(lines);
            let refusal = daemon.global("operator.listen = {dir}/o").start_in_vain()?;
            assert!(
                refusal.output.contains("ERROR: operator."),
                "{}",
                refusal.output
            );
        }
    }
    Ok(())
}

#[test]
fn readiness_follows_what_the_pools_do() -> Result {
    let daemon = Daemon::echo()
        .file("wait.php", Gate::SCRIPT)
        .workers(2)
        .global(
            "operator.ready_busy = 50%\noperator.ready_queue = 0%\ncontrol.listen = {dir}/control",
        )
        .other_pool("api", "");
    let Some(mut fpm) = start(daemon)? else {
        return Ok(());
    };
    let ready = |code: u16, reason: &str| -> Result {
        let is_so = |told: &Told| told.code == code && told.body.contains(reason);
        get_when(&fpm, "/readyz", is_so).map(drop)
    };
    ready(200, "\"ready\":true")?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut busy = Vec::new();
    for _ in 0..2 {
        busy.push(fpm.running("/wait.php")?);
    }
    ready(503, "2 of 2 workers are busy, more than 50%")?;
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    get_when(&fpm, "/readyz", |told| {
        told.body.contains("1 of ")
            && told
                .body
                .contains("places in the queue are taken, more than 0%")
    })?;
    assert_eq!(get(&fpm, "/readyz?pool=api")?.code, 200);
    assert_eq!(get(&fpm, "/readyz?pool=www")?.code, 503);
    assert_eq!(get(&fpm, "/readyz?pool=none")?.code, 404);
    for mut running in busy {
        gate.open()?;
        running.answer()?;
    }
    waiting.answer()?;
    ready(200, "\"ready\":true")?;

    assert_eq!(control::run(&fpm, "drain api")?.0, 0);
    ready(503, "the pool is drained")?;
    assert_eq!(control::run(&fpm, "resume api")?.0, 0);
    ready(200, "\"ready\":true")?;

    let mut running = fpm.running("/wait.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    ready(503, "the daemon is finishing")?;
    assert_eq!(get(&fpm, "/healthz")?.code, 200);
    gate.open()?;
    running.answer()?;
    fpm.wait()?;
    assert!(!listens(&socket(&fpm)));
    assert!(!socket(&fpm).exists());
    Ok(())
}

#[test]
fn a_daemon_that_starts_is_alive_and_not_ready() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    // There before the daemon is.
    let site = Site::new()?;
    let gate = Gate::new(&site, "gate")?;
    let preload = format!("<?php fgets(fopen('{}', 'r'));", gate.path().display());
    let daemon = Daemon::echo()
        .file("preload.php", preload)
        .global("operator.listen = {dir}/operator");
    let fpm = preloading(daemon)?.start_unheard()?;
    wait_until("it listens", || Ok(listens(&socket(&fpm))))?;
    let told = get(&fpm, "/readyz")?;
    assert_eq!(told.code, 503);
    assert!(
        told.body.contains("the daemon is starting"),
        "{}",
        told.body
    );
    assert_eq!(get(&fpm, "/healthz")?.code, 200);
    gate.open()?;
    get_when(&fpm, "/readyz", |told| told.code == 200)?;
    Ok(())
}

#[test]
fn a_master_that_does_not_answer_is_told_of() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    assert_eq!(get(&fpm, "/metrics")?.number("fpmd_master_answers")?, 1.0);
    fpm.process().stop()?;
    let told = get_when(&fpm, "/healthz", |told| told.code == 503)?;
    assert_eq!(told.body, "the master does not answer\n");
    assert_eq!(get(&fpm, "/readyz")?.code, 503);
    assert_eq!(get(&fpm, "/metrics")?.number("fpmd_master_answers")?, 0.0);
    fpm.signal(Signal::SIGCONT)?;
    get_when(&fpm, "/healthz", |told| told.code == 200)?;
    Ok(())
}

#[test]
fn strangers_get_nothing_and_keep_nobody_out() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let fpm = Daemon::echo()
        .global(&format!("operator.listen = localhost:{port}"))
        .start()?;
    let connect = || TcpStream::connect(("127.0.0.1", port));
    let say = |text: &str| -> Result<String> {
        let mut connection = connect()?;
        connection.write_all(text.as_bytes())?;
        let mut said = Vec::new();
        // With something unread at the other end the connection is reset.
        let _ = connection.read_to_end(&mut said);
        Ok(String::from_utf8_lossy(&said).into_owned())
    };
    let end = "Connection: close\r\n\r\n";
    let foreign = say(&format!(
        "GET /status HTTP/1.1\r\nHost: evil.example\r\n{end}"
    ))?;
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
    let write = say(&format!(
        "POST /status HTTP/1.1\r\nHost: localhost\r\n{end}"
    ))?;
    assert!(write.starts_with("HTTP/1.1 405 "), "{write}");
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n{end}", "x".repeat(100_000));
    assert!(!say(&long)?.contains(" 200 "));
    let nonsense = say("\u{0}\u{1}\u{2}\r\n\r\n")?;
    assert!(
        nonsense.is_empty() || nonsense.starts_with("HTTP/1.1 400 "),
        "{nonsense}"
    );

    let mut silent = Vec::new();
    for _ in 0..MANY {
        silent.push(connect()?);
    }
    // They are cut off after a while, and the next one has his turn.
    assert_eq!(operator::ask(connect()?, "/healthz")?.code, 200);
    drop(silent);
    fpm.serves_on()
}

#[test]
fn two_thousand_pools_take_a_bounded_time() -> Result {
    let mut daemon = Daemon::echo();
    for number in 0..POOLS {
        daemon = daemon.other_pool(&format!("p{number}"), "pm = ondemand");
    }
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    get(&fpm, "/healthz")?;
    let begin = Instant::now();
    let told = get(&fpm, "/metrics")?;
    let took = begin.elapsed();
    assert_eq!(told.number("fpmd_pool_max_children{pool=\"p1999\"}")?, 1.0);
    assert!(took < LARGE, "{took:?}");
    let status = get(&fpm, "/status")?.json()?;
    assert_eq!(status["pools"].as_array().map(Vec::len), Some(POOLS + 1));
    Ok(())
}

/// Has opcache preload the script `preload.php`.
fn preloading(daemon: Daemon) -> Result<Daemon> {
    let extension = fpmd_tests::Subject::from_environment()?.extension("opcache")?;
    let lines = "opcache.enable = 1\nopcache.preload = {dir}/www/preload.php\nopcache.preload_user = www-data";
    Ok(daemon
        .php_ini(lines)
        .ini(&format!("zend_extension={}", extension.display())))
}
