//! The access log: its lines, what is left out, when they are written.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use fpmd_tests::{Daemon, Fpm, Gate, Result, Under, under};

fn daemon(format: &str) -> Daemon {
    Daemon::new()
        .pool("access.log = {dir}/access.log\nping.path = /ping")
        .pool(&format!("access.format = '{format}'"))
        .file("t.php", "<?php header('X-A: b'); http_response_code(202);")
        .file(
            "body.php",
            "<?php echo strlen(file_get_contents('php://input'));",
        )
}

fn log(fpm: &Fpm) -> Result<String> {
    fs::read_to_string(fpm.site().path("access.log")).context("no access log")
}

#[test]
fn default_format() -> Result {
    let fpm = Daemon::new()
        .tcp()
        .pool("access.log = {dir}/access.log")
        .file("t.php", "")
        .start()?;
    fpm.get("/t.php?a=1")?;
    fpm.get("/nope.php")?;
    let log = log(&fpm)?;
    let lines: Vec<_> = log.lines().collect();
    for (line, end) in lines
        .iter()
        .zip(["] \"GET /t.php\" 200", "] \"GET /nope.php\" 404"])
    {
        // 127.0.0.1 -  21/Nov/2026:10:19:56 +0000 "GET /t.php" 200
        let start = "127.0.0.1 -  ";
        assert!(line.starts_with(start), "{line}");
        assert!(line.ends_with(end.trim_start_matches("] ")), "{line}");
        assert_eq!(line.len(), start.len() + 26 + end.len() - 1, "{line}");
    }
    assert_eq!(lines.len(), 2);
    let mode = fs::metadata(fpm.site().path("access.log"))?.mode();
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[test]
fn specifiers() -> Result {
    let fpm = daemon("%m|%r%Q%q|%s|%f|%u|%R|%l|%n|%{X-A}o|%{x-a}o|%{SERVER_NAME}e|%{NOPE}e|%P|%%")
        .start()?;
    let request = fpm
        .request("/t.php?a=1")
        .param("HTTP_AUTHORIZATION", "Basic bWU6cHc=");
    fpm.send(&request)?;
    let expected = format!(
        "GET|/t.php?a=1|202|{}|me|-|0|www|b|-|example.org|-|{}|%\n",
        fpm.site().root().join("t.php").display(),
        fpm.process().pid()
    );
    assert_eq!(log(&fpm)?, expected);
    Ok(())
}

#[test]
fn measures_are_numbers_that_belong_together() -> Result {
    let fpm = daemon("%d %{milli}d %{micro}d %M %{kilo}M %{mega}M %C %{user}C %p %{%s}t %{%s}T")
        .start()?;
    fpm.get("/t.php")?;
    let log = log(&fpm)?;
    let numbers = log
        .split_whitespace()
        .map(|word| word.parse::<f64>().with_context(|| log.clone()))
        .collect::<Result<Vec<_>>>()?;
    let [
        seconds,
        milli,
        micro,
        bytes,
        kilo,
        mega,
        total,
        user,
        pid,
        accepted,
        logged,
    ] = numbers[..]
    else {
        anyhow::bail!("{log}");
    };
    assert!((milli * 1000.0 - micro).abs() < 0.5, "{log}");
    assert!((seconds * 1000.0 - milli).abs() <= 0.5001, "{log}");
    assert!(
        bytes / 1024.0 - kilo < 1.0 && kilo / 1024.0 - mega < 1.0,
        "{log}"
    );
    assert!(bytes >= 262_144.0, "{log}");
    assert!(user <= total, "{log}");
    assert!(accepted <= logged, "{log}");
    let worker = fpm
        .processes("php-fpm: pool www")?
        .first()
        .context("no worker")?
        .pid();
    assert_eq!(pid, f64::from(worker));
    Ok(())
}

#[test]
fn every_kind_of_request_has_its_line() -> Result {
    let fpm = daemon("%m %r %s").start()?;
    fpm.get("/ping")?;
    fpm.send(&fpm.request("/body.php").post("text/plain", "12345"))?;
    fpm.send(&fpm.request("/t.php").method("HEAD"))?;
    fpm.get("/t.txt")?;
    assert_eq!(
        log(&fpm)?,
        "GET /ping 200\nPOST /body.php 200\nHEAD /t.php 202\nGET /t.txt 404\n"
    );
    Ok(())
}

#[test]
fn suppressed_paths_leave_no_line_when_all_is_well() -> Result {
    let fpm = daemon("%m %r%Q%q %s")
        .pool("access.suppress_path[] = /ping\naccess.suppress_path[] = /t.php\naccess.suppress_path[] = /nope.php")
        .start()?;
    fpm.get("/ping")?;
    fpm.get("/t.php")?;
    fpm.send(&fpm.request("/t.php").method("HEAD"))?;
    assert_eq!(log(&fpm)?, "");
    fpm.get("/ping?a")?;
    fpm.get("/nope.php")?;
    fpm.send(&fpm.request("/t.php").post("text/plain", "x"))?;
    assert_eq!(
        log(&fpm)?,
        "GET /ping?a 200\nGET /nope.php 404\nPOST /t.php 202\n"
    );
    Ok(())
}

#[test]
fn line_is_written_before_shutdown_functions_run() -> Result {
    let fpm = daemon("%r")
        .file(
            "slow.php",
            "<?php register_shutdown_function(function () {
                file_put_contents(__DIR__ . '/../var/report', \"here\\n\");
                fgets(fopen(__DIR__ . '/../var/gate', 'r'));
             });",
        )
        .start()?;
    let (gate, report) = (
        Gate::new(fpm.site(), "gate")?,
        Gate::new(fpm.site(), "report")?,
    );
    let mut connection = fpm.begin(&fpm.request("/slow.php"))?;
    assert_eq!(report.wait()?, "here");
    assert_eq!(log(&fpm)?, "/slow.php\n");
    gate.open()?;
    connection.answer()?;
    assert_eq!(log(&fpm)?, "/slow.php\n");
    Ok(())
}

