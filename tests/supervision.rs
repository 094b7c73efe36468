//! Processes that are killed or stopped in every stage of their work while clients load the pool: who loses what, and that
//! the scoreboard is right afterwards.

use std::fs;
use std::time::Instant;

use anyhow::{Context, ensure};
use fpmd_tests::{
    Connection, Daemon, Fpm, Load, PATIENCE, Process, Result, Running, Under, under, wait_until,
};
use nix::sys::signal::Signal;

/// Five more than the load has clients, so that the load never needs the worker that is disturbed.
const WORKERS: u32 = 7;

/// What a worker is doing when it is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Accepting,
    Resting,
    ReadingHeaders,
    Running,
    Finished,
    ShuttingDown,
}

const STAGES: [Stage; 6] = [
    Stage::Accepting,
    Stage::Resting,
    Stage::ReadingHeaders,
    Stage::Running,
    Stage::Finished,
    Stage::ShuttingDown,
];

/// Waits in the given stage until the test makes the file `go`.
const HOLD: &str = "<?php
    function hold() {
        file_put_contents(__DIR__ . '/../var/held', '');
        while (!file_exists(__DIR__ . '/../var/go')) { usleep(2000); clearstatcache(); }
    }
    echo getmypid(), ';';
    switch ($_GET['stage']) {
        case 'Running': flush(); hold(); break;
        case 'Finished': fastcgi_finish_request(); hold(); break;
        case 'ShuttingDown': flush(); register_shutdown_function('hold'); break;
    }";

/// A worker in a stage, and the connection that keeps it there.
struct Held {
    worker: Process,
    connection: Option<Connection>,
}

fn start() -> Result<Fpm> {
    let fpm = Daemon::echo()
        .file("hold.php", HOLD)
        .file("pid.php", "<?php echo getmypid(), ';';")
        .workers(WORKERS)
        .pool("pm.status_path = /status")
        .start()?;
    wait_for_rest(&fpm)?;
    Ok(fpm)
}

fn load(fpm: &Fpm) -> Load {
    Load::direct(fpm, &fpm.request("/t.php"), "served -").clients(2)
}

/// The number before the first semicolon of a body.
fn pid(output: &str) -> Result<i32> {
    let body = output.rsplit('\n').next().unwrap_or_default();
    Ok(body.trim_end_matches(';').parse()?)
}

fn hold(fpm: &Fpm, stage: Stage) -> Result<Held> {
    for name in ["go", "held"] {
        // It is there from the second time on.
        let _ = fs::remove_file(fpm.site().var().join(name));
    }
    let (mut connection, worker) = match stage {
        Stage::Accepting => return idle(fpm),
        Stage::Resting | Stage::ReadingHeaders => {
            let request = fpm.request("/pid.php").keep_connection();
            let mut connection = fpm.begin(&request)?;
            let worker = pid(&connection.answer()?.text())?;
            if stage == Stage::ReadingHeaders {
                connection.send_bytes(&request.bytes()[..30])?;
            }
            (connection, worker)
        }
        Stage::Running | Stage::Finished | Stage::ShuttingDown => {
            let mut connection = fpm.begin(&fpm.request(&format!("/hold.php?stage={stage:?}")))?;
            let worker = pid(&connection.output_until(";")?)?;
            (connection, worker)
        }
    };
    let connection = match stage {
        // The original waits for its client to close.
        Stage::Finished => {
            connection.wait_for_close()?;
            drop(connection);
            None
        }
        _ => Some(connection),
    };
    if let Stage::Running | Stage::Finished | Stage::ShuttingDown = stage {
        let held = fpm.site().var().join("held");
        wait_until("the script holds", || Ok(held.exists()))?;
    }
    Ok(Held {
        worker: Process::of(worker)?,
        connection,
    })
}

/// The worker that has taken the fewest requests: the kernel prefers others. It is stopped, so that it stays idle.
fn idle(fpm: &Fpm) -> Result<Held> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page: serde_json::Value = serde_json::from_slice(&fpm.status_page("?json&full")?.body)?;
        let processes = page["processes"].as_array().context("no processes")?;
        let idle = processes
            .iter()
            .filter(|process| process["state"] == "Idle");
        let coldest = idle.min_by_key(|process| process["requests"].as_u64());
        // On a busy machine all of them may be at the end of a request.
        if let Some(pid) = coldest.and_then(|process| process["pid"].as_i64()) {
            let worker = Process::of(pid.try_into()?)?;
            worker.stop()?;
            if !has_client(&worker)? {
                return Ok(Held {
                    worker,
                    connection: None,
                });
            }
            worker.signal(Signal::SIGCONT)?;
        }
        ensure!(Instant::now() < deadline, "nobody is idle: {page}");
    }
}

/// Whether a worker has more sockets than the pool's with its relay and the one that the master talks to it on. It may have taken a
/// client without having said so.
fn has_client(worker: &Process) -> Result<bool> {
    let files = worker.open_files()?;
    let sockets = files.iter().filter(|file| file.starts_with("socket:"));
    let own = match under()? {
        Under::Fpmd => 3,
        Under::Original => 2,
    };
    Ok(sockets.count() > own)
}

