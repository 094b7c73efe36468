//! Logs of JSON objects: `log_format = json` and `access.format = json`, which the original has not.

use std::fs;

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, Result, Under, under};
use serde_json::Value;

fn access_daemon() -> Daemon {
    Daemon::echo()
        .pool("access.log = {dir}/access.log\naccess.format = json")
        .file("slow.php", "<?php usleep(20000); http_response_code(404);")
}

fn daemon(script: &str) -> Daemon {
    access_daemon()
        .global("log_format = json")
        .pool("catch_workers_output = yes")
        .file(
            "say.php",
            format!(
                "<?php function err($text) {{ file_put_contents('php://stderr', $text); }} {script}"
            ),
        )
}

/// Reads the access log, whose every line is an object.
fn accesses(fpm: &Fpm) -> Result<Vec<Value>> {
    let text = fs::read_to_string(fpm.site().path("access.log"))?;
    objects(text.lines())
}

fn objects<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Value>> {
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// What the daemon's log says of `text`, which is in one of its lines.
fn logged(fpm: &Fpm, text: &str) -> Result<Value> {
    fpm.log().wait_for(text)?;
    let all = fpm.log().text();
    let all = objects(all.lines())?;
    all.into_iter()
        .find(|object| {
            object["message"]
                .as_str()
                .is_some_and(|said| said.contains(text))
        })
        .with_context(|| format!("no message with {text:?}"))
}

#[test]
fn access_is_told_in_all_its_measures() -> Result {
    let fpm = access_daemon().tcp().start()?;
    let request = fpm
        .request("/slow.php?a=1")
        .param("HTTP_X_REQUEST_ID", "r-1")
        .param("HTTP_AUTHORIZATION", "Basic bWU6cHc=");
    fpm.send(&request)?;
    if under()? == Under::Original {
        assert_eq!(fs::read_to_string(fpm.site().path("access.log"))?, "json\n");
        return Ok(());
    }
    let line = fs::read_to_string(fpm.site().path("access.log"))?;
    let access = &accesses(&fpm)?[0];
    let worker = &fpm.processes("php-fpm: pool www")?[0];
    let script = fpm.site().root().join("slow.php");
    for (field, expected) in [
        ("level", "notice".into()),
        ("pool", "www".into()),
        ("pid", worker.pid().into()),
        ("generation", 1.into()),
        ("request_id", "r-1".into()),
        ("client", "127.0.0.1".into()),
        ("user", "me".into()),
        ("method", "GET".into()),
        ("uri", "/slow.php".into()),
        ("query", "a=1".into()),
        ("script", script.to_string_lossy().into()),
        ("status", 404.into()),
    ] as [(&str, Value); 12]
    {
        assert_eq!(access[field], expected, "{field}: {line}");
    }
    let number = |field: &str| access[field].as_f64().with_context(|| line.clone());
    assert!((0.02..5.0).contains(&number("duration")?), "{line}");
    assert!((0.0..5.0).contains(&number("queue_wait")?), "{line}");
    assert!(number("cpu_user")? + number("cpu_system")? < number("duration")?);
    assert!(number("memory")? >= 262_144.0, "{line}");
    let time = access["time"].as_str().context("no time")?;
    assert_eq!(time.len(), "2026-11-21T12:00:00.123456+00:00".len());
    Ok(())
}

#[test]
fn requests_are_named_by_the_web_server_or_else_by_the_worker() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = access_daemon().start()?;
    let request = || fpm.request("/t.php");
    fpm.send(&request())?;
    fpm.send(&request())?;
    fpm.send(&request().param("UNIQUE_ID", "apache"))?;
    fpm.send(&request().param("HTTP_X_REQUEST_ID", "not one word"))?;
    let names: Vec<String> = accesses(&fpm)?
        .iter()
        .map(|access| access["request_id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names[2], "apache");
    assert!(
        names
            .iter()
            .all(|name| !name.is_empty() && !name.contains(' '))
    );
    assert_ne!(names[0], names[1]);
    Ok(())
}

#[test]
fn lines_are_json_whatever_a_client_says_and_however_long() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = access_daemon().start()?;
    let query = format!("\"\\\n\r\t\u{1}\u{7f}é{}", "x".repeat(5000));
    fpm.send(&fpm.request("/t.php").param("QUERY_STRING", &query))?;
    assert_eq!(accesses(&fpm)?[0]["query"], query);
    Ok(())
}

#[test]
fn each_line_of_the_log_is_an_object() -> Result {
    let daemon = daemon("posix_kill(getmypid(), SIGKILL);");
    if under()? == Under::Original {
        let refusal = daemon.start_in_vain()?;
        assert!(refusal.output.contains("unknown entry 'log_format'"));
        return Ok(());
    }
    let fpm = daemon.start()?;
    ensure!(fpm.get("/say.php").is_err(), "a killed worker answers");
    let end = logged(&fpm, "exited on signal 9")?;
    assert_eq!(end["level"], "warning");
    assert_eq!(end["pool"], "www");
    assert_eq!(end["pid"], fpm.process().pid());
    let ready = logged(&fpm, "ready to handle connections")?;
    assert_eq!(ready["level"], "notice");
    assert_eq!(ready.get("pool"), None);
    Ok(())
}

#[test]
fn what_a_script_says_belongs_to_its_request() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon("err('one ' . $_SERVER['X'] . \"\\n\"); error_log('two ' . $_SERVER['X']); err('three ' . $_SERVER['X']);")
        .workers(4)
        .start()?;
    for name in ["a", "b", "c"] {
        let request = fpm.request("/say.php").param("X", name);
        fpm.send(&request.param("HTTP_X_REQUEST_ID", format!("id-{name}")))?;
    }
    let accesses = accesses(&fpm)?;
    for (access, name) in accesses.iter().zip(["a", "b", "c"]) {
        for number in ["one", "two", "three"] {
            let said = logged(&fpm, &format!("{number} {name}"))?;
            for field in ["request_id", "pid", "generation", "pool"] {
                assert_eq!(said[field], access[field], "{said}");
            }
            assert_eq!(said["request_id"], format!("id-{name}"));
            assert_eq!(said["stream"], "stderr");
            assert_eq!(said["level"], "warning");
        }
    }
    Ok(())
}

#[test]
fn lines_tell_the_generation_that_served() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm = daemon("error_log('said');").start()?;
    fpm.get("/say.php")?;
    fpm.reload()?;
    fpm.get("/say.php")?;
    fpm.log().wait_for_nth("PHP message: said", 2)?;
    let all = fpm.log().text();
    let said = objects(
        all.lines()
            .filter(|line| line.contains("PHP message: said")),
    )?;
    for (line, generation) in said.iter().zip([1, 2]) {
        assert_eq!(line["generation"], generation, "{line}");
    }
    for (line, generation) in accesses(&fpm)?.iter().zip([1, 2]) {
        assert_eq!(line["generation"], generation, "{line}");
    }
    Ok(())
}

#[test]
fn long_and_strange_texts_come_whole() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let fpm =
        daemon("err(\"\\xff\\0\\\"\\\\\\x1b[31m\" . str_repeat('x', 10_000_000) . \"end\\n\");")
            .global("log_limit = 1024")
            .start()?;
    fpm.get("/say.php")?;
    let said = logged(&fpm, "xend")?;
    let expected = format!("\u{fffd}\0\"\\\u{1b}[31m{}end", "x".repeat(10_000_000));
    ensure!(said["message"] == expected.as_str(), "another text");
    assert_eq!(said.get("continued"), None);
    Ok(())
}
