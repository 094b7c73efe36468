//! What requests cost, what becomes of them and why workers end, as `fpmd status` tells it: counted in shared memory, which only
//! fpmd has.

use std::time::{Duration, SystemTime};

use fpmd_tests::control::{start, status_when};
use fpmd_tests::{Daemon, Fpm, Gate, Result, Site};
use serde_json::{Value, json};

/// Waits until a number of the first pool is as expected, and returns what was measured in it. The last request is counted a
/// moment after its answer.
fn measured(fpm: &Fpm, pointer: &str, expected: u64) -> Result<Value> {
    let status = status_when(fpm, |status| {
        status.pointer(&format!("/pools/0/{pointer}")) == Some(&expected.into())
    })?;
    Ok(status["pools"][0]["measured"].clone())
}

/// Starts a daemon with one worker and scripts that do what can be measured.
fn one_worker(directives: &str) -> Result<Option<Fpm>> {
    start(
        Daemon::echo()
            .workers(1)
            .pool(directives)
            .file("code.php", "<?php http_response_code((int) $_GET['code']);")
            .file("sleep.php", "<?php usleep(100_000);")
            .file(
                "work.php",
                "<?php function cpu() { $used = getrusage(); return $used['ru_utime.tv_sec'] * 1e6 + $used['ru_utime.tv_usec']; }
                $end = cpu() + 60_000; while (cpu() < $end);",
            )
            .file("memory.php", "<?php strlen(str_repeat('x', 40 << 20));")
            .file("leave.php", "<?php posix_kill(getmypid(), SIGSEGV);")
            .file("wait.php", Gate::SCRIPT),
    )
}

#[test]
fn requests_are_measured() -> Result {
    let Some(fpm) = one_worker("")? else {
        return Ok(());
    };
    for uri in [
        "/t.php",
        "/code.php?code=302",
        "/code.php?code=404",
        "/none.php",
    ] {
        fpm.get(uri)?;
    }
    for code in [500, 503, 599] {
        fpm.get(&format!("/code.php?code={code}"))?;
    }
    for uri in ["/sleep.php", "/work.php", "/memory.php"] {
        fpm.get(uri)?;
    }
    let of = measured(&fpm, "measured/duration_us/count", 10)?;
    let answers = json!({"other": 0, "1xx": 0, "2xx": 4, "3xx": 1, "4xx": 2, "5xx": 3});
    assert_eq!(of["answers"], answers);
    let number = |pointer: &str| of.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    // A bucket is a quarter wide.
    assert!(number("/duration_us/p99") >= 100_000 * 3 / 4, "{of:#}");
    assert!(number("/duration_us/p50") < 60_000, "{of:#}");
    assert!(
        (60_000 * 3 / 4..5_000_000).contains(&number("/cpu_us/p99")),
        "{of:#}"
    );
    assert!(number("/memory/p99") >= 40 << 20, "{of:#}");
    assert!(number("/memory/p50") < 10 << 20, "{of:#}");
    for histogram in ["cpu_us", "memory"] {
        assert_eq!(of[histogram]["count"], 10, "{of:#}");
    }
    let waits = number("/queue_wait_us/count") + number("/unknown_waits");
    assert_eq!((waits, number("/spawned")), (10, 1), "{of:#}");
    Ok(())
}

#[test]
fn waits_are_known_from_the_web_server_and_who_has_left_is_not_measured() -> Result {
    let Some(fpm) = one_worker("")? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let start = format!("{}.{:03}", now.as_secs(), now.subsec_millis());
    let mut told = fpm.begin(&fpm.request("/t.php").param("REQUEST_START", start))?;
    let mut untold = fpm.begin(&fpm.request("/t.php"))?;
    drop(fpm.begin(&fpm.request("/t.php"))?);
    assert!(told.is_silent_for(Duration::from_millis(300))?);
    gate.open()?;
    for client in [&mut running, &mut told, &mut untold] {
        client.answer()?;
    }
    measured(&fpm, "abandoned", 1)?;
    let of = measured(&fpm, "measured/duration_us/count", 3)?;
    // Perhaps the first one came before the worker waited for it.
    assert!(of["unknown_waits"].as_u64() >= Some(1), "{of:#}");
    let wait = of["queue_wait_us"]["p99"].as_u64();
    assert!(wait >= Some(300_000 * 3 / 4), "{of:#}");
    Ok(())
}