/// Waits until all workers are there and all but the one that shows the page are idle.
fn wait_for_rest(fpm: &Fpm) -> Result {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page: serde_json::Value = serde_json::from_slice(&fpm.status_page("?json")?.body)?;
        if page["total processes"] == WORKERS && page["idle processes"] == WORKERS - 1 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{page}");
    }
}

/// Does something to a worker in every stage, under a load that must not notice.
fn disturb(with: impl Fn(&Fpm, &Running<'_>, Stage, Held) -> Result) -> Result {
    let fpm = start()?;
    for stage in STAGES {
        // The original spreads its load over all workers: none is idle for sure.
        if stage == Stage::Accepting && under()? == Under::Original {
            continue;
        }
        let ((), report) = load(&fpm).during(|running| {
            running.wait_for_answers(100)?;
            let held = hold(&fpm, stage)?;
            with(&fpm, running, stage, held)?;
            running.wait_for_answers(20)
        })?;
        report.all_good()?;
        wait_for_rest(&fpm)?;
    }
    Ok(())
}

fn kill_with(signal: Signal, said: &str) -> Result {
    disturb(|fpm, _, stage, held| {
        held.worker.signal(signal)?;
        if stage == Stage::Accepting {
            // It was stopped.
            let _ = held.worker.signal(Signal::SIGCONT);
        }
        let line = format!("child {} exited on signal {said}", held.worker.pid());
        fpm.log().wait_for(&line)?;
        if let Some(mut connection) = held.connection {
            assert!(connection.answer().is_err(), "{stage:?}");
        }
        Ok(())
    })
}

#[test]
fn worker_killed_in_any_stage_costs_nobody_else_anything() -> Result {
    kill_with(Signal::SIGKILL, "9 (SIGKILL) after ")
}

#[test]
fn worker_that_crashes_in_any_stage_costs_nobody_else_anything() -> Result {
    kill_with(Signal::SIGSEGV, "11 (SIGSEGV")
}

#[test]
fn worker_stopped_in_any_stage_goes_on_where_it_was() -> Result {
    disturb(|fpm, running, stage, mut held| {
        held.worker.signal(Signal::SIGSTOP)?;
        running.wait_for_answers(100)?;
        fs::write(fpm.site().var().join("go"), "")?;
        held.worker.signal(Signal::SIGCONT)?;
        if let Some(connection) = &mut held.connection {
            match stage {
                Stage::Accepting | Stage::Finished => {}
                Stage::Resting => {
                    connection.send(&fpm.request("/pid.php"))?;
                    assert_eq!(pid(&connection.answer()?.text())?, held.worker.pid());
                }
                Stage::ReadingHeaders => {
                    let request = fpm.request("/pid.php").keep_connection();
                    connection.send_bytes(&request.bytes()[30..])?;
                    assert_eq!(pid(&connection.answer()?.text())?, held.worker.pid());
                }
                Stage::Running | Stage::ShuttingDown => {
                    connection.answer()?;
                }
            }
        }
        assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
        Ok(())
    })
}

/// The process that forks workers; `None` with the original, whose master does.
fn zygote(fpm: &Fpm) -> Result<Option<Process>> {
    let worker = pid(&fpm.get("/pid.php")?.text())?;
    let parent = Process::of(Process::of(worker)?.parent()?)?;
    Ok((parent.pid() != fpm.process().pid()).then_some(parent))
}

#[test]
fn stopped_zygote_is_only_missed_when_a_worker_dies() -> Result {
    let fpm = start()?;
    let Some(zygote) = zygote(&fpm)? else {
        assert_eq!(under()?, Under::Original);
        return Ok(());
    };
    let ((), report) = load(&fpm).during(|running| {
        zygote.signal(Signal::SIGSTOP)?;
        running.wait_for_answers(100)?;
        let held = hold(&fpm, Stage::Running)?;
        held.worker.signal(Signal::SIGKILL)?;
        running.wait_for_answers(100)?;
        zygote.signal(Signal::SIGCONT)?;
        fpm.log().wait_for("exited on signal 9 (SIGKILL)")?;
        running.wait_for_answers(100)
    })?;
    report.all_good()?;
    wait_for_rest(&fpm)?;
    Ok(())
}

#[test]
fn zygote_killed_under_load_is_noticed_by_nobody() -> Result {
    let fpm = start()?;
    let kept = fpm.request("/t.php").keep_connection();
    let ((), report) = Load::direct(&fpm, &kept, "served -")
        .clients(2)
        .during(|running| {
            let Some(zygote) = zygote(&fpm)? else {
                assert_eq!(under()?, Under::Original);
                return Ok(());
            };
            zygote.signal(Signal::SIGKILL)?;
            fpm.log().wait_for("exited on signal 9 (SIGKILL)")?;
            fpm.log().wait_for("of generation 1 started")?;
            running.wait_for_answers(200)
        })?;
    report.all_good()?;
    wait_for_rest(&fpm)
}
