//! Many requests, many workers, both kinds of sockets, kept connections.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use fpmd_tests::{Connection, Daemon, Fpm, Gate, Record, Result, Under, under};

const ECHO: &str = "<?php echo $_SERVER['QUERY_STRING'], '|', file_get_contents('php://input');";

/// What a client does with its connection between two requests.
#[derive(Clone, Copy, Debug)]
enum Connections {
    Kept,
    OneEach,
}

/// Sends `count` requests with bodies of all sizes and checks every answer.
fn exchange(fpm: &Fpm, client: usize, count: usize, connections: Connections) -> Result {
    let mut kept: Option<Connection> = None;
    for number in 0..count {
        let body: Vec<u8> = (0..number * 37 % 5000)
            .map(|at| u8::try_from((at * 7 + number + client) % 251).unwrap_or(0))
            .collect();
        let uri = format!("/echo.php?client={client}&number={number}");
        let request = fpm
            .request(&uri)
            .post("application/octet-stream", body.clone());
        let answer = match connections {
            Connections::OneEach => fpm.send(&request)?,
            Connections::Kept => {
                let connection = match &mut kept {
                    Some(connection) => connection,
                    None => kept.insert(fpm.connect()?),
                };
                connection.send(&request.keep_connection())?;
                connection.answer()?
            }
        };
        let expected = [
            format!("client={client}&number={number}|").into_bytes(),
            body,
        ]
        .concat();
        assert!(
            answer.body == expected,
            "client {client}, request {number}: {answer:?}"
        );
        assert_eq!(
            (answer.status, answer.end, &*answer.stderr),
            (200, Some((0, 0)), "")
        );
    }
    Ok(())
}