#[test]
fn long_line_is_cut_and_that_is_said() -> Result {
    let fpm = daemon("%{HTTP_X}e %m").start()?;
    let answer = fpm.send(&fpm.request("/t.php").header("X", &"x".repeat(3000)))?;
    assert_eq!(
        answer.stderr,
        "the log buffer is full (1024). The access log request has been truncated."
    );
    let log = log(&fpm)?;
    assert_eq!(log.len(), 1025);
    assert!(log.starts_with(&"x".repeat(1023)) && log.ends_with('\n'));
    Ok(())
}

#[test]
fn lines_of_many_workers_do_not_mix() -> Result {
    let fpm = daemon("%{HTTP_X}e %r").workers(4).start()?;
    let long = "x".repeat(900);
    let mut pending = Vec::new();
    for _ in 0..100 {
        pending.push(fpm.begin(&fpm.request("/t.php").header("X", &long))?);
    }
    for mut connection in pending {
        connection.answer()?;
    }
    let log = log(&fpm)?;
    assert_eq!(log.lines().count(), 100);
    let expected = format!("{long} /t.php");
    assert!(log.lines().all(|line| line == expected));
    Ok(())
}

#[test]
fn line_stays_one_line_whatever_a_client_says() -> Result {
    let fpm = daemon("%u %m").start()?;
    // The user "a", a line feed, "b".
    let request = fpm
        .request("/t.php")
        .param("HTTP_AUTHORIZATION", "Basic YQpiOnB3");
    fpm.send(&request)?;
    let expected = match under()? {
        Under::Fpmd => "a.b GET\n",
        Under::Original => "a\nb GET\n",
    };
    assert_eq!(log(&fpm)?, expected);
    Ok(())
}

#[test]
fn standard_error_is_the_daemons() -> Result {
    let fpm = Daemon::new()
        .pool("access.log = /dev/stderr\naccess.format = 'access %r'")
        .file("t.php", "")
        .start()?;
    fpm.get("/t.php")?;
    fpm.log().wait_for("access /t.php")?;
    Ok(())
}

#[test]
fn long_addresses_are_logged_whole_by_fpmd() -> Result {
    let fpm = daemon("%r%Q%q").start()?;
    let (uri, query) = ("x".repeat(200), "q".repeat(600));
    fpm.get(&format!("/{uri}?{query}"))?;
    let expected = match under()? {
        Under::Fpmd => format!("/{uri}?{query}\n"),
        Under::Original => format!("/{}?{}\n", &uri[..126], &query[..511]),
    };
    assert_eq!(log(&fpm)?, expected);
    Ok(())
}
