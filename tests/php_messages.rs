//! PHP's own errors: to the log by way of the worker's standard error, to the web server on the STDERR stream, to files.

use std::fs;
use std::os::unix::net::UnixDatagram;

use fpmd_tests::{Daemon, Fpm, PATIENCE, Result, Site, Under, under};

/// Runs a script whose errors are logged and not shown, in a pool whose output is caught.
fn daemon(script: &str) -> Daemon {
    Daemon::new()
        .ini("log_errors=1")
        .ini("display_errors=0")
        .ini("html_errors=0")
        .pool("catch_workers_output = yes")
        .file("t.php", format!("<?php {script}"))
        .file(
            "end.php",
            "<?php file_put_contents('php://stderr', 'the end');",
        )
}

/// What the lines of the log quote that the script has left there.
fn quoted(fpm: &Fpm) -> Result<Vec<String>> {
    fpm.get("/end.php")?;
    fpm.log().wait_for("the end")?;
    Ok(fpm
        .log()
        .lines_with("said into stderr: ")
        .iter()
        .filter_map(|line| Some(line.split_once("said into stderr: ")?.1.to_owned()))
        .filter(|text| !text.contains("the end"))
        .collect())
}

#[test]
fn message_goes_to_the_log_and_to_the_web_server() -> Result {
    for (script, logged, shown) in [
        (
            "error_log('one');",
            &["\"NOTICE: PHP message: one\""][..],
            "PHP message: one",
        ),
        (
            "error_log('one', 4);",
            &["\"NOTICE: PHP message: one\""],
            "PHP message: one",
        ),
        (
            "error_log('');",
            &["\"NOTICE: PHP message: \""],
            "PHP message: ",
        ),
        (
            "error_log('one'); error_log('two');",
            &[
                "\"NOTICE: PHP message: one\"",
                "\"NOTICE: PHP message: two\"",
            ],
            "PHP message: one; PHP message: two",
        ),
        // One message may be several lines.
        (
            "error_log(\"one\\ntwo\");",
            &["\"NOTICE: PHP message: one\"", "\"two\""],
            "PHP message: one\ntwo",
        ),
        ("ini_set('log_errors', '0'); trigger_error('x');", &[], ""),
        ("@trigger_error('x');", &[], ""),
        ("error_reporting(0); trigger_error('x');", &[], ""),
    ] {
        let fpm = daemon(script).start()?;
        assert_eq!(fpm.get("/t.php")?.stderr, shown, "{script}");
        assert_eq!(quoted(&fpm)?, logged, "{script}");
    }
    Ok(())
}

#[test]
fn message_is_cut_at_the_limit_for_both() -> Result {
    let line = "NOTICE: PHP message: ";
    for (length, whole) in [
        (1024 - line.len() - 1, true),
        (1024 - line.len(), false),
        (9000, false),
    ] {
        let text = "x".repeat(length);
        let fpm = daemon(&format!("error_log('{text}');"))
            .global("log_limit = 1024")
            .pool("decorate_workers_output = no")
            .start()?;
        let shown = fpm.get("/t.php")?.stderr;
        let logged = fpm.log().wait_for(line)?;
        assert_eq!(logged.len(), 1023, "{length}");
        assert_eq!(logged.ends_with("..."), !whole, "{length}");
        assert_eq!(shown, logged["NOTICE: ".len()..], "{length}");
    }
    Ok(())
}

/// Starts the daemon at a level at which the log does not say when it is up; service managers are told.
fn at_level(level: &str) -> Result<Fpm> {
    let site = Site::new()?;
    let notified = UnixDatagram::bind(site.path("notify"))?;
    notified.set_read_timeout(Some(PATIENCE))?;
    let fpm = daemon("error_log('one');")
        .global(&format!("log_level = {level}"))
        .environment("NOTIFY_SOCKET", &site.path("notify").to_string_lossy())
        .start_unheard()?;
    notified.recv(&mut [0; 1024])?;
    Ok(fpm)
}

#[test]
fn web_server_is_told_of_missing_scripts_unless_only_alerts_are_wanted() -> Result {
    for level in ["error", "alert"] {
        let answer = at_level(level)?.get("/none.php")?;
        let expected = match (under()?, level) {
            (Under::Fpmd, "alert") => "",
            _ => "Primary script unknown",
        };
        assert_eq!(answer.stderr, expected, "{level}");
    }
    Ok(())
}

#[test]
fn level_takes_the_prefix_away_but_not_the_message() -> Result {
    for (level, expected) in [
        ("notice", "said into stderr: \"NOTICE: PHP message: one\""),
        ("warning", "said into stderr: \"PHP message: one\""),
        ("error", "PHP message: one\""),
    ] {
        let fpm = at_level(level)?;
        assert_eq!(fpm.get("/t.php")?.stderr, "PHP message: one");
        let line = fpm.log().wait_for("PHP message: one")?;
        assert!(line.ends_with(expected), "{line}");
    }
    Ok(())
}