/// 10,000 requests go through the twelve combinations below.
fn serves(workers: u32, daemon: &Daemon) -> Result {
    let fpm = daemon
        .clone()
        .workers(workers)
        .file("echo.php", ECHO)
        .start()?;
    for connections in [Connections::Kept, Connections::OneEach] {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..usize::try_from(workers)?)
                .map(|client| {
                    scope.spawn({
                        let fpm = &fpm;
                        move || exchange(fpm, client, 840 / usize::try_from(workers)?, connections)
                    })
                })
                .collect();
            clients.into_iter().try_for_each(|client| {
                client
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
    }
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

#[test]
fn one_worker_on_a_unix_socket() -> Result {
    serves(1, &Daemon::new())
}

#[test]
fn two_workers_on_a_unix_socket() -> Result {
    serves(2, &Daemon::new())
}

#[test]
fn eight_workers_on_a_unix_socket() -> Result {
    serves(8, &Daemon::new())
}

#[test]
fn one_worker_on_tcp() -> Result {
    serves(1, &Daemon::new().tcp())
}

#[test]
fn two_workers_on_tcp() -> Result {
    serves(2, &Daemon::new().tcp())
}

#[test]
fn eight_workers_on_tcp() -> Result {
    serves(8, &Daemon::new().tcp())
}

#[test]
fn as_many_requests_run_at_once_as_there_are_workers() -> Result {
    let fpm = Daemon::new()
        .workers(8)
        .file("t.php", "<?php echo getmypid(), ';'; flush(); fgets(fopen(__DIR__ . '/../var/' . $_GET['gate'], 'r')); echo 'done';")
        .file("pid.php", "<?php echo getmypid();")
        .start()?;
    let mut running = Vec::new();
    let mut pids = HashSet::new();
    for number in 0..8 {
        let gate = Gate::new(fpm.site(), &number.to_string())?;
        let mut connection = fpm.begin(&fpm.request(&format!("/t.php?gate={number}")))?;
        pids.insert(connection.output_until(";")?);
        running.push((gate, connection));
    }
    assert_eq!(pids.len(), 8);
    let mut queued = fpm.begin(&fpm.request("/pid.php"))?;
    assert!(queued.is_silent_for(Duration::from_millis(200))?);
    for (gate, mut connection) in running {
        gate.open()?;
        assert_eq!(connection.answer()?.body, b"done");
    }
    queued.answer()?;
    Ok(())
}

#[test]
fn idle_kept_connection_does_not_disturb_other_workers() -> Result {
    let fpm = Daemon::new().workers(2).file("echo.php", ECHO).start()?;
    let mut kept = fpm.begin(&fpm.request("/echo.php?1").keep_connection())?;
    assert_eq!(kept.answer()?.text(), "1|");
    for _ in 0..20 {
        assert_eq!(fpm.get("/echo.php?2")?.text(), "2|");
    }
    kept.send(&fpm.request("/echo.php?3"))?;
    assert_eq!(kept.answer()?.text(), "3|");
    assert!(kept.wait_for_close()?.is_empty());
    Ok(())
}

#[test]
fn connection_is_closed_unless_it_is_to_be_kept() -> Result {
    let fpm = Daemon::new().file("echo.php", ECHO).start()?;
    let mut connection = fpm.begin(&fpm.request("/echo.php?1"))?;
    connection.answer()?;
    assert!(connection.wait_for_close()?.is_empty());
    Ok(())
}

#[test]
fn worker_is_replaced_after_its_share_of_requests() -> Result {
    let fpm = Daemon::new()
        .pool("pm.max_requests = 5")
        .file("t.php", "<?php echo getmypid();")
        .start()?;
    let mut pids = Vec::new();
    for _ in 0..20 {
        pids.push(fpm.get("/t.php")?.text());
    }
    pids.dedup();
    assert_eq!(pids.len(), 4);
    for pid in &pids[..3] {
        let line = fpm
            .log()
            .wait_for(&format!("[pool www] child {pid} exited with code 0 after "))?;
        assert!(line.contains("NOTICE: "), "{line}");
    }
    Ok(())
}

#[test]
fn next_worker_is_there_before_a_spent_one_has_ended() -> Result {
    let fpm = Daemon::new()
        .pool("pm.max_requests = 1")
        .file("t.php", "<?php echo getmypid();")
        .start()?;
    let mut stubborn = fpm.connect()?;
    // More than the worker reads at once, so that it waits for its client to go.
    let rest = Record::new(fcgi_proto::record::RecordType::Stdin, [0; 60_000]);
    stubborn.send_bytes(&[fpm.request("/t.php").bytes(), rest.bytes()].concat())?;
    // The next one may have served its share, too, and be gone by then.
    let end = format!("child {} exited with code 0", stubborn.answer()?.text());
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    match under()? {
        Under::Fpmd => {
            next.answer()?;
            assert_eq!(fpm.log().lines_with(&end), Vec::<String>::new());
        }
        Under::Original => assert!(next.is_silent_for(Duration::from_millis(500))?),
    }
    drop(stubborn);
    fpm.log().wait_for(&end)?;
    Ok(())
}

#[test]
fn left_over_end_of_body_on_a_kept_connection_is_skipped() -> Result {
    let fpm = Daemon::new().file("echo.php", ECHO).start()?;
    let mut connection = fpm.begin(&fpm.request("/echo.php?1").keep_connection())?;
    assert_eq!(connection.answer()?.text(), "1|");
    connection.send_bytes(&Record::new(fcgi_proto::record::RecordType::Stdin, []).bytes())?;
    connection.send(&fpm.request("/echo.php?2").keep_connection())?;
    assert_eq!(connection.answer()?.text(), "2|");
    Ok(())
}

#[test]
fn state_of_one_request_is_not_seen_by_the_next() -> Result {
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php function once() { static $n = 0; return ++$n; }
             class C { static $n = 0; }
             define('ONCE', 1);
             echo once(), ++C::$n, isset($GLOBALS['left']) ? 'left' : '', getcwd() === __DIR__ ? '' : getcwd(), putenv('LEFT=1') && 0, ini_get('precision'), count(get_included_files());
             $GLOBALS['left'] = 1; chdir('/'); ini_set('precision', '3'); error_reporting(0); ob_start(); setlocale(LC_ALL, 'C');",
        )
        .start()?;
    for _ in 0..5 {
        assert_eq!(fpm.get("/t.php")?.text(), "11141");
    }
    Ok(())
}
