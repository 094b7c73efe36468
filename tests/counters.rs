//! The numbers of the status page: right under load, and right when workers are killed.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use fpmd_tests::{Address, Daemon, Fpm, Gate, Load, PATIENCE, Process, Result, Under, under};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A pool with a status page that answers whatever its workers do.
fn daemon(workers: u32) -> Daemon {
    Daemon::new()
        .workers(workers)
        .pool("pm.status_path = /status\npm.status_listen = {dir}/status.sock")
        .file("quick.php", "<?php echo 'quick';")
        .file(
            "slow.php",
            "<?php fgets(fopen(__DIR__ . '/../var/gate', 'r'));",
        )
}

fn status(fpm: &Fpm) -> Result<Value> {
    let address = Address::Unix(fpm.site().path("status.sock"));
    serde_json::from_slice(&fpm.status_page_at(&address, "?json&full")?.body).context("no JSON")
}

fn number(status: &Value, field: &str) -> Result<i64> {
    status[field]
        .as_i64()
        .with_context(|| format!("no {field}: {status}"))
}

/// Asks until the page is as wanted. php-fpm puts its numbers right once a second.
fn status_when(fpm: &Fpm, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        last = status(fpm)?;
        if wanted(&last) {
            return Ok(last);
        }
    }
    bail!("the page stays at {last}")
}

fn is_idle(status: &Value) -> bool {
    status["idle processes"] == 1
        && status["active processes"] == 0
        && status["total processes"] == 1
        && status["processes"][0]["state"] == "Idle"
}

#[test]
fn numbers_are_right_while_requests_are_served() -> Result {
    let fpm = daemon(4).start()?;
    // The daemon is ready when the first of them is.
    status_when(&fpm, |status| status["total processes"] == 4)?;
    let under = under()?;
    let load = Load::direct(&fpm, &fpm.request("/quick.php"), "quick").clients(8);
    let ((), report) = load.during(|running| {
        let mut accepted = 0;
        for _ in 0..300 {
            let status = match status(&fpm) {
                // Now and then it has no numbers (8.2: another process is at them) and says "Internal error".
                Err(_) if under == Under::Original => continue,
                status => status?,
            };
            let now = number(&status, "accepted conn")?;
            ensure!(now >= accepted, "{now} after {accepted}");
            accepted = now;
            let [idle, active, total, most] = [
                "idle processes",
                "active processes",
                "total processes",
                "max active processes",
            ]
            .map(|field| number(&status, field).unwrap_or(-1));
            // The original's come from several looks at its workers.
            if under == Under::Fpmd {
                let right = idle >= 0 && active >= 0 && idle + active == total && total == 4;
                ensure!(right && active <= most && most <= 4, "{status}");
            }
        }
        running.wait_for_answers(100)
    })?;
    report.all_good()?;
    let status = status_when(&fpm, |status| status["idle processes"] == 4)?;
    let accepted = number(&status, "accepted conn")?;
    assert_eq!(u64::try_from(accepted)?, report.answers);
    let processes = status["processes"].as_array().context("no processes")?;
    let requests: i64 = processes
        .iter()
        .filter_map(|process| process["requests"].as_i64())
        .sum();
    assert_eq!(requests, accepted);
    Ok(())
}

#[test]
fn worker_killed_at_any_stage_leaves_no_wrong_number() -> Result {
    let fpm = daemon(1).start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut accepted = 0;
    for stage in ["Idle", "Reading headers", "Running", "resting"] {
        let before = status_when(&fpm, is_idle)?;
        assert!(number(&before, "accepted conn")? >= accepted, "{before}");
        let mut connection = fpm.connect()?;
        let is_there = match stage {
            "Reading headers" => {
                let head = fpm.request("/quick.php").head_bytes();
                connection.send_bytes(&head[..20])?;
                status_when(&fpm, |status| status["processes"][0]["state"] == stage)?
            }
            "Running" => {
                connection.send(&fpm.request("/slow.php"))?;
                status_when(&fpm, |status| status["processes"][0]["state"] == stage)?
            }
            "resting" => {
                connection.send(&fpm.request("/quick.php").keep_connection())?;
                connection.answer()?;
                status(&fpm)?
            }
            _ => before,
        };
        accepted = number(&is_there, "accepted conn")?;
        let pid = number(&is_there["processes"][0], "pid")?;
        Process::of(pid.try_into()?)?.signal(Signal::SIGKILL)?;
        // Its successor.
        status_when(&fpm, |status| {
            is_idle(status) && status["processes"][0]["pid"] != pid
        })?;
        drop(connection);
    }
    let last = status(&fpm)?;
    if under()? == Under::Fpmd {
        // One began to arrive, one ran, one was answered.
        assert_eq!(last["accepted conn"], 3);
        assert_eq!(last["max active processes"], 1);
    }
    assert_eq!(fpm.get("/quick.php")?.text(), "quick");
    Ok(())
}

#[test]
fn counters_survive_a_reload() -> Result {
    let fpm = daemon(2).start()?;
    for _ in 0..10 {
        fpm.get("/quick.php")?;
    }
    let before = status_when(&fpm, |status| status["accepted conn"] == 10)?;
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log().wait_for_nth("ready to handle connections", 2)?;
    fpm.get("/quick.php")?;
    // What an outgoing worker has served counts when it has gone.
    let accepted = match under()? {
        Under::Fpmd => 11,
        Under::Original => 1,
    };
    let after = status_when(&fpm, |status| status["accepted conn"] == accepted)?;
    if under()? == Under::Fpmd {
        assert_eq!(after["start time"], before["start time"]);
    }
    Ok(())
}