#[test]
fn at_level_debug_the_line_says_where_it_comes_from() -> Result {
    let fpm = daemon("error_log('one');")
        .global("log_level = debug")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.stderr, "PHP message: one");
    let line = fpm.log().wait_for("PHP message: one")?;
    let (_, said) = line
        .split_once("said into stderr: \"NOTICE: ")
        .unwrap_or_default();
    let (place, text) = said.split_once("(), line ").unwrap_or_default();
    assert!(!place.is_empty(), "{line}");
    // The original writes a NUL in front of the text.
    let text = text.replace('\0', "");
    assert!(text.ends_with(": PHP message: one\""), "{line}");
    Ok(())
}

#[test]
fn without_fastcgi_logging_the_web_server_hears_nothing() -> Result {
    let fpm = daemon("error_log('one');")
        .ini("fastcgi.logging=0")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.stderr, "");
    assert_eq!(fpm.get("/none.php")?.stderr, "");
    assert_eq!(quoted(&fpm)?, ["\"NOTICE: PHP message: one\""]);
    Ok(())
}

#[test]
fn without_caught_output_only_the_web_server_hears_it() -> Result {
    let fpm = daemon("error_log('one');")
        .pool("catch_workers_output = no")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.stderr, "PHP message: one");
    assert!(!fpm.log().text().contains("one"), "{}", fpm.log().text());
    Ok(())
}

#[test]
fn file_takes_them_away_from_both() -> Result {
    let fpm = daemon("error_log('one'); trigger_error('two', E_USER_WARNING);")
        .ini("error_log={dir}/var/php.log")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.stderr, "");
    assert_eq!(quoted(&fpm)?, [""; 0]);
    let logged = fs::read_to_string(fpm.site().path("var/php.log"))?;
    let lines: Vec<_> = logged.lines().collect();
    assert!(lines[0].ends_with("] one"), "{logged}");
    assert!(lines[1].contains("] PHP Warning:  two in "), "{logged}");
    assert_eq!(lines.len(), 2, "{logged}");
    Ok(())
}

#[test]
fn file_that_cannot_be_written_gives_them_back() -> Result {
    let fpm = daemon("error_log('one');")
        .ini("error_log=/nowhere/php.log")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.stderr, "PHP message: one");
    assert_eq!(quoted(&fpm)?, ["\"NOTICE: PHP message: one\""]);
    Ok(())
}

#[test]
fn pool_and_script_may_name_the_file() -> Result {
    let by_pool =
        daemon("error_log('one');").pool("php_admin_value[error_log] = {dir}/var/php.log");
    let by_script = daemon("ini_set('error_log', __DIR__ . '/../var/php.log'); error_log('one');");
    for daemon in [by_pool, by_script] {
        let fpm = daemon.start()?;
        assert_eq!(fpm.get("/t.php")?.stderr, "");
        let logged = fs::read_to_string(fpm.site().path("var/php.log"))?;
        assert!(logged.ends_with("] one\n"), "{logged}");
    }
    Ok(())
}

#[test]
fn errors_are_shown_as_display_errors_says() -> Result {
    let warning = "\nWarning: watch out in ";
    for (value, shown) in [("0", ""), ("1", warning), ("stderr", warning)] {
        let fpm = daemon("trigger_error('watch out', E_USER_WARNING);")
            .ini(&format!("display_errors={value}"))
            .start()?;
        let answer = fpm.get("/t.php")?;
        assert_eq!(
            answer.text().is_empty(),
            shown.is_empty(),
            "{value}: {answer:?}"
        );
        assert!(answer.text().starts_with(shown), "{value}: {answer:?}");
        let mirrored = "PHP message: PHP Warning:  watch out in ";
        assert!(answer.stderr.starts_with(mirrored), "{value}: {answer:?}");
    }
    Ok(())
}

#[test]
fn message_keeps_its_place_between_outputs() -> Result {
    let fpm = daemon("echo 'a'; flush(); error_log('one'); echo 'b'; flush(); error_log('two'); fastcgi_finish_request(); error_log('three');")
        .start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(
        (&*answer.text(), &*answer.stderr),
        ("ab", "PHP message: one; PHP message: two")
    );
    let expected = ["one", "two", "three"].map(|text| format!("\"NOTICE: PHP message: {text}\""));
    assert_eq!(quoted(&fpm)?, expected);
    Ok(())
}

#[test]
fn what_php_says_while_a_request_ends_is_told_too() -> Result {
    let fpm = daemon("class D { function __destruct() { error_log('gone'); } } $d = new D; register_shutdown_function(fn() => error_log('down')); echo 'x';")
        .start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(
        (&*answer.text(), &*answer.stderr),
        ("x", "PHP message: down; PHP message: gone")
    );
    Ok(())
}
