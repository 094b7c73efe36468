//! `request_queue_timeout`, which only fpmd has: who has waited too long for a worker is turned away.

use std::thread;
use std::time::{Duration, SystemTime};

use fpmd_tests::{Connection, Daemon, Fpm, Gate, Nginx, Request, Result, start_own};

/// Longer than the limit of these tests.
const TOO_LONG: Duration = Duration::from_millis(1200);

/// One worker and a limit of one second.
fn daemon() -> Daemon {
    Daemon::new()
        .pool("request_queue_timeout = 1s\nping.path = /ping")
        .file("slow.php", Gate::SCRIPT)
        .file("quick.php", "<?php echo 'quick';")
}

/// Starts a daemon with the directive; `None` when it is the original, which does not know it.
fn start(daemon: &Daemon) -> Result<Option<Fpm>> {
    start_own(daemon, "request_queue_timeout")
}

/// A request that was sent now, as the web server says it; its clock is `ahead` or `behind`.
fn sent(fpm: &Fpm, uri: &str, ahead: Duration, behind: Duration) -> Result<Request> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let told = now + ahead - behind;
    let start = format!("{}.{:03}", told.as_secs(), told.subsec_millis());
    Ok(fpm.request(uri).param("REQUEST_START", start))
}

fn sent_now(fpm: &Fpm, uri: &str) -> Result<Request> {
    sent(fpm, uri, Duration::ZERO, Duration::ZERO)
}

fn assert_turned_away(late: &mut Connection) -> Result {
    let answer = late.answer()?;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(answer.body, b"Too many requests are waiting.\n");
    let text = &answer.stderr;
    assert!(text.contains("request_queue_timeout is 1"), "{text}");
    Ok(())
}

#[test]
fn request_that_waited_too_long_is_turned_away_and_a_fresh_one_is_not() -> Result {
    for daemon in [daemon(), daemon().tcp()] {
        let Some(fpm) = start(&daemon)? else {
            continue;
        };
        let gate = Gate::new(fpm.site(), "gate")?;
        let mut running = fpm.running("/slow.php")?;
        let mut late = fpm.begin(&sent_now(&fpm, "/quick.php")?)?;
        let mut late_ping = fpm.begin(&sent_now(&fpm, "/ping")?)?;
        assert!(late.is_silent_for(TOO_LONG)?);
        let mut fresh = fpm.begin(&sent_now(&fpm, "/quick.php")?)?;
        gate.open()?;
        running.answer()?;
        assert_turned_away(&mut late)?;
        // Whoever watches the pool is answered in any case.
        assert_eq!(late_ping.answer()?.text(), "pong");
        assert_eq!(fresh.answer()?.text(), "quick");
    }
    Ok(())
}

#[test]
fn without_a_parameter_nobody_is_turned_away_from_a_unix_socket() -> Result {
    let Some(fpm) = start(&daemon())? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/slow.php")?;
    let mut late = fpm.begin(&fpm.request("/quick.php"))?;
    let mut nonsense = fpm.begin(&fpm.request("/quick.php").param("REQUEST_START", "noon"))?;
    assert!(late.is_silent_for(TOO_LONG)?);
    gate.open()?;
    running.answer()?;
    assert_eq!(late.answer()?.text(), "quick");
    assert_eq!(nonsense.answer()?.text(), "quick");
    Ok(())
}

#[test]
fn clock_of_the_web_server_turns_nobody_away() -> Result {
    const HOUR: Duration = Duration::from_secs(3600);
    // More than this test takes, even on a busy machine.
    let daemon = daemon().pool("request_queue_timeout = 60s");
    for daemon in [daemon.clone(), daemon.tcp()] {
        let Some(fpm) = start(&daemon)? else {
            continue;
        };
        let gate = Gate::new(fpm.site(), "gate")?;
        for (ahead, behind) in [(HOUR, Duration::ZERO), (Duration::ZERO, HOUR)] {
            // One that finds the worker waiting, and one that waits for it.
            let request = sent(&fpm, "/quick.php", ahead, behind)?;
            assert_eq!(fpm.send(&request)?.text(), "quick");
            let mut running = fpm.running("/slow.php")?;
            let mut queued = fpm.begin(&request)?;
            gate.open()?;
            running.answer()?;
            assert_eq!(queued.answer()?.text(), "quick");
        }
    }
    Ok(())
}

#[test]
fn kept_connection_waits_in_no_queue() -> Result {
    let Some(fpm) = start(&daemon().tcp())? else {
        return Ok(());
    };
    let mut kept = fpm.begin(&fpm.request("/quick.php").keep_connection())?;
    assert_eq!(kept.answer()?.text(), "quick");
    assert!(kept.is_silent_for(TOO_LONG)?);
    kept.send(&sent_now(&fpm, "/quick.php")?.keep_connection())?;
    assert_eq!(kept.answer()?.text(), "quick");
    Ok(())
}

#[test]
fn nginx_says_when_it_sent_a_request() -> Result {
    let daemon = daemon().pool("listen.mode = 0666");
    let Some(fpm) = start(&daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let location = "location ~ \\.php$ { {pass} fastcgi_param REQUEST_START $msec; }";
    let nginx = Nginx::start(&fpm, location)?;
    assert_eq!(nginx.browser().get("/quick.php")?.text(), "quick");
    let mut running = fpm.running("/slow.php")?;
    let visitor = {
        let browser = nginx.browser();
        thread::spawn(move || browser.get("/quick.php"))
    };
    // Another one, behind it or before it, that only measures the time.
    let mut other = fpm.begin(&fpm.request("/quick.php"))?;
    assert!(other.is_silent_for(TOO_LONG)?);
    gate.open()?;
    running.answer()?;
    let page = visitor
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert_eq!(fpm.get("/quick.php")?.text(), "quick");
    Ok(())
}
