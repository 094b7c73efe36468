//! Processes that die: what it costs, what is logged, and that the service goes on.

use std::fs;
use std::time::Duration;

use fpmd_tests::{Daemon, Fpm, Gate, Load, Process, Result, Under, under};
use nix::sys::signal::Signal;

fn daemon() -> Daemon {
    Daemon::new()
        .file(
            "crash.php",
            "<?php echo 'lost'; posix_kill(getmypid(), SIGSEGV); echo 'never';",
        )
        .file("wait.php", Gate::SCRIPT)
        .file("pid.php", "<?php echo getmypid();")
        .file(
            "long.php",
            "<?php for (;;) { echo str_repeat('x', 100000); flush(); }",
        )
}

fn worker(fpm: &Fpm) -> Result<Process> {
    Process::of(fpm.get("/pid.php")?.text().parse()?)
}

#[test]
fn crash_costs_one_request_and_one_warning() -> Result {
    let fpm = daemon().start()?;
    let before = worker(&fpm)?.pid();
    assert!(fpm.get("/crash.php").is_err());
    let after = worker(&fpm)?.pid();
    assert_ne!(before, after);
    let line = fpm.log().wait_for("exited")?;
    assert!(
        line.contains(&format!(
            "WARNING: [pool www] child {before} exited on signal 11 (SIGSEGV"
        )),
        "{line}"
    );
    assert!(line.ends_with(" seconds from start"), "{line}");
    let started = fpm.log().wait_for(" started")?;
    assert!(
        started.ends_with(&format!("NOTICE: [pool www] child {after} started")),
        "{started}"
    );
    assert_eq!(fpm.log().lines_with("exited").len(), 1);
    Ok(())
}

#[test]
fn too_many_crashes_bring_a_reload() -> Result {
    let fpm = daemon()
        .global("emergency_restart_threshold = 2\nemergency_restart_interval = 1m")
        .start()?;
    let said = "WARNING: failed processes threshold (2 in 60 sec) is reached, initiating reload";
    // Other ends do not count.
    worker(&fpm)?.signal(Signal::SIGKILL)?;
    fpm.log().wait_for("exited on signal 9 (SIGKILL)")?;
    assert!(fpm.get("/crash.php").is_err());
    fpm.log().wait_for_nth("exited on signal 11 (SIGSEGV", 1)?;
    worker(&fpm)?;
    assert_eq!(fpm.log().lines_with(said), Vec::<String>::new());
    assert!(fpm.get("/crash.php").is_err());
    fpm.log().wait_for(said)?;
    fpm.log().wait_for_nth("ready to handle connections", 2)?;
    worker(&fpm)?;
    assert_eq!(fpm.log().lines_with(said).len(), 1);
    Ok(())
}

#[test]
fn crash_does_not_touch_other_workers() -> Result {
    let fpm = daemon().workers(2).start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    assert!(fpm.get("/crash.php").is_err());
    worker(&fpm)?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    Ok(())
}

#[test]
fn many_crashes_in_a_row_are_all_survived() -> Result {
    let fpm = daemon().workers(2).start()?;
    for round in 1..=30 {
        assert!(fpm.get("/crash.php").is_err());
        fpm.log().wait_for_nth("exited on signal 11", round)?;
        worker(&fpm)?;
    }
    assert_eq!(fpm.log().lines_with("exited").len(), 30);
    fpm.log().wait_for_nth(" started", 30)?;
    Ok(())
}

#[test]
fn worker_killed_at_any_point_is_replaced() -> Result {
    let fpm = daemon().start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let request = fpm.request("/wait.php").bytes();

    let idle = worker(&fpm)?;
    idle.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited on signal 9 (SIGKILL)", 1)?;

    // Only on a kept connection is it certain which worker reads.
    let reading = worker(&fpm)?;
    let mut connection = fpm.begin(&fpm.request("/pid.php").keep_connection())?;
    connection.answer()?;
    connection.send_bytes(&request[..30])?;
    reading.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited on signal 9 (SIGKILL)", 2)?;
    assert!(connection.answer().is_err());
    drop(connection);

    let running = worker(&fpm)?;
    let mut connection = fpm.running("/wait.php")?;
    running.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited on signal 9 (SIGKILL)", 3)?;
    assert!(connection.answer().is_err());
    drop(connection);

    let writing = worker(&fpm)?;
    let mut connection = fpm.begin(&fpm.request("/long.php"))?;
    connection.output_until("xxx")?;
    writing.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited on signal 9 (SIGKILL)", 4)?;
    drop(connection);

    let waiting = worker(&fpm)?;
    let mut connection = fpm.begin(&fpm.request("/pid.php").keep_connection())?;
    assert_eq!(connection.answer()?.text(), waiting.pid().to_string());
    waiting.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited on signal 9 (SIGKILL)", 5)?;
    assert!(connection.wait_for_close()?.is_empty());

    worker(&fpm)?;
    assert_eq!(fpm.log().lines_with("exited").len(), 5);
    Ok(())
}

