//! Ordinary work under load: every one of many clients gets its own right answer.

use fpmd_tests::{Daemon, Load, Nginx, Result, Under, under};

#[test]
fn every_client_is_answered_over_every_socket_kept_or_not() -> Result {
    for daemon in [Daemon::echo(), Daemon::echo().tcp()] {
        let fpm = daemon.workers(2).start()?;
        // A connection that is kept holds its worker, so there are only as many clients of that kind as workers.
        let once = fpm.request("/t.php").post("text/plain", "body");
        let kept = once.clone().keep_connection();
        for (request, clients) in [(once, 8), (kept, 2)] {
            let load = Load::direct(&fpm, &request, "served -body").clients(clients);
            let ((), report) = load.during(|running| running.wait_for_answers(200))?;
            report.all_good()?;
            assert!(report.answers >= 200, "{report:?}");
            assert_eq!(report.reopened, 0);
        }
    }
    Ok(())
}

#[test]
fn every_client_is_answered_through_nginx() -> Result {
    let fpm = Daemon::echo()
        .workers(2)
        .pool("listen.mode = 0666")
        .start()?;
    let nginx = Nginx::start(&fpm, "location ~ \\.php$ { {pass} }")?;
    let load = Load::through(&nginx, "/t.php", "served -").clients(8);
    let ((), report) = load.during(|running| running.wait_for_answers(200))?;
    report.all_good()?;
    Ok(())
}

#[test]
fn kept_connection_that_the_daemon_closes_is_opened_again() -> Result {
    let fpm = Daemon::echo().pool("pm.max_requests = 10").start()?;
    let request = fpm.request("/t.php").keep_connection();
    let load = Load::direct(&fpm, &request, "served -").clients(1);
    let (_, report) = load.during(|_| fpm.log().wait_for_nth("exited with code 0", 2))?;
    report.all_good()?;
    match under()? {
        // Another worker takes the connection over.
        Under::Fpmd => assert_eq!(report.reopened, 0),
        Under::Original => assert!(report.reopened > 0, "{report:?}"),
    }
    Ok(())
}

#[test]
fn wrong_answer_is_found() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php echo rand(0, 3) ? 'right' : 'wrong';")
        .start()?;
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "right").clients(2);
    let ((), report) = load.during(|running| running.wait_for_answers(40))?;
    let failure = report.failures.first().map(|failure| failure.what.clone());
    assert_eq!(failure.as_deref(), Some("status 200, 5 octets: wrong"));
    assert!(report.all_good().is_err());
    Ok(())
}