#[test]
fn workers_end_for_reasons() -> Result {
    let limits = "pm.max_requests = 3\nrequest_terminate_timeout = 1s";
    let Some(fpm) = one_worker(limits)? else {
        return Ok(());
    };
    let begin = |uri: &str| fpm.begin(&fpm.request(uri));
    for _ in 0..3 {
        fpm.get("/t.php")?;
    }
    measured(&fpm, "measured/departures/max_requests", 1)?;
    begin("/leave.php")?.wait_for_close()?;
    measured(&fpm, "measured/departures/killed", 1)?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    begin("/wait.php")?.wait_for_close()?;
    measured(&fpm, "measured/departures/terminate_timeout", 1)?;
    measured(&fpm, "timed_out", 1)?;
    fpm.reload()?;
    let of = measured(&fpm, "measured/departures/reload", 1)?;
    let departures = json!({
        "max_requests": 1, "max_memory": 0, "idle": 0, "reload": 1, "orphaned": 0,
        "terminate_timeout": 1, "exited": 0, "killed": 1,
    });
    assert_eq!(of["departures"], departures);
    assert_eq!(of["spawned"], 5);
    Ok(())
}

#[test]
fn workers_that_are_too_large_or_not_needed_are_counted() -> Result {
    let daemon =
        Daemon::echo().pool("pm = ondemand\npm.process_idle_timeout = 1s\npm.max_memory = 1M");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    fpm.get("/t.php")?;
    measured(&fpm, "measured/departures/max_memory", 1)?;
    measured(&fpm, "outgrown", 1)?;
    fpm.edit("pm.max_memory = 1M", "")?;
    fpm.reload()?;
    fpm.get("/t.php")?;
    measured(&fpm, "measured/departures/idle", 1)?;
    Ok(())
}

#[test]
fn counts_go_on_over_reloads_and_reloads_are_counted() -> Result {
    let Some(fpm) = one_worker("")? else {
        return Ok(());
    };
    fpm.get("/t.php")?;
    fpm.reload()?;
    fpm.get("/t.php")?;
    fpm.edit("[www]", "[www]\nno = such")?;
    fpm.reload_in_vain()?;
    fpm.get("/t.php")?;
    measured(&fpm, "measured/answers/2xx", 3)?;
    let status = status_when(&fpm, |status| status["measured"]["failed_reloads"] == 1)?;
    let reloads = &status["measured"]["reload_us"];
    assert_eq!(reloads["count"], 1);
    assert!(reloads["p50"].as_u64() > Some(1_000), "{reloads}");
    Ok(())
}

#[test]
fn lines_that_an_access_log_did_not_take_are_counted() -> Result {
    let site = Site::new()?;
    let pipe = Gate::new(&site, "access.log")?;
    let directives = format!(
        "access.log = {}\naccess.format = '%{{X}}e'",
        pipe.path().display()
    );
    let Some(fpm) = one_worker(&directives)? else {
        return Ok(());
    };
    // A pipe holds 64 KiB.
    let request = fpm.request("/t.php").param("X", "x".repeat(999));
    for _ in 0..100 {
        fpm.send(&request)?;
    }
    pipe.read_until("x")?;
    fpm.send(&request)?;
    status_when(&fpm, |status| {
        let lost = status["pools"][0]["measured"]["access_lines_lost"].as_u64();
        (Some(20)..Some(50)).contains(&lost)
    })?;
    Ok(())
}