#[test]
fn stopped_worker_is_not_taken_for_dead() -> Result {
    let fpm = daemon().workers(2).start()?;
    let stopped = worker(&fpm)?;
    stopped.signal(Signal::SIGSTOP)?;
    stopped.signal(Signal::SIGCONT)?;
    for _ in 0..10 {
        worker(&fpm)?;
    }
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

#[test]
fn death_of_the_zygote_is_not_noticed_by_clients() -> Result {
    let fpm = daemon().workers(2).start()?;
    let parent = Process::of(worker(&fpm)?.parent()?)?;
    if under()? == Under::Original {
        assert_eq!(parent.pid(), fpm.process().pid());
        return Ok(());
    }
    let zygote = parent;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    zygote.signal(Signal::SIGKILL)?;
    zygote.wait_for_end()?;
    for _ in 0..20 {
        worker(&fpm)?;
    }
    fpm.log().wait_for("zygote")?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    drop(running);
    // A worker forked from now on has a new zygote behind it.
    assert!(fpm.get("/crash.php").is_err());
    fpm.log().wait_for("exited on signal 11")?;
    worker(&fpm)?;
    Ok(())
}

#[test]
fn zygote_may_die_again_and_again() -> Result {
    let fpm = daemon().workers(2).start()?;
    if under()? == Under::Original {
        return Ok(());
    }
    let master = fpm.process().pid();
    for _ in 0..10 {
        let zygote = fpm
            .processes("php-fpm: zygote process")?
            .into_iter()
            .find(|process| process.parent().is_ok_and(|parent| parent == master));
        if let Some(zygote) = zygote {
            zygote.signal(Signal::SIGKILL)?;
            zygote.wait_for_end()?;
        }
        for _ in 0..5 {
            worker(&fpm)?;
        }
    }
    assert!(fpm.get("/crash.php").is_err());
    worker(&fpm)?;
    Ok(())
}

#[test]
fn pool_whose_workers_cannot_start_recovers_when_they_can() -> Result {
    let folder = tempfile::Builder::new().prefix("fpmd-").tempdir()?;
    let fpm = daemon()
        .pool(&format!("chdir = {}", folder.path().display()))
        .start()?;
    let before = worker(&fpm)?;
    let hidden = folder.path().with_extension("hidden");
    fs::rename(folder.path(), &hidden)?;
    before.signal(Signal::SIGKILL)?;
    fpm.log().wait_for_nth("exited with code 70", 3)?;
    fs::rename(&hidden, folder.path())?;
    worker(&fpm)?;
    let failures = fpm.log().lines_with("exited with code 70").len();
    // The original tries again at once, as often as the machine can; fpmd waits longer and longer.
    assert!(failures < 10 || under()? == Under::Original, "{failures}");
    Ok(())
}

#[test]
fn pool_whose_workers_cannot_start_costs_other_pools_nothing() -> Result {
    let folder = tempfile::Builder::new().prefix("fpmd-").tempdir()?;
    let fpm = Daemon::echo()
        .file("pid.php", "<?php echo getmypid();")
        .other_pool("sick", &format!("chdir = {}", folder.path().display()))
        .start()?;
    let sick = fpm.send_to("sick", &fpm.request("/pid.php"))?.text();
    fs::remove_dir(folder.path())?;
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let (failures, report) = load.during(|running| {
        Process::of(sick.parse()?)?.signal(Signal::SIGKILL)?;
        fpm.log().wait_for_nth("exited with code 70", 2)?;
        running.wait_for_answers(2000)?;
        Ok(fpm.log().lines_with("exited with code 70").len())
    })?;
    report.all_good()?;
    match under()? {
        // After 0.1 seconds, 0.2, 0.4, ...
        Under::Fpmd => assert!(failures < 10, "{failures}"),
        Under::Original => assert!(failures > 10, "{failures}"),
    }
    Ok(())
}

#[test]
fn workers_outlive_a_killed_master_only_for_the_request_they_serve() -> Result {
    let mut fpm = daemon().workers(2).start()?;
    let mut running = Vec::new();
    for name in ["one", "other"] {
        let gate = Gate::new(fpm.site(), name)?;
        running.push((gate, fpm.running(&format!("/wait.php?gate={name}"))?));
    }
    let workers = fpm.processes("php-fpm: pool www")?;
    assert_eq!(workers.len(), 2);
    let zygote = Process::of(workers[0].parent()?)?;
    fpm.signal(Signal::SIGKILL)?;
    fpm.wait()?;
    for (gate, mut connection) in running {
        gate.open()?;
        assert_eq!(connection.answer()?.body, b"done");
    }
    match under()? {
        Under::Fpmd => {
            for process in &workers {
                process.wait_for_end()?;
            }
            zygote.wait_for_end()?;
        }
        Under::Original => {
            // Orphans serve on until somebody kills them.
            worker(&fpm)?;
            assert!(!workers[0].ends_within(Duration::ZERO)?);
        }
    }
    Ok(())
}
