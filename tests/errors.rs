//! Scripts that fail: what the client sees, what the log says, and that the next request is served as if nothing had been.

use fpmd_tests::{Answer, Daemon, Fpm, PhpVersion, Result, Subject};

/// A daemon whose PHP shows errors as plain text, with a script that says all is well and one that fails.
fn failing(statements: &str) -> Daemon {
    Daemon::new()
        .ini("html_errors=0")
        .ini("log_errors=1")
        .file("t.php", format!("<?php {statements}"))
        .file("well.php", "<?php echo 'well';")
}

/// The answer of a failing script, after making sure that the same worker serves on.
fn failure(daemon: &Daemon) -> Result<Answer> {
    let fpm = daemon.start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(answer)
}

#[test]
fn fatal_error_is_shown_after_what_was_printed() -> Result {
    let answer = failure(&failing(
        "echo 'before'; undefined_function(); echo 'after';",
    ))?;
    let text = answer.text();
    assert!(
        text.starts_with(
            "before\nFatal error: Uncaught Error: Call to undefined function undefined_function()"
        ),
        "{text}"
    );
    assert!(!text.contains("after"), "{text}");
    assert_eq!(answer.end, Some((0, 0)));
    Ok(())
}

#[test]
fn hidden_fatal_error_is_a_500() -> Result {
    let answer = failure(&failing("throw new Exception('secret');").ini("display_errors=0"))?;
    assert_eq!((answer.status, &*answer.text()), (500, ""));
    assert!(
        answer
            .stderr
            .starts_with("PHP message: PHP Fatal error:  Uncaught Exception: secret in "),
        "{}",
        answer.stderr
    );
    Ok(())
}

#[test]
fn hidden_fatal_error_after_output_keeps_the_status() -> Result {
    let answer = failure(
        &failing("echo 'x'; flush(); throw new Exception('secret');").ini("display_errors=0"),
    )?;
    assert_eq!((answer.status, &*answer.text()), (200, "x"));
    Ok(())
}

#[test]
fn parse_error_names_file_and_line() -> Result {
    let answer = failure(&failing("\n\nif (;"))?;
    let text = answer.text();
    assert!(
        text.contains("Parse error: ") && text.contains("t.php on line 3"),
        "{text}"
    );
    Ok(())
}

#[test]
fn memory_limit_ends_the_request_only() -> Result {
    let daemon = failing(
        "register_shutdown_function(fn() => print('shutdown')); $all = []; while (true) $all[] = str_repeat('x', 100000);",
    );
    let text = failure(&daemon.ini("memory_limit=8M"))?.text();
    assert!(
        text.contains("Fatal error: Allowed memory size of 8388608 bytes exhausted"),
        "{text}"
    );
    assert!(text.ends_with("shutdown"), "{text}");
    Ok(())
}

#[test]
fn execution_time_limit_ends_the_request_only() -> Result {
    let daemon = failing(
        "register_shutdown_function(fn() => print('shutdown')); set_time_limit(1); while (true);",
    );
    let text = failure(&daemon)?.text();
    assert!(
        text.contains("Fatal error: Maximum execution time of 1 second exceeded"),
        "{text}"
    );
    assert!(text.ends_with("shutdown"), "{text}");
    Ok(())
}

#[test]
fn time_limit_of_php_ini_counts_computing_not_waiting() -> Result {
    let daemon = failing("usleep(1300000); echo 'slept';").ini("max_execution_time=1");
    assert_eq!(failure(&daemon)?.text(), "slept");
    Ok(())
}

