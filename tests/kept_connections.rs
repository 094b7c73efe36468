//! Connections that a client keeps: what it sends on them is answered, whoever leaves meanwhile.
//!
//! The original closes such a connection when its worker ends. A web server then sends the request again if that can do no harm, and
//! answers 502 if it can.

use std::time::Duration;

use fpmd_tests::{
    Connection, Daemon, Fpm, Load, LoadReport, Nginx, Process, Result, Running, Under, under,
    wait_until,
};
use nix::sys::signal::Signal;

/// Reloads under each load. What the original loses can be seen with fewer.
fn reloads() -> Result<usize> {
    Ok(match under()? {
        Under::Fpmd => 100,
        Under::Original => 10,
    })
}

fn daemon() -> Daemon {
    Daemon::echo()
        .file("pid.php", "<?php echo getmypid();")
        .pool("listen.mode = 0666")
}

/// A client that has been answered, and the worker that has its connection.
fn client(fpm: &Fpm) -> Result<(Connection, Process)> {
    let mut kept = fpm.begin(&fpm.request("/pid.php").keep_connection())?;
    let worker = Process::of(kept.answer()?.text().parse()?)?;
    Ok((kept, worker))
}

/// Asks again on a kept connection, and says which worker has answered.
fn ask_again(fpm: &Fpm, kept: &mut Connection) -> Result<i32> {
    kept.send(&fpm.request("/pid.php").keep_connection())?;
    Ok(kept.answer()?.text().parse()?)
}

