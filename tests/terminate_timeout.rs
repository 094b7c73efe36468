//! `request_terminate_timeout`: who is ended, who is not, and what is left of it.

use std::time::Duration;

use fpmd_tests::{Daemon, Fpm, Gate, Result, Under, under};

/// The daemon with two workers, whose requests may take two seconds.
fn limited() -> Daemon {
    Daemon::echo()
        .workers(2)
        .pool("request_terminate_timeout = 2s")
}

/// Waits until a request of this script has been ended for the `nth` time, and returns what the log says.
fn ended(fpm: &Fpm, nth: usize) -> Result<String> {
    fpm.log().wait_for_nth("execution timed out", nth)
}

#[test]
fn worker_whose_script_takes_too_long_is_ended_and_replaced() -> Result {
    let fpm = limited()
        .file("asleep.php", "<?php sleep(600);")
        .file(
            "busy.php",
            "<?php set_time_limit(0); while (true) { $i = 1; }",
        )
        .start()?;
    for (nth, script) in [(1, "asleep"), (2, "busy")] {
        let mut client = fpm.begin(&fpm.request(&format!("/{script}.php?a=b")))?;
        let line = ended(&fpm, nth)?;
        let request = format!(
            "script '{}/{script}.php' (request: \"GET /{script}.php?a=b\") execution timed out (2.",
            fpm.site().root().display()
        );
        assert!(line.contains("WARNING: [pool www] child "), "{line}");
        assert!(
            line.contains(&request) && line.ends_with(" sec), terminating"),
            "{line}"
        );
        let records = client.wait_for_close()?;
        assert!(records.is_empty(), "{records:?}");
        fpm.log()
            .wait_for_nth("exited on signal 15 (SIGTERM)", nth)?;
        // One of the two workers that were there at first has gone each time.
        for _ in 0..4 {
            assert_eq!(fpm.get("/t.php")?.text(), "served -");
        }
    }
    assert_eq!(fpm.log().lines_with("execution timed out").len(), 2);
    Ok(())
}

#[test]
fn kept_connection_that_rests_is_kept_by_fpmd() -> Result {
    let fpm = limited().start()?;
    let mut kept = fpm.connect()?;
    kept.send(&fpm.request("/t.php").keep_connection())?;
    kept.answer()?;
    match under()? {
        Under::Fpmd => {
            assert!(kept.is_silent_for(Duration::from_secs(4))?);
            kept.send(&fpm.request("/t.php").keep_connection())?;
            assert_eq!(kept.answer()?.text(), "served -");
            assert!(fpm.log().lines_with("execution timed out").is_empty());
        }
        Under::Original => {
            ended(&fpm, 1)?;
            kept.wait_for_close()?;
        }
    }
    Ok(())
}

/// Runs a script that goes on after its answer for longer than the limit, and returns whether it got to its end.
fn gets_to_its_end(daemon: Daemon, script: &str) -> Result<bool> {
    let fpm = daemon
        .file("late.php", script)
        .file("asleep.php", "<?php sleep(600);")
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let path = gate.path().display().to_string();
    let answer = fpm.send(&fpm.request("/late.php").param("GATE", path))?;
    assert_eq!(answer.text(), "done");
    // Two limits later its three seconds are over.
    for nth in [1, 2] {
        let _later = fpm.begin(&fpm.request("/asleep.php"))?;
        fpm.log()
            .wait_for_nth("/asleep.php\") execution timed out", nth)?;
    }
    let ended = !fpm.log().lines_with("/late.php").is_empty();
    let wrote = gate.is_written()?;
    assert!(wrote != ended, "{}", fpm.log().text());
    Ok(wrote)
}

/// Sleeps for longer than the limit, then writes to the gate.
const AFTERWARDS: &str =
    "function late() { sleep(3); file_put_contents($_SERVER['GATE'], 'end'); }";

#[test]
fn what_follows_the_answer_may_take_its_time() -> Result {
    for script in [
        format!("<?php {AFTERWARDS} echo 'done'; fastcgi_finish_request(); late();"),
        format!(
            "<?php {AFTERWARDS} echo 'done'; register_shutdown_function(function () {{ fastcgi_finish_request(); late(); }});"
        ),
    ] {
        assert!(gets_to_its_end(limited(), &script)?, "{script}");
        let tracked = limited().pool("request_terminate_timeout_track_finished = yes");
        assert!(!gets_to_its_end(tracked, &script)?, "{script}");
    }
    Ok(())
}

#[test]
fn script_that_blocks_the_signal_is_killed_by_fpmd() -> Result {
    let fpm = limited()
        .file(
            "deaf.php",
            "<?php pcntl_sigprocmask(SIG_BLOCK, [SIGTERM]); set_time_limit(0); while (true) { $i = 1; }",
        )
        .start()?;
    let mut client = fpm.begin(&fpm.request("/deaf.php"))?;
    match under()? {
        Under::Fpmd => {
            fpm.log().wait_for("exited on signal 9 (SIGKILL)")?;
            client.wait_for_close()?;
        }
        // It goes on sending SIGTERM.
        Under::Original => {
            ended(&fpm, 5)?;
            assert!(fpm.log().lines_with("exited on signal").is_empty());
        }
    }
    Ok(())
}
