//! Orders at the control socket: pools without workers for a while, more or fewer workers, logs, the end.

use std::fs;
use std::thread;
use std::time::Duration;

use fpmd_tests::control::{run, start, status, status_when};
use fpmd_tests::{Daemon, Fpm, Gate, Load, Process, Result};
use nix::sys::signal::Signal;
use serde_json::Value;

#[test]
fn a_pool_is_drained_and_resumed_and_nobody_is_lost() -> Result {
    let daemon = Daemon::echo()
        .workers(3)
        .other_pool("api", "pm.max_children = 1");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let others = workers(&fpm, 1)?;
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(4);
    let ((), report) = load.during(|running| {
        for _ in 0..3 {
            running.wait_for_answers(20)?;
            let (code, _, complaint) = run(&fpm, "drain www")?;
            assert_eq!(code, 0, "{complaint}");
            assert_eq!(fpm.processes("php-fpm: pool www")?.len(), 0);
            let status = status(&fpm)?;
            assert_eq!(status["pools"][0]["drained"], true);
            assert_eq!(status["pools"][1]["drained"], false);
            assert_eq!(run(&fpm, "resume www")?.0, 0);
        }
        running.wait_for_answers(20)
    })?;
    report.all_good()?;
    assert_eq!(workers(&fpm, 1)?, others, "the other pool is left alone");
    let (code, _, complaint) = run(&fpm, "drain nobody")?;
    assert!(
        code == 1 && complaint.contains("there is no pool nobody"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn a_drain_waits_for_the_requests_that_run_and_a_reload_ends_it() -> Result {
    let daemon = Daemon::echo().file("wait.php", Gate::SCRIPT);
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    let (code, _, complaint) = run(&fpm, "drain www --timeout 1")?;
    assert!(
        code == 4 && complaint.contains("no answer in time"),
        "{complaint}"
    );
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    drop(running);
    assert_eq!(run(&fpm, "drain www")?.0, 0);
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    assert_eq!(status(&fpm)?["pools"][0]["listen_queue"], 1);
    assert_eq!(run(&fpm, "reload")?.0, 0);
    assert_eq!(waiting.answer()?.body, b"served -");
    Ok(())
}

#[test]
fn max_children_is_set_until_the_next_reload() -> Result {
    let Some(fpm) = start(Daemon::echo().workers(2))? else {
        return Ok(());
    };
    // The order has been given; processes come and go a moment later.
    let workers = |count: usize| {
        let all = |status: &Value| status["pools"][0]["workers"].as_array().map(Vec::len);
        status_when(&fpm, |status| all(status) == Some(count))
    };
    let (code, _, complaint) = run(&fpm, "set www pm.max_children=5")?;
    assert_eq!(code, 0, "{complaint}");
    workers(5)?;
    assert_eq!(status(&fpm)?["pools"][0]["max_children"], 5);
    assert_eq!(run(&fpm, "set www pm.max_children=1")?.0, 0);
    workers(1)?;
    fpm.get("/t.php")?;
    let (code, _, complaint) = run(&fpm, "set www pm.max_children=9")?;
    assert!(
        code == 1 && complaint.contains("can be set to 1 up to 8 here"),
        "{complaint}"
    );
    assert_eq!(run(&fpm, "reload")?.0, 0);
    workers(2)?;
    assert_eq!(status(&fpm)?["pools"][0]["max_children"], 2);
    Ok(())
}

#[test]
fn logs_are_opened_anew() -> Result {
    let daemon = Daemon::echo()
        .logging_to_file()
        .pool("access.log = {dir}/access.log");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let access_log = fpm.site().path("access.log");
    fs::rename(&access_log, fpm.site().path("access.log.1"))?;
    assert_eq!(run(&fpm, "reopen")?.0, 0);
    assert!(access_log.exists());
    fs::remove_file(&access_log)?;
    fs::create_dir(&access_log)?;
    let (code, _, complaint) = run(&fpm, "reopen")?;
    assert!(
        code == 1 && complaint.contains("access.log): Is a directory"),
        "{complaint}"
    );
    fpm.serves_on()
}

#[test]
fn quit_and_stop_are_waited_for() -> Result {
    for (command, answered) in [("quit", true), ("stop", false)] {
        let daemon = Daemon::new().file("wait.php", Gate::SCRIPT);
        let Some(mut fpm) = start(daemon.global("shutdown_on_term = graceful"))? else {
            return Ok(());
        };
        let gate = Gate::new(fpm.site(), "gate")?;
        let mut running = fpm.running("/wait.php")?;
        let (code, _, complaint) = thread::scope(|scope| {
            let ends = scope.spawn(|| run(&fpm, command));
            fpm.log().wait_for(if answered {
                "Finishing ..."
            } else {
                "Terminating ..."
            })?;
            if answered {
                gate.open()?;
            }
            assert_eq!(running.answer().is_ok(), answered, "{command}");
            drop(running);
            ends.join().expect("no panic in there")
        })?;
        assert_eq!(code, 0, "{complaint}");
        assert!(fpm.process().ends_within(Duration::from_secs(1))?);
        assert_eq!(fpm.wait()?.code(), Some(0));
        assert_eq!(run(&fpm, command)?.0, 2, "there is nobody to stop");
    }
    Ok(())
}

/// Who serves the pool at this place of the configuration, once all have said so.
fn workers(fpm: &Fpm, pool: usize) -> Result<Vec<i32>> {
    let pids = |status: &Value| -> Vec<i32> {
        let workers = status["pools"][pool]["workers"].as_array();
        let workers = workers.map(Vec::as_slice).unwrap_or_default().iter();
        let pids = workers.filter_map(|worker| worker["pid"].as_i64());
        pids.filter_map(|pid| pid.try_into().ok()).collect()
    };
    let complete = |status: &Value| {
        let most = status["pools"][pool]["max_children"].as_u64();
        most == Some(pids(status).len() as u64)
    };
    status_when(fpm, complete).map(|status| pids(&status))
}

#[test]
fn a_reload_of_one_pool_leaves_the_others_their_workers() -> Result {
    let daemon = Daemon::echo()
        .workers(3)
        .pool("env[X] = before")
        .other_pool("api", "pm.max_children = 2");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let (kept, replaced) = (workers(&fpm, 0)?, workers(&fpm, 1)?);
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served before").clients(3);
    let ((), report) = load.during(|running| {
        fpm.edit("env[X] = before", "env[X] = after")?;
        fpm.edit("pm.max_children = 2", "pm.max_children = 4")?;
        let (_, text, _) = run(&fpm, "reload --dry-run --pool api")?;
        assert_eq!(
            text,
            "[www] unchanged\n[api] changed\n  pm.max_children: 2 -> 4\n"
        );
        // More often than there may be generations that still have work.
        for generation in 2..9 {
            let (code, text, complaint) = run(&fpm, "reload --pool api")?;
            let expected = format!("generation {generation} serves\n");
            assert_eq!((code, text), (0, expected), "{complaint}");
            assert_eq!(workers(&fpm, 0)?, kept);
            running.wait_for_answers(5)?;
        }
        let api = workers(&fpm, 1)?;
        assert!(
            !api.iter().any(|pid| replaced.contains(pid)),
            "{api:?} {replaced:?}"
        );
        assert_eq!(status(&fpm)?["pools"][1]["max_children"], 4);
        Ok(())
    })?;
    report.all_good()?;
    assert_eq!(status(&fpm)?["pools"][0]["requests"], report.answers);

    // A worker of a pool that was kept ends: the next one is as the pool was.
    Process::of(kept[0])?.signal(Signal::SIGTERM)?;
    fpm.log()
        .wait_for(&format!("child {} exited on signal 15", kept[0]))?;
    for _ in 0..6 {
        assert_eq!(fpm.get("/t.php")?.text(), "served before");
    }
    // Everything is reloaded, and what was before is gone.
    assert_eq!(run(&fpm, "reload")?.0, 0);
    assert_eq!(fpm.get("/t.php")?.text(), "served after");
    status_when(&fpm, |status| {
        status["generations"].as_array().map(Vec::len) == Some(1)
    })?;
    assert_eq!(fpm.processes("php-fpm: zygote")?.len(), 1);
    Ok(())
}

#[test]
fn pools_appear_and_vanish_alone_and_unknown_ones_are_named() -> Result {
    let Some(fpm) = start(Daemon::echo().other_pool("api", ""))? else {
        return Ok(());
    };
    let kept = workers(&fpm, 0)?;
    fpm.edit("[api]", "[new]")?;
    assert_eq!(run(&fpm, "reload --pool new --pool api")?.0, 0);
    let status = status(&fpm)?;
    assert_eq!(
        (&status["pools"][0]["name"], &status["pools"][1]["name"]),
        (&"www".into(), &"new".into())
    );
    assert_eq!(workers(&fpm, 0)?, kept);
    let (code, _, complaint) = run(&fpm, "reload --pool api")?;
    assert!(
        code == 1 && complaint.contains("there is no pool api"),
        "{complaint}"
    );
    fpm.edit("pm = static", "pm = sometimes")?;
    let (code, _, complaint) = run(&fpm, "reload --pool new")?;
    assert!(
        code == 1 && complaint.contains("invalid process manager"),
        "{complaint}"
    );
    assert_eq!(workers(&fpm, 0)?, kept);
    fpm.serves_on()
}