/// Runs a load of GET and one of POST through nginx beside `work`, and shows what came of it. fpmd must not lose anything, and
/// nginx must not have noticed.
fn nginx_notices_nothing(fpm: &Fpm, what: &str, work: &dyn Fn(&Running<'_>) -> Result) -> Result {
    let nginx = Nginx::start(fpm, "location ~ \\.php$ { {pass} fastcgi_keep_conn on; }")?;
    let get = Load::through(&nginx, "/t.php", "served -").clients(2);
    let post = Load::through(&nginx, "/t.php", "served -sent")
        .posting("sent")
        .clients(2);
    let (((), posts), gets) = get.during(|_| post.during(work))?;
    let again = nginx.log().lines_with("upstream");
    let shown =
        |report: &LoadReport| format!("{} answers, {} lost", report.answers, report.failures.len());
    println!(
        "{:?}, {what}: GET {}; POST {}; nginx lost {} requests on kept connections",
        under()?,
        shown(&gets),
        shown(&posts),
        again.len()
    );
    if under()? == Under::Fpmd {
        gets.all_good()?;
        posts.all_good()?;
        assert_eq!(again, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn hundred_reloads_are_not_noticed_by_nginx() -> Result {
    let fpm = daemon().workers(6).start()?;
    let reloads = reloads()?;
    nginx_notices_nothing(&fpm, &format!("{reloads} reloads"), &|_| {
        (0..reloads).try_for_each(|_| fpm.reload())
    })
}

#[test]
fn workers_that_have_served_their_share_are_not_noticed_by_nginx() -> Result {
    let fpm = daemon().workers(6).pool("pm.max_requests = 20").start()?;
    nginx_notices_nothing(&fpm, "100 workers have served their share", &|_| {
        fpm.log().wait_for_nth("exited with code 0", 100).map(drop)
    })
}

#[test]
fn client_of_a_worker_that_has_left_is_served_by_the_next_generation() -> Result {
    let fpm = daemon().workers(2).start()?;
    let (mut kept, worker) = client(&fpm)?;
    fpm.reload()?;
    worker.wait_for_end()?;
    match under()? {
        Under::Fpmd => {
            let next = ask_again(&fpm, &mut kept)?;
            assert_ne!(next, worker.pid());
            // It is a connection like any other there.
            assert_eq!(ask_again(&fpm, &mut kept)?, next);
            let status = fpm.processes("php-fpm: pool www")?;
            assert!(status.iter().any(|process| process.pid() == next));
        }
        Under::Original => assert!(kept.wait_for_close()?.is_empty()),
    }
    Ok(())
}

#[test]
fn client_rests_through_many_generations() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon().tcp().start()?;
    let (mut kept, worker) = client(&fpm)?;
    for _ in 0..5 {
        fpm.reload()?;
    }
    worker.wait_for_end()?;
    assert_ne!(ask_again(&fpm, &mut kept)?, worker.pid());
    Ok(())
}

#[test]
fn client_of_a_worker_that_has_served_its_share_is_served_by_another() -> Result {
    let fpm = daemon().workers(2).pool("pm.max_requests = 1").start()?;
    let (mut kept, worker) = client(&fpm)?;
    match under()? {
        Under::Fpmd => {
            worker.wait_for_end()?;
            assert_ne!(ask_again(&fpm, &mut kept)?, worker.pid());
        }
        Under::Original => {
            // The worker closes its side, and then waits for the client to do the same.
            assert!(kept.wait_for_close()?.is_empty());
            drop(kept);
            worker.wait_for_end()?;
        }
    }
    Ok(())
}

#[test]
fn requests_of_a_kept_connection_are_counted_once() -> Result {
    let fpm = daemon()
        .workers(2)
        .pool("pm.max_requests = 2\npm.status_path = /status")
        .start()?;
    let (mut kept, _) = client(&fpm)?;
    if under()? == Under::Original {
        return Ok(());
    }
    for _ in 0..5 {
        ask_again(&fpm, &mut kept)?;
    }
    let status = fpm.status_page("?json")?.text();
    let status: serde_json::Value = serde_json::from_str(&status)?;
    assert_eq!(status["accepted conn"], 7);
    Ok(())
}

#[test]
fn client_that_rests_holds_no_worker_and_is_served_when_there_is_one() -> Result {
    let ondemand = "pm = ondemand\npm.max_children = 1\npm.process_idle_timeout = 100s";
    let fpm = Daemon::new()
        .file("pid.php", "<?php echo getmypid();")
        .pool(ondemand)
        .start()?;
    let (mut kept, worker) = client(&fpm)?;
    if under()? == Under::Original {
        return Ok(());
    }
    fpm.reload()?;
    worker.wait_for_end()?;
    // The only worker there may be.
    let other = fpm.get("/pid.php")?.text();
    assert_eq!(ask_again(&fpm, &mut kept)?.to_string(), other);
    Ok(())
}

#[test]
fn ondemand_pool_starts_a_worker_for_a_client_that_speaks_again() -> Result {
    let fpm = Daemon::new()
        .file("pid.php", "<?php echo getmypid();")
        .pool("pm = ondemand\npm.max_children = 2\npm.process_idle_timeout = 1s")
        .start()?;
    let (mut kept, worker) = client(&fpm)?;
    if under()? == Under::Original {
        // It counts as busy for as long as the connection is there.
        return Ok(());
    }
    worker.wait_for_end()?;
    fpm.wait_for_processes("php-fpm: pool www", 0)?;
    assert_ne!(ask_again(&fpm, &mut kept)?, worker.pid());
    Ok(())
}

#[test]
fn client_that_closes_while_it_rests_costs_nobody_anything() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon().start()?;
    let held = || -> Result<usize> {
        let files = fpm.process().open_files()?;
        Ok(files
            .iter()
            .filter(|file| file.starts_with("socket:"))
            .count())
    };
    let before = held()?;
    for _ in 0..3 {
        let (kept, worker) = client(&fpm)?;
        fpm.reload()?;
        worker.wait_for_end()?;
        drop(kept);
    }
    // A descriptor that is closed while they are counted is an error, and a reason to count again.
    wait_until("the master closes them, too", || {
        Ok(held().is_ok_and(|held| held <= before))
    })?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_may_not_connect_any_more_is_not_served_any_more() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon()
        .tcp()
        .pool("catch_workers_output = yes\nlisten.allowed_clients = 127.0.0.1")
        .start()?;
    let (mut kept, worker) = client(&fpm)?;
    fpm.edit("= 127.0.0.1\n", "= 127.0.0.2\n")?;
    fpm.reload()?;
    worker.wait_for_end()?;
    kept.send(&fpm.request("/pid.php").keep_connection())?;
    assert!(kept.answer().is_err());
    fpm.log()
        .wait_for("Connection disallowed: IP address '127.0.0.1' has been dropped.")?;
    Ok(())
}

#[test]
fn client_of_a_socket_that_goes_is_left_behind_after_a_moment() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon().start()?;
    let (mut kept, worker) = client(&fpm)?;
    fpm.edit("/www.sock", "/other.sock")?;
    fpm.reload()?;
    assert!(kept.wait_for_close()?.is_empty());
    worker.wait_for_end()
}

#[test]
fn clients_that_rest_are_let_go_at_a_stop() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    for signal in [Signal::SIGQUIT, Signal::SIGTERM] {
        let mut fpm = daemon().workers(2).start()?;
        let (mut resting, worker) = client(&fpm)?;
        fpm.reload()?;
        worker.wait_for_end()?;
        let (mut kept, _) = client(&fpm)?;
        fpm.signal(signal)?;
        assert!(resting.wait_for_close()?.is_empty(), "{signal}");
        assert!(kept.wait_for_close()?.is_empty(), "{signal}");
        assert_eq!(fpm.wait()?.code(), Some(0), "{signal}");
    }
    Ok(())
}

#[test]
fn client_waits_for_workers_that_come_back() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon().workers(2).start()?;
    let (mut kept, worker) = client(&fpm)?;
    fpm.reload()?;
    worker.wait_for_end()?;
    // Of the pool nobody is left for a moment; the connection is not the worker's who dies.
    fpm.kill_worker()?;
    fpm.kill_worker()?;
    assert_ne!(ask_again(&fpm, &mut kept)?, worker.pid());
    Ok(())
}

#[test]
fn torn_request_is_read_to_its_end_by_its_worker() -> Result {
    let fpm = daemon().workers(2).pool("pm.max_requests = 1").start()?;
    let request = fpm.request("/pid.php").keep_connection();
    let next = request.bytes();
    let mut kept = fpm.connect()?;
    // The beginning of the next request arrives together with this one.
    kept.send_bytes(&[&next[..], &next[..next.len() / 2]].concat())?;
    let worker = kept.answer()?.text();
    if under()? == Under::Original {
        return Ok(());
    }
    assert!(kept.is_silent_for(Duration::from_millis(20))?);
    kept.send_bytes(&next[next.len() / 2..])?;
    assert_eq!(kept.answer()?.text(), worker);
    Process::of(worker.parse()?).map_or(Ok(()), |worker| worker.wait_for_end())
}
