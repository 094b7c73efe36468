//! What runs after the answer: shutdown functions, destructors, `fastcgi_finish_request()`.

use fpmd_tests::{Daemon, Fpm, Gate, Result};

/// Serves a script with `wait()` for the test's word and `report()` to it.
fn serve(statements: &str) -> Result<(Fpm, Gate, Gate)> {
    let fpm = Daemon::new()
        .ini("html_errors=0")
        .file(
            "t.php",
            format!(
                "<?php
                 function wait() {{ fgets(fopen(__DIR__ . '/../var/gate', 'r')); }}
                 function report($text) {{ file_put_contents(__DIR__ . '/../var/report', $text . \"\\n\"); }}
                 {statements}"
            ),
        )
        .file("well.php", "<?php echo 'well';")
        .start()?;
    let (gate, report) = (
        Gate::new(fpm.site(), "gate")?,
        Gate::new(fpm.site(), "report")?,
    );
    Ok((fpm, gate, report))
}

#[test]
fn shutdown_functions_run_in_order_and_print() -> Result {
    let script = "register_shutdown_function(function ($x) { echo $x; register_shutdown_function(fn() => print('c')); }, 'a');
        register_shutdown_function(fn() => print('b')); echo '-';";
    let (fpm, ..) = serve(script)?;
    assert_eq!(fpm.get("/t.php")?.text(), "-abc");
    Ok(())
}

#[test]
fn finished_request_is_answered_while_the_script_goes_on() -> Result {
    let (fpm, gate, report) = serve(
        "echo 'answer'; $r = fastcgi_finish_request(); wait(); report(var_export($r, true) . ' ' . connection_status());",
    )?;
    let mut connection = fpm.begin(&fpm.request("/t.php"))?;
    assert_eq!(connection.answer()?.text(), "answer");
    connection.wait_for_close()?;
    drop(connection);
    assert!(!report.is_written()?);
    gate.open()?;
    assert_eq!(report.wait()?, "true 0");
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn finishing_twice_is_false_the_second_time() -> Result {
    let (fpm, _gate, report) =
        serve("fastcgi_finish_request(); report(var_export(fastcgi_finish_request(), true));")?;
    fpm.get("/t.php")?;
    assert_eq!(report.wait()?, "false");
    Ok(())
}

#[test]
fn finishing_sends_headers_and_all_buffers() -> Result {
    let (fpm, _gate, report) = serve(
        "http_response_code(202); header('A: 1'); ob_start(); echo 'x'; ob_start(); echo 'y'; fastcgi_finish_request(); report(ob_get_level() . headers_sent());",
    )?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(
        (answer.status, answer.header("A"), &*answer.text()),
        (202, Some("1"), "xy")
    );
    assert_eq!(report.wait()?, "01");
    Ok(())
}

#[test]
fn output_after_finishing_is_lost() -> Result {
    let (fpm, _gate, report) = serve(
        "register_shutdown_function(fn() => report('shutdown')); echo 'answer'; fastcgi_finish_request(); echo 'lost'; error_log('lost too');",
    )?;
    let mut connection = fpm.begin(&fpm.request("/t.php"))?;
    let answer = connection.answer()?;
    assert_eq!((&*answer.text(), &*answer.stderr), ("answer", ""));
    assert!(connection.wait_for_close()?.is_empty());
    drop(connection);
    assert_eq!(report.wait()?, "shutdown");
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn flood_after_finishing_ends_the_script() -> Result {
    let (fpm, _gate, report) = serve(
        "register_shutdown_function(fn() => report('status ' . connection_status())); fastcgi_finish_request(); for ($i = 0; $i < 1000; $i++) { echo str_repeat('x', 10000); flush(); } report('not reached');",
    )?;
    fpm.get("/t.php")?;
    assert_eq!(report.wait()?, "status 1");
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn kept_connection_serves_the_next_request_after_finishing() -> Result {
    let (fpm, gate, report) =
        serve("echo 'answer'; fastcgi_finish_request(); wait(); report('done');")?;
    let mut connection = fpm.begin(&fpm.request("/t.php").keep_connection())?;
    assert_eq!(connection.answer()?.text(), "answer");
    gate.open()?;
    assert_eq!(report.wait()?, "done");
    connection.send(&fpm.request("/well.php").keep_connection())?;
    assert_eq!(connection.answer()?.text(), "well");
    Ok(())
}

#[test]
fn session_is_written_before_finishing_when_closed() -> Result {
    let (fpm, ..) = serve(
        "ini_set('session.save_path', __DIR__ . '/../var'); session_id('abc'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; session_write_close(); echo $_SESSION['n']; fastcgi_finish_request();",
    )?;
    assert_eq!(fpm.get("/t.php")?.text(), "1");
    assert_eq!(fpm.get("/t.php")?.text(), "2");
    Ok(())
}
