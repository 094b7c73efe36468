//! How many workers there are: growth, shrinking, limits, and what is said about them.

use std::fs;
use std::time::{Duration, Instant};

use fpmd_tests::{Connection, Daemon, Fpm, Process, Result, Under, under, wait_until};
use nix::sys::signal::Signal;

/// Runs until the test makes a file; says first which worker it is.
const HOLD: &str = "<?php echo getmypid(), ';'; flush();
    while (!file_exists(__DIR__ . '/../var/' . ($_GET['until'] ?? 'go'))) { usleep(5000); clearstatcache(); }
    echo 'done';";

fn daemon(pool: &str) -> Daemon {
    Daemon::new()
        .file("hold.php", HOLD)
        .file("pid.php", "<?php echo getmypid();")
        .pool("pm.status_path = /status")
        .pool(pool)
}

/// Begins so many requests that run until [`release`].
fn hold(fpm: &Fpm, count: usize) -> Result<Vec<Connection>> {
    (0..count)
        .map(|_| fpm.begin(&fpm.request("/hold.php")))
        .collect()
}

fn release(fpm: &Fpm, held: Vec<Connection>) -> Result {
    fs::write(fpm.site().var().join("go"), "")?;
    for mut connection in held {
        assert!(connection.answer()?.text().ends_with("done"));
    }
    Ok(())
}

/// A line of the status page.
fn status(fpm: &Fpm, name: &str) -> Result<u32> {
    let page = fpm.status_page("")?.text();
    let line = page.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim())
    });
    Ok(line.unwrap_or_default().parse()?)
}

#[test]
fn connections_that_arrive_together_at_an_ondemand_pool_get_a_worker_each() -> Result {
    let fpm = daemon("pm = ondemand\npm.max_children = 60").start()?;
    // So the kernel tells the master of all of them at once.
    fpm.signal(Signal::SIGSTOP)?;
    let mut held = hold(&fpm, 50)?;
    fpm.signal(Signal::SIGCONT)?;
    held[0].output_until(";")?;
    match under()? {
        Under::Fpmd => {
            for connection in &mut held[1..] {
                connection.output_until(";")?;
            }
        }
        // One worker serves them one after the other.
        Under::Original => assert!(held[49].is_silent_for(Duration::from_millis(500))?),
    }
    release(&fpm, held)?;
    let most = status(&fpm, "max active processes")?;
    match under()? {
        Under::Fpmd => assert_eq!(most, 50),
        // Sometimes it counts its only worker twice.
        Under::Original => assert!(most <= 2, "{most}"),
    }
    Ok(())
}

#[test]
fn kept_connection_keeps_no_other_client_waiting() -> Result {
    for pool in [
        "pm = ondemand\npm.max_children = 5",
        "pm = dynamic\npm.max_children = 5\npm.start_servers = 1\npm.min_spare_servers = 1\npm.max_spare_servers = 2",
    ] {
        let fpm = daemon(pool).start()?;
        let mut kept = Vec::new();
        for _ in 0..3 {
            let mut connection = fpm.begin(&fpm.request("/pid.php").keep_connection())?;
            connection.answer()?;
            kept.push(connection);
        }
        fpm.get("/pid.php")?;
    }
    Ok(())
}

#[test]
fn silent_connection_keeps_no_other_client_waiting_at_an_ondemand_pool() -> Result {
    let fpm = daemon("pm = ondemand\npm.max_children = 5").start()?;
    fpm.get("/pid.php")?;
    // The worker waits five seconds for its first byte.
    let _silent = fpm.connect()?;
    let begun = Instant::now();
    fpm.get("/pid.php")?;
    // With the original it depends on whether the worker was idle already when the silent client came.
    assert!(begun.elapsed() < Duration::from_secs(2) || under()? == Under::Original);
    Ok(())
}

#[test]
fn idle_workers_of_an_ondemand_pool_time_out() -> Result {
    let fpm = daemon("pm = ondemand\npm.max_children = 5\npm.process_idle_timeout = 1s").start()?;
    let (mut held, mut workers) = (Vec::new(), Vec::new());
    // The original forks for one at a time.
    for _ in 0..3 {
        let mut connection = fpm.begin(&fpm.request("/hold.php"))?;
        let said = connection.output_until(";")?;
        let pid = said.trim_end_matches(';').rsplit('\n').next();
        workers.push(Process::of(pid.unwrap_or_default().parse()?)?);
        held.push(connection);
    }
    release(&fpm, held)?;
    for worker in workers {
        worker.wait_for_end()?;
    }
    // The original may take the worker that has just ended for one that will serve this, and nobody does.
    if under()? == Under::Fpmd {
        assert_eq!(status(&fpm, "total processes")?, 1, "the page's own");
    }
    // What it was meant to do is not worth a line.
    assert_eq!(fpm.log().lines_with("child"), Vec::<String>::new());
    Ok(())
}

#[test]
fn full_ondemand_pool_says_so_once_and_counts_it() -> Result {
    let fpm = daemon("pm = ondemand\npm.max_children = 2").start()?;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = fpm.begin(&fpm.request("/hold.php"))?;
        connection.output_until(";")?;
        held.push(connection);
    }
    let said = "WARNING: [pool www] server reached max_children setting (2), consider raising it";
    held.push(fpm.begin(&fpm.request("/hold.php"))?);
    fpm.log().wait_for(said)?;
    held.push(fpm.begin(&fpm.request("/hold.php"))?);
    release(&fpm, held)?;
    assert_eq!(status(&fpm, "max children reached")?, 1);
    assert_eq!(fpm.log().lines_with(said).len(), 1);
    Ok(())
}