#[test]
fn hard_time_limit_ends_the_worker() -> Result {
    let daemon = failing("hash_pbkdf2('sha512', 'x', 'y', 1000000000);")
        .ini("max_execution_time=1")
        .ini("hard_timeout=1")
        .pool("catch_workers_output = yes");
    let fpm = daemon.start()?;
    let mut connection = fpm.begin(&fpm.request("/t.php"))?;
    // PHP looks for its own limit between two statements only; this one statement takes minutes.
    let said = fpm
        .log()
        .wait_for("Maximum execution time of 1+1 seconds exceeded (terminated)")?;
    assert!(said.contains("t.php on line 1"), "{said}");
    fpm.log().wait_for("exited with code 124")?;
    let records = connection.wait_for_close()?;
    assert!(
        records
            .iter()
            .all(|record| record.kind != fcgi_proto::record::RecordType::EndRequest)
    );
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn endless_recursion_costs_no_more_than_one_worker() -> Result {
    let fpm = failing("function f($x) { return g($x); } function g($x) { return preg_replace_callback('/./', fn($m) => f($m[0]), $x); } f('x');")
        .ini("memory_limit=-1")
        .start()?;
    let outcome = fpm.get("/t.php");
    if Subject::from_environment()?.php() >= PhpVersion(8, 4) {
        let text = outcome?.text();
        assert!(text.contains("Maximum call stack size of"), "{text}");
        assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    } else {
        assert!(outcome.is_err(), "{outcome:?}");
        let line = fpm.log().wait_for("exited on signal 11 (SIGSEGV")?;
        assert!(line.contains("WARNING: [pool www] child "), "{line}");
    }
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn exit_prints_its_text_and_runs_what_is_left() -> Result {
    let script = "register_shutdown_function(fn() => print('shutdown '));
        class D { function __destruct() { echo 'destructor'; } } $d = new D; ob_start(); echo 'buffered '; exit('text ');";
    assert_eq!(
        failure(&failing(script))?.text(),
        "buffered text shutdown destructor"
    );
    Ok(())
}

#[test]
fn exit_status_does_not_reach_the_web_server() -> Result {
    let answer = failure(&failing("echo 'x'; exit(7);"))?;
    assert_eq!(
        (answer.status, &*answer.text(), answer.end),
        (200, "x", Some((0, 0)))
    );
    Ok(())
}

#[test]
fn exception_handler_and_error_handler_are_called() -> Result {
    let script = "set_error_handler(fn($n, $text) => print(\"[$text]\")); set_exception_handler(fn($e) => print('{' . $e->getMessage() . '}'));
        echo $undefined; throw new Exception('thrown');";
    assert_eq!(
        failure(&failing(script))?.text(),
        "[Undefined variable $undefined]{thrown}"
    );
    Ok(())
}

#[test]
fn failure_in_a_shutdown_function_is_one_more_error() -> Result {
    let text = failure(&failing("register_shutdown_function(fn() => none()); register_shutdown_function(fn() => print('never')); echo 'x';"))?.text();
    assert!(
        text.starts_with("x\nFatal error: Uncaught Error: Call to undefined function none()"),
        "{text}"
    );
    Ok(())
}

#[test]
fn failure_in_an_output_callback_is_survived() -> Result {
    let answer = failure(&failing(
        "ob_start(function ($s) { throw new Exception('in the buffer'); }); echo 'x';",
    ))?;
    assert_eq!(answer.body, b"");
    Ok(())
}

#[test]
fn error_header_replaces_the_status_of_a_failed_script() -> Result {
    let daemon = failing("echo 'x'; none();")
        .ini("fastcgi.error_header=HTTP/1.1 550 PHP Error")
        .ini("output_buffering=4096");
    let answer = failure(&daemon)?;
    assert_eq!(answer.header("Status"), Some("550 PHP Error"));
    Ok(())
}

#[test]
fn error_header_is_not_used_after_a_good_script() -> Result {
    let fpm = failing("none();")
        .ini("fastcgi.error_header=HTTP/1.1 550 PHP Error")
        .ini("output_buffering=4096")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.status, 550);
    assert_eq!(fpm.get("/well.php")?.status, 200);
    Ok(())
}

#[test]
fn logged_errors_reach_the_web_server_and_the_log() -> Result {
    let daemon = failing("trigger_error('watch out', E_USER_WARNING); error_log('by hand');")
        .ini("display_errors=0")
        .pool("catch_workers_output = yes");
    let fpm = daemon.start()?;
    let answer = fpm.get("/t.php")?;
    assert!(
        answer
            .stderr
            .starts_with("PHP message: PHP Warning:  watch out in "),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.ends_with("; PHP message: by hand"),
        "{}",
        answer.stderr
    );
    let line = fpm.log().wait_for("PHP message: PHP Warning:  watch out")?;
    assert!(
        line.contains("WARNING: [pool www] child ")
            && line.contains(" said into stderr: \"NOTICE: PHP message: PHP Warning"),
        "{line}"
    );
    Ok(())
}

#[test]
fn errors_go_to_a_file_when_php_ini_names_one() -> Result {
    let fpm = failing("error_log('to the file');")
        .ini("error_log={dir}/var/php.log")
        .start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(answer.stderr, "");
    let logged = std::fs::read_to_string(fpm.site().path("var/php.log"))?;
    assert!(logged.ends_with("] to the file\n"), "{logged}");
    Ok(())
}

#[test]
fn script_may_change_what_is_shown() -> Result {
    let answer = failure(&failing(
        "ini_set('display_errors', '0'); error_reporting(0); echo $undefined, 'x';",
    ))?;
    assert_eq!((&*answer.text(), &*answer.stderr), ("x", ""));
    assert_eq!(
        ini_after(&failing("ini_set('precision', '3'); set_time_limit(77);"))?,
        "14 0"
    );
    Ok(())
}

/// `precision` and `max_execution_time` as the request after a failing one sees them.
fn ini_after(daemon: &Daemon) -> Result<String> {
    let fpm = daemon
        .clone()
        .ini("max_execution_time=0")
        .file(
            "see.php",
            "<?php echo ini_get('precision'), ' ', ini_get('max_execution_time');",
        )
        .start()?;
    fpm.get("/t.php")?;
    Ok(fpm.get("/see.php")?.text())
}

#[test]
fn terminate_timeout_is_not_hit_by_a_quick_script() -> Result {
    let fpm = failing("echo 'quick';")
        .pool("request_terminate_timeout = 30s")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "quick");
    Ok(())
}

#[test]
fn thousand_failures_leave_the_worker_in_order() -> Result {
    let fpm: Fpm = failing("$GLOBALS['x'] = str_repeat('x', 100000); ob_start(); echo 'y'; throw new Exception(str_repeat('z', 1000));")
        .file("see.php", "<?php echo memory_get_usage() < 2000000 ? 'small' : memory_get_usage(), ob_get_level(), isset($x) ? 'leak' : '';")
        .start()?;
    for _ in 0..1000 {
        fpm.get("/t.php")?;
    }
    assert_eq!(fpm.get("/see.php")?.text(), "small0");
    Ok(())
}
