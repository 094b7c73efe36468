//! The queue of the listening socket: how many requests wait there, and what becomes of those that waited in vain.

use std::time::Duration;

use anyhow::{Context, bail};
use fpmd_tests::{
    Address, Connection, Daemon, Fpm, Gate, Process, Result, Subject, Under, control, wait_until,
};
use serde_json::Value;

/// How many requests wait.
const WAITING: usize = 8;

/// One worker, and a status page that answers while it is busy.
fn daemon() -> Daemon {
    Daemon::new()
        .pool(
            "pm.status_path = /status\npm.status_listen = {dir}/status.sock\nlisten.backlog = 100",
        )
        .file("slow.php", Gate::SCRIPT)
}

/// Asks the status page.
fn status(fpm: &Fpm) -> Result<Value> {
    let address = Address::Unix(fpm.site().path("status.sock"));
    serde_json::from_slice(&fpm.status_page_at(&address, "?json")?.body).context("no JSON")
}

fn queue(fpm: &Fpm) -> Result<[i64; 3]> {
    let status = status(fpm)?;
    let number = |field: &str| status[field].as_i64().context("no number");
    Ok([
        number("listen queue")?,
        number("max listen queue")?,
        number("listen queue len")?,
    ])
}

/// Asks until the queue is as expected. php-fpm counts once a second.
fn expect_at_last(fpm: &Fpm, expected: [i64; 3]) -> Result {
    let mut seen = [0; 3];
    for _ in 0..20_000 {
        seen = queue(fpm)?;
        if seen == expected {
            return Ok(());
        }
    }
    bail!("{seen:?} instead of {expected:?}")
}

/// Keeps the only worker busy and lets others wait behind.
fn fill(fpm: &Fpm) -> Result<Vec<Connection>> {
    let mut all = vec![fpm.running("/slow.php")?];
    for _ in 0..WAITING {
        all.push(fpm.begin(&fpm.request("/slow.php"))?);
    }
    Ok(all)
}

fn empty(gate: &Gate, waiting: Vec<Connection>) -> Result {
    for mut connection in waiting {
        gate.open()?;
        assert!(connection.answer()?.text().ends_with("done"));
    }
    Ok(())
}

#[test]
fn requests_that_wait_are_counted() -> Result {
    let under = Subject::from_environment()?.under();
    for (daemon, original_counts) in [(daemon(), false), (daemon().tcp(), true)] {
        let fpm = daemon.start()?;
        let gate = Gate::new(fpm.site(), "gate")?;
        let waiting = fill(&fpm)?;
        match (under, original_counts) {
            // Exact at once.
            (Under::Fpmd, _) => assert_eq!(queue(&fpm)?, [8, 8, 100]),
            (Under::Original, true) => expect_at_last(&fpm, [8, 8, 100])?,
            (Under::Original, false) => assert_eq!(queue(&fpm)?, [0, 0, 0]),
        }
        empty(&gate, waiting)?;
        match (under, original_counts) {
            (Under::Fpmd, _) => assert_eq!(queue(&fpm)?, [0, 8, 100]),
            (Under::Original, true) => expect_at_last(&fpm, [0, 8, 100])?,
            (Under::Original, false) => assert_eq!(queue(&fpm)?, [0, 0, 0]),
        }
    }
    Ok(())
}

#[test]
fn longest_queue_is_known_although_nobody_looked() -> Result {
    let fpm = daemon().start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut waiting = fill(&fpm)?;
    // A worker that was started while the first request came may have found that one in the queue, and counted: it counts once
    // a second.
    assert!(waiting[1].is_silent_for(Duration::from_millis(1100))?);
    empty(&gate, waiting)?;
    let longest = match Subject::from_environment()?.under() {
        // Counted by the worker when it took the first of them.
        Under::Fpmd => 7,
        Under::Original => 0,
    };
    assert_eq!(queue(&fpm)?[1], longest);
    Ok(())
}

/// Keeps the only worker busy and lets two clients wait who were answered before, and whose workers have left.
fn fill_with_known_clients(fpm: &Fpm, gate: &Gate) -> Result<Vec<Connection>> {
    let request = fpm.request("/slow.php");
    let mut known = Vec::new();
    for _ in 0..2 {
        let mut client = fpm.begin(&request.clone().keep_connection())?;
        gate.open()?;
        client.answer()?;
        known.push(client);
        let workers = fpm.processes("php-fpm: pool www")?;
        fpm.reload()?;
        workers.iter().try_for_each(Process::wait_for_end)?;
    }
    let running = fpm.running("/slow.php")?;
    known
        .iter_mut()
        .try_for_each(|client| client.send(&request))?;
    known.insert(0, running);
    Ok(known)
}

#[test]
fn clients_that_have_lost_their_worker_are_counted_when_they_speak() -> Result {
    let Some(fpm) = control::start(daemon())? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut waiting = fill_with_known_clients(&fpm, &gate)?;
    // Who comes through the socket is served before them.
    waiting.insert(1, fpm.begin(&fpm.request("/slow.php"))?);
    // The master has to notice that they speak.
    wait_until("all three are counted", || Ok(queue(&fpm)? == [3, 3, 100]))?;
    let pool = &control::status(&fpm)?["pools"][0];
    for (field, expected) in [
        ("listen_queue", 3),
        ("max_listen_queue", 3),
        ("listen_queue_len", 100),
    ] {
        assert_eq!(pool[field], expected, "{field}");
    }
    empty(&gate, waiting)?;
    assert_eq!(queue(&fpm)?, [0, 3, 100]);
    Ok(())
}

#[test]
fn longest_queue_of_clients_that_have_lost_their_worker_is_known_although_nobody_looked() -> Result
{
    if Subject::from_environment()?.under() == Under::Original {
        return Ok(());
    }
    let fpm = daemon().start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut waiting = fill_with_known_clients(&fpm, &gate)?;
    assert!(waiting[1].is_silent_for(Duration::from_millis(1100))?);
    empty(&gate, waiting)?;
    // Counted by the worker when it took the other one.
    assert_eq!(queue(&fpm)?[1], 1);
    Ok(())
}