#[test]
fn full_ondemand_pool_with_an_idle_worker_is_no_reason_to_complain() -> Result {
    let fpm = daemon("pm = ondemand\npm.max_children = 1").start()?;
    for _ in 0..3 {
        fpm.get("/pid.php")?;
    }
    // The original complains when its master looks before the worker has accepted, which is a race of the two.
    let most = match under()? {
        Under::Fpmd => 0,
        Under::Original => 1,
    };
    assert!(status(&fpm, "max children reached")? <= most);
    Ok(())
}

#[test]
fn dynamic_pool_grows_with_its_load_and_shrinks_again() -> Result {
    let fpm = daemon(
        "pm = dynamic\npm.max_children = 8\npm.start_servers = 2\npm.min_spare_servers = 2\npm.max_spare_servers = 3",
    )
    .start()?;
    let total = || status(&fpm, "total processes");
    wait_until("there are two at the start", || Ok(total()? >= 2))?;
    let held = hold(&fpm, 4)?;
    wait_until("two wait beside the four", || Ok(total()? >= 6))?;
    release(&fpm, held)?;
    wait_until("no more than three stay", || Ok(total()? <= 3))?;
    assert!(status(&fpm, "idle processes")? >= 1);
    assert_eq!(fpm.log().lines_with("reached"), Vec::<String>::new());
    Ok(())
}

#[test]
fn full_dynamic_pool_says_so_once_and_counts_it() -> Result {
    let fpm = daemon(
        "pm = dynamic\npm.max_children = 3\npm.start_servers = 1\npm.min_spare_servers = 1\npm.max_spare_servers = 2",
    )
    .start()?;
    let held = hold(&fpm, 4)?;
    let said =
        "WARNING: [pool www] server reached pm.max_children setting (3), consider raising it";
    fpm.log().wait_for(said)?;
    release(&fpm, held)?;
    assert_eq!(status(&fpm, "max children reached")?, 1);
    assert_eq!(fpm.log().lines_with(said).len(), 1);
    Ok(())
}

#[test]
fn dynamic_pool_that_is_short_of_workers_for_long_warns() -> Result {
    let fpm = daemon(
        "pm = dynamic\npm.max_children = 64\npm.start_servers = 16\npm.min_spare_servers = 16\npm.max_spare_servers = 20",
    )
    .start()?;
    let held = hold(&fpm, 40)?;
    fpm.log().wait_for(
        "WARNING: [pool www] seems busy (you may need to increase pm.start_servers, or pm.min/max_spare_servers), \
         spawning 8 children, there are 0 idle, and ",
    )?;
    release(&fpm, held)
}

#[test]
fn rate_of_forking_has_its_limit() -> Result {
    let fpm = daemon(
        "pm = dynamic\npm.max_children = 20\npm.start_servers = 8\npm.min_spare_servers = 8\npm.max_spare_servers = 10
         pm.max_spawn_rate = 2",
    )
    .global("log_level = debug")
    .start()?;
    let held = hold(&fpm, 12)?;
    let said = "child(ren) have been created dynamically";
    fpm.log().wait_for_nth(said, 4)?;
    release(&fpm, held)?;
    let forked: Vec<u32> = fpm
        .log()
        .lines_with(said)
        .iter()
        .filter_map(|line| {
            line.split("[pool www] ")
                .nth(1)?
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    // On a busy machine it may have begun anew.
    assert!(forked.iter().all(|count| *count <= 2), "{forked:?}");
    assert!(forked.contains(&2), "{forked:?}");
    Ok(())
}

#[test]
fn all_pools_together_have_no_more_than_process_max() -> Result {
    let fpm = daemon("pm.max_children = 5")
        .global("process.max = 4")
        .other_pool("other", "pm = ondemand\npm.max_children = 5")
        .start()?;
    let said = "WARNING: The maximum number of processes has been reached. \
                Please review your configuration and consider raising 'process.max'";
    fpm.log().wait_for(said)?;
    let held = hold(&fpm, 3)?;
    // Those of the original count from their first look at the socket on.
    while status(&fpm, "total processes")? < 4 {}
    let mut waiting = fpm.begin(&fpm.request("/hold.php"))?;
    release(&fpm, held)?;
    waiting.answer()?;
    fpm.wait_for_processes("php-fpm: pool", 4)?;
    Ok(())
}

#[test]
fn pool_of_no_fixed_size_is_made_as_large_as_the_memory_allows() -> Result {
    let daemon = daemon("pm.max_children = auto 1-3\npm.memory_reserve = 10%");
    if under()? == Under::Original {
        let refusal = daemon.start_in_vain()?;
        assert!(refusal.output.contains("pm.max_children"), "{refusal:?}");
        return Ok(());
    }
    let fpm = daemon.start()?;
    assert_eq!(status(&fpm, "total processes")?, 1);
    // The page itself is a request, so there is something to measure.
    let line = fpm
        .log()
        .wait_for("pm.max_children is 2 now, it was 1: (")?;
    assert!(line.contains("NOTICE: [pool www] "), "{line}");
    assert!(line.contains(" / 1 pool(s) / "), "{line}");
    fpm.log()
        .wait_for("pm.max_children is 3 now, it was 2: (")?;
    wait_until("there are three", || {
        Ok(status(&fpm, "total processes")? == 3)
    })
}
