//! Pools with more idle workers than processors. Of fpmd's not all wait for clients; no client may notice that.
//!
//! The daemon has one processor here, wherever the tests run, so that most workers stand by.

use std::fs;
use std::thread;

use fpmd_tests::{Daemon, Fpm, Process, Result, Subject, Under, under, wait_until};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

const WORKERS: u32 = 8;

/// Says `begun`, waits for the file that its query names, and says `done`.
const WAIT: &str = "<?php
    echo 'begun '; flush();
    while (!file_exists(__DIR__ . '/../var/' . $_GET['until'])) { usleep(1000); clearstatcache(); }
    echo 'done';";

fn daemon() -> Daemon {
    Daemon::new()
        .workers(WORKERS)
        .file("wait.php", WAIT)
        .file("pid.php", "<?php echo getmypid();")
        .pool("pm.status_path = /status")
}

/// Starts a daemon that has one processor, with all its workers.
fn start(daemon: &Daemon) -> Result<Fpm> {
    let fpm = thread::scope(|scope| {
        let starter = scope.spawn(|| {
            // The first one that this thread may use, which its children inherit.
            let mine = Pid::from_raw(0);
            let allowed = sched_getaffinity(mine)?;
            let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true));
            let mut one = CpuSet::new();
            one.set(first.unwrap_or_default())?;
            sched_setaffinity(mine, &one)?;
            daemon.start()
        });
        starter
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    wait_for_all(&fpm)?;
    Ok(fpm)
}

/// Waits until all workers are there and all but the one that shows the page are idle.
fn wait_for_all(fpm: &Fpm) -> Result {
    wait_until("all workers are idle", || {
        let page: serde_json::Value = serde_json::from_slice(&fpm.status_page("?json")?.body)?;
        Ok(page["idle processes"] == WORKERS - 1)
    })
}

/// The worker that answers.
fn answering(fpm: &Fpm) -> Result<Process> {
    Process::of(fpm.get("/pid.php")?.text().parse()?)
}

/// Kills workers; they are gone then. One that is only about to be may still be woken for a client.
fn kill(workers: &[Process]) -> Result {
    for worker in workers {
        worker.signal(Signal::SIGKILL)?;
    }
    workers.iter().try_for_each(Process::wait_for_end)
}

/// Has every worker run a script at the same time; `round` is a name that has not been used.
fn all_are_needed(fpm: &Fpm, round: &str) -> Result {
    let request = fpm.request(&format!("/wait.php?until={round}"));
    let running: Result<Vec<_>> = (0..WORKERS).map(|_| fpm.begin(&request)).collect();
    let mut running = running?;
    for connection in &mut running {
        connection.output_until("begun ")?;
    }
    fs::write(fpm.site().var().join(round), "")?;
    for connection in &mut running {
        assert_eq!(connection.answer()?.body, b"done");
    }
    Ok(())
}

#[test]
fn all_of_them_work_when_there_are_clients_for_all() -> Result {
    let fpm = start(&daemon())?;
    for round in 0..10 {
        all_are_needed(&fpm, &format!("round{round}"))?;
        // Some of them are idle, and some at work.
        for _ in 0..20 {
            answering(&fpm)?;
        }
    }
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

/// How many sets of descriptors a worker waits for: one for clients, and one while it stands by.
fn sets(fpm: &Fpm) -> Result<usize> {
    let files = answering(fpm)?.open_files()?;
    Ok(files
        .iter()
        .filter(|file| file.contains("[eventpoll]"))
        .count())
}

#[test]
fn workers_stand_by_unless_they_are_few_or_bound_to_processors() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    assert_eq!(sets(&start(&daemon())?)?, 2);
    assert_eq!(sets(&daemon().workers(3).start()?)?, 1);
    let bound = daemon().pool("process.cpu_affinity = auto");
    assert_eq!(sets(&start(&bound)?)?, 1);
    Ok(())
}

#[test]
fn others_take_the_places_of_those_that_are_killed() -> Result {
    let fpm = start(&daemon())?;
    for round in 0..3 {
        // One after the other, those whose turn it is.
        for _ in 0..WORKERS {
            kill(&[answering(&fpm)?])?;
        }
        answering(&fpm)?;
        wait_for_all(&fpm)?;
        // All at once.
        kill(&fpm.processes("php-fpm: pool www")?)?;
        all_are_needed(&fpm, &format!("round{round}"))?;
    }
    Ok(())
}

#[test]
fn one_that_is_stopped_keeps_nobody_waiting() -> Result {
    let fpm = start(&daemon())?;
    let stopped = answering(&fpm)?;
    stopped.stop()?;
    let request = fpm.request("/wait.php?until=go");
    let mut running = Vec::new();
    for _ in 0..WORKERS - 1 {
        let mut connection = fpm.begin(&request)?;
        connection.output_until("begun ")?;
        running.push(connection);
    }
    fs::write(fpm.site().var().join("go"), "")?;
    for mut connection in running {
        assert_eq!(connection.answer()?.body, b"done");
    }
    stopped.signal(Signal::SIGCONT)?;
    Ok(())
}

#[test]
fn those_whose_zygote_is_dead_wait_for_clients_themselves() -> Result {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let preload = "opcache.preload = {dir}/www/preload.php\nopcache.preload_user = www-data";
    let daemon = daemon()
        .file("preload.php", "<?php")
        .php_ini(&format!("opcache.enable = 1\n{preload}"))
        .ini(&format!("zend_extension={}", opcache.display()));
    let fpm = start(&daemon)?;
    if under()? == Under::Original {
        // Its workers' parent is the daemon.
        return Ok(());
    }
    let zygote = Process::of(answering(&fpm)?.parent()?)?;
    fs::write(fpm.site().root().join("preload.php"), "<?php undefined();")?;
    zygote.signal(Signal::SIGKILL)?;
    fpm.log().wait_for("next attempt to start a zygote")?;
    for _ in 0..WORKERS - 1 {
        kill(&[answering(&fpm)?])?;
    }
    answering(&fpm)?;
    Ok(())
}
