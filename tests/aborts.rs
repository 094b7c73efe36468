//! Clients that leave before their answer is complete.

use fcgi_proto::record::RecordType;
use fpmd_tests::{Daemon, Gate, Record, Result, Under, under};

/// Serves a script that waits at `gate` after its first output, then prints and reports to `report`.
fn serve(before: &str, after: &str) -> Daemon {
    Daemon::new()
        .file(
            "t.php",
            format!(
                "<?php
                 function report($text) {{ file_put_contents(__DIR__ . '/../var/report', $text . \"\\n\"); }}
                 {before}
                 echo 'begun'; flush();
                 fgets(fopen(__DIR__ . '/../var/gate', 'r'));
                 {after}"
            ),
        )
        .file("well.php", "<?php echo 'well';")
}

/// Prints until the worker must notice that nobody listens any more.
const PRINT_A_LOT: &str = "for ($i = 0; $i < 100; $i++) { echo str_repeat('x', 100000); flush(); }";

#[test]
fn script_ends_at_its_next_output_and_shutdown_functions_run() -> Result {
    let before = "register_shutdown_function(fn() => report('shutdown ' . connection_status()));";
    let fpm = serve(before, &format!("{PRINT_A_LOT} report('not reached');")).start()?;
    let (gate, report) = (
        Gate::new(fpm.site(), "gate")?,
        Gate::new(fpm.site(), "report")?,
    );
    drop(fpm.running("/t.php")?);
    gate.open()?;
    assert_eq!(report.wait()?, "shutdown 1");
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    assert!(!report.is_written()?);
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

/// Runs a script whose client goes in its middle, and returns what it reports at its end.
fn report_of_an_abandoned(before: &str, after: &str) -> Result<String> {
    let fpm = serve(before, after).start()?;
    let (gate, report) = (
        Gate::new(fpm.site(), "gate")?,
        Gate::new(fpm.site(), "report")?,
    );
    drop(fpm.running("/t.php")?);
    gate.open()?;
    let said = report.wait()?;
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(said)
}

#[test]
fn script_runs_on_when_it_ignores_the_abort() -> Result {
    let after = format!(
        "{PRINT_A_LOT} report('aborted ' . connection_aborted() . ' ' . connection_status());"
    );
    let report = report_of_an_abandoned("ignore_user_abort(true);", &after)?;
    assert_eq!(report, "aborted 1 1");
    Ok(())
}

#[test]
fn script_without_output_does_not_notice() -> Result {
    let report = report_of_an_abandoned("", "report('done ' . connection_aborted());")?;
    assert_eq!(report, "done 0");
    Ok(())
}

#[test]
fn abort_record_during_the_script_is_not_obeyed() -> Result {
    let fpm = serve("", "echo ' and done';").start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    connection.send_bytes(&Record::new(RecordType::AbortRequest, []).bytes())?;
    gate.open()?;
    assert_eq!(connection.answer()?.body, b" and done");
    Ok(())
}

#[test]
fn large_answer_that_nobody_reads_to_the_end_frees_the_worker() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php echo str_repeat('x', 5000000);")
        .file("well.php", "<?php echo 'well';")
        .start()?;
    for _ in 0..20 {
        let mut connection = fpm.begin(&fpm.request("/t.php"))?;
        connection.output_until("xxx")?;
    }
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn body_cut_off_by_the_client_frees_the_worker() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php file_put_contents(__DIR__ . '/../var/ran', strlen(file_get_contents('php://input')));")
        .file("well.php", "<?php echo 'well';")
        .start()?;
    let request = fpm
        .request("/t.php")
        .method("PUT")
        .body("text/plain", vec![b'x'; 5000]);
    let mut connection = fpm.connect()?;
    connection.send_bytes(&request.head_bytes())?;
    connection.send_bytes(&request.body_bytes(1000)[..2016])?;
    drop(connection);
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    let ran = std::fs::read_to_string(fpm.site().path("var/ran")).ok();
    match under()? {
        // What had come is lost to its script with the end of the connection.
        Under::Original => assert_eq!(ran.as_deref(), Some("0")),
        // Nobody would see the answer.
        Under::Fpmd => assert!(matches!(ran.as_deref(), None | Some("2000")), "{ran:?}"),
    }
    Ok(())
}

#[test]
fn client_gone_before_its_turn_is_not_served_by_fpmd() -> Result {
    let fpm = serve("", "")
        .global("log_level = debug")
        .pool("catch_workers_output = yes")
        .file(
            "count.php",
            "<?php file_put_contents(__DIR__ . '/../var/ran', 'x', FILE_APPEND);",
        )
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/t.php")?;
    // The only worker is busy: these wait in the queue until their clients have gone.
    for _ in 0..10 {
        drop(fpm.begin(&fpm.request("/count.php"))?);
    }
    gate.open()?;
    running.answer()?;
    drop(running);
    assert_eq!(fpm.get("/well.php")?.text(), "well");
    let ran = std::fs::read(fpm.site().path("var/ran"))
        .unwrap_or_default()
        .len();
    match under()? {
        Under::Fpmd => {
            assert_eq!(ran, 0);
            fpm.log()
                .wait_for_nth("request is not run: its client gave up waiting", 10)?;
        }
        Under::Original => assert_eq!(ran, 10),
    }
    Ok(())
}
