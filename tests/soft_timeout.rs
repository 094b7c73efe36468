//! `request_soft_timeout`, which only fpmd has: scripts that take too long get PHP's own error, and their workers live on.

use std::fs;

use fpmd_tests::{Answer, Daemon, Fpm, Gate, Request, Result, control, start_own};

/// What PHP says.
const ERROR: &str = "Maximum execution time of 1 second exceeded";

/// What the master says.
const WARNING: &str = "executing longer than request_soft_timeout (1.";

/// Starts a daemon with one worker, whose requests may take a second, and a script `/pid.php` that says who it is.
fn start(daemon: Daemon) -> Result<Option<Fpm>> {
    let daemon = daemon
        .pool("request_soft_timeout = 1s\naccess.log = {dir}/access.log\naccess.format = '%r %s'")
        .file("pid.php", "<?php echo getmypid();");
    start_own(&daemon, "request_soft_timeout")
}

/// Sends a request, and makes sure that the worker serves on. Returns the answer.
fn answer_of(fpm: &Fpm, request: &Request) -> Result<Answer> {
    let pid = fpm.get("/pid.php")?.text();
    let answer = fpm.send(request)?;
    assert_eq!(fpm.get("/pid.php")?.text(), pid);
    Ok(answer)
}

fn access_log(fpm: &Fpm) -> Result<String> {
    Ok(fs::read_to_string(fpm.site().path("access.log"))?)
}

#[test]
fn script_that_takes_too_long_gets_phps_error() -> Result {
    let shut_down = "register_shutdown_function(function () { echo 'shut down'; });";
    let daemon = Daemon::new()
        .ini("log_errors=1")
        .file(
            "busy.php",
            format!("<?php {shut_down} set_time_limit(0); while (true) {{ $i = 1; }}"),
        )
        .file(
            "asleep.php",
            format!("<?php {shut_down} while (true) sleep(600);"),
        )
        .file(
            "waits.php",
            format!("<?php {shut_down} $gate = fopen($_SERVER['GATE'], 'r+'); fread($gate, 1);"),
        );
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let path = gate.path().display().to_string();
    for (nth, script) in [(1, "busy"), (2, "asleep"), (3, "waits")] {
        let request = fpm.request(&format!("/{script}.php?a=b"));
        let answer = answer_of(&fpm, &request.param("GATE", &path))?;
        assert_eq!(answer.status, 504, "{}", answer.head);
        assert!(answer.text().contains(ERROR), "{}", answer.text());
        assert!(answer.text().ends_with("shut down"), "{}", answer.text());
        let message = format!("PHP message: PHP Fatal error:  {ERROR}");
        assert!(answer.stderr.contains(&message), "{}", answer.stderr);
        let line = fpm.log().wait_for_nth(WARNING, nth)?;
        assert!(line.contains("WARNING: [pool www] child "), "{line}");
        assert!(line.contains(&format!(
            "{script}.php' (request: \"GET /{script}.php?a=b\") "
        )));
        assert!(
            line.ends_with(" sec), raising PHP's timeout error"),
            "{line}"
        );
        assert!(access_log(&fpm)?.contains(&format!("/{script}.php 504\n")));
    }
    Ok(())
}

#[test]
fn they_are_counted_and_a_reload_does_not_forget_them() -> Result {
    let daemon = Daemon::echo()
        .pool("request_soft_timeout = 1s")
        .file("asleep.php", "<?php sleep(600);");
    let Some(fpm) = control::start(daemon)? else {
        return Ok(());
    };
    for (times, script) in [(0, "/t.php"), (1, "/asleep.php")] {
        fpm.get(script)?;
        let status = control::status(&fpm)?;
        assert_eq!(status["pools"][0]["soft_timed_out"], times, "{status:#}");
    }
    fpm.reload()?;
    let status = control::status(&fpm)?;
    assert_eq!(status["pools"][0]["soft_timed_out"], 1, "{status:#}");
    let (_, text, _) = control::run(&fpm, "status")?;
    assert!(text.contains("SOFT TIMEOUT"), "{text}");
    Ok(())
}

#[test]
fn answer_that_has_begun_keeps_its_status() -> Result {
    let daemon = Daemon::new()
        .file("begun.php", "<?php echo 'part '; flush(); sleep(600);")
        .file(
            "buffered.php",
            "<?php ob_start(); echo 'part '; sleep(600);",
        )
        .ini("display_errors=0");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    for (script, status) in [("/begun.php", 200), ("/buffered.php", 504)] {
        let answer = answer_of(&fpm, &fpm.request(script))?;
        assert_eq!(
            (answer.status, &*answer.text()),
            (status, "part "),
            "{script}"
        );
    }
    Ok(())
}

#[test]
fn scripts_that_are_in_time_notice_nothing() -> Result {
    let daemon = Daemon::new()
        .file(
            "late.php",
            "<?php echo 'done'; fastcgi_finish_request(); sleep(3); file_put_contents($_SERVER['GATE'], 'end');",
        )
        .file(
            "shuts.php",
            "<?php register_shutdown_function(function () { sleep(2); echo ' done'; }); echo 'script';",
        );
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let path = gate.path().display().to_string();
    let answer = fpm.send(&fpm.request("/late.php").param("GATE", path))?;
    assert_eq!(answer.text(), "done");
    assert_eq!(gate.wait()?, "end");
    assert_eq!(
        answer_of(&fpm, &fpm.request("/shuts.php"))?.text(),
        "script done"
    );
    assert!(fpm.log().lines_with(WARNING).is_empty());
    Ok(())
}

/// Runs a script that does not react, and waits until its worker is ended after both limits.
fn ends_hard(script: &str) -> Result {
    let daemon = Daemon::new()
        .pool("request_terminate_timeout = 3s\nrequest_terminate_timeout_track_finished = yes")
        .file("deaf.php", script);
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let mut client = fpm.begin(&fpm.request("/deaf.php"))?;
    fpm.log().wait_for(WARNING)?;
    fpm.log().wait_for("execution timed out (3.")?;
    client.wait_for_close()?;
    assert_eq!(fpm.log().lines_with(WARNING).len(), 1);
    assert!(!fpm.get("/pid.php")?.text().is_empty());
    Ok(())
}

#[test]
fn worker_that_goes_on_in_a_c_function_is_ended() -> Result {
    ends_hard(
        "<?php $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); fread($pair[0], 1);",
    )
}

#[test]
fn worker_that_goes_on_in_a_shutdown_function_is_ended() -> Result {
    ends_hard(
        "<?php register_shutdown_function(function () { while (true) usleep(1000); }); while (true) { }",
    )
}

#[test]
fn work_after_the_answer_may_be_limited_too() -> Result {
    let daemon = Daemon::new()
        .pool("request_terminate_timeout_track_finished = yes")
        .file(
            "late.php",
            "<?php echo 'done'; fastcgi_finish_request(); sleep(600);",
        );
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    assert_eq!(answer_of(&fpm, &fpm.request("/late.php"))?.text(), "done");
    fpm.log().wait_for(WARNING)?;
    Ok(())
}
