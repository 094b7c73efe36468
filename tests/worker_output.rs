//! What scripts write to their standard output and error, on its way to the log (`catch_workers_output`).

use std::collections::BTreeMap;

use anyhow::Context;
use fpmd_tests::{Daemon, Fpm, Result};

/// Runs a script that writes to its outputs.
fn daemon(script: &str) -> Daemon {
    Daemon::new()
        .pool("catch_workers_output = yes")
        .ini("error_log=/dev/null")
        .file(
            "t.php",
            format!(
                "<?php
                function out(string $text) {{ file_put_contents('php://stdout', $text); }}
                function err(string $text) {{ file_put_contents('php://stderr', $text); }}
                {script}
                echo getmypid();"
            ),
        )
        .file(
            "end.php",
            "<?php file_put_contents('php://stderr', 'the end');",
        )
}

/// The lines that the script's outputs leave in the log; `PID` stands for the worker.
fn lines(fpm: &Fpm) -> Result<Vec<String>> {
    let pid = fpm.get("/t.php")?.text();
    fpm.get("/end.php")?;
    fpm.log().wait_for("the end")?;
    let text = fpm.log().text();
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("ready to handle connections"))
        .filter(|line| !line.contains("NOTICE") && !line.contains("the end"));
    let line = |line: &str| match line.split_once("] WARNING: ") {
        Some((_, rest)) => rest.replace(&format!("child {pid} "), "child PID "),
        None => line.to_owned(),
    };
    Ok(lines.by_ref().map(line).collect())
}

fn said(stream: &str, text: &str) -> String {
    format!("[pool www] child PID said into {stream}: \"{text}\"")
}

#[test]
fn each_line_is_decorated() -> Result {
    for (script, expected) in [
        ("err('a');", vec![said("stderr", "a")]),
        ("out('a');", vec![said("stdout", "a")]),
        (
            "err(\"a\\n\\n\\nb\\n\");",
            vec![said("stderr", "a"), said("stderr", "b")],
        ),
        ("err('a'); err('b');", vec![said("stderr", "ab")]),
        ("err(\"a\\0b\\0\\n\");", vec![said("stderr", "a\0b\0")]),
        (
            "err(\"\\0fscx\\0fscf\\0a\");",
            vec![said("stderr", "\0fscx"), said("stderr", "a")],
        ),
        ("err(\"\\xff\\n\");", vec![said("stderr", "\u{fffd}")]),
        ("err(\"\\r\\ta\\\"b\");", vec![said("stderr", "\r\ta\"b")]),
    ] {
        assert_eq!(lines(&daemon(script).start()?)?, expected, "{script}");
    }
    Ok(())
}

#[test]
fn without_decoration_only_the_text_is_there() -> Result {
    let fpm = daemon("err(\"a\\nb\");")
        .pool("decorate_workers_output = no")
        .start()?;
    assert_eq!(lines(&fpm)?, ["a", "b"]);
    Ok(())
}

#[test]
fn uncaught_output_is_gone() -> Result {
    let fpm = daemon("err(\"a\\nb\");")
        .pool("catch_workers_output = no")
        .start()?;
    fpm.get("/t.php")?;
    assert!(!fpm.log().text().contains("said into"));
    Ok(())
}

/// Checks the pieces of a long line: as long as they may be, and nothing missing.
fn check_pieces(pieces: &[String], text: &str, limit: usize) {
    // Time, level and the worker's number, without the line feed.
    let around = "[21-Nov-2026 12:00:00] WARNING: ".len();
    let mut whole = String::new();
    for piece in pieces {
        let content = piece
            .strip_prefix("[pool www] child PID said into stderr: \"")
            .and_then(|rest| rest.strip_suffix('"'));
        whole += content.unwrap_or_else(|| panic!("{piece}"));
    }
    assert!(whole == text, "{} of {} octets", whole.len(), text.len());
    let longest = pieces.iter().map(|piece| piece.len() + around).max();
    let (pid, placeholder) = (1..=7, "PID".len());
    let longest = longest.unwrap_or_default() - placeholder;
    if pieces.len() > 1 {
        assert!(pid.contains(&(limit - 1 - longest)), "{longest}");
    }
}

#[test]
fn long_lines_are_cut_at_the_limit_and_go_on_in_the_next() -> Result {
    for (script, length) in [
        ("err(str_repeat('x', 1000) . \"\\n\");", 1000),
        ("err(str_repeat('x', 1000));", 1000),
        ("err(str_repeat('x', 5000) . \"\\n\");", 5000),
        ("err(str_repeat('x', 10_000_000) . \"\\n\");", 10_000_000),
        ("err(str_repeat('x', 10_000_000));", 10_000_000),
    ] {
        let fpm = daemon(script).global("log_limit = 1024").start()?;
        check_pieces(&lines(&fpm)?, &"x".repeat(length), 1024);
    }
    Ok(())
}

#[test]
fn line_that_just_fits_is_not_cut() -> Result {
    for (length, expected) in [
        (1022, vec![1022]),
        (1023, vec![1023]),
        (1024, vec![1023, 1]),
    ] {
        let fpm = daemon(&format!("err(str_repeat('x', {length}));"))
            .global("log_limit = 1024")
            .pool("decorate_workers_output = no")
            .start()?;
        let lengths: Vec<_> = lines(&fpm)?.iter().map(String::len).collect();
        assert_eq!(lengths, expected, "{length}");
    }
    Ok(())
}

#[test]
fn unbuffered_lines_look_the_same() -> Result {
    let fpm = daemon("err(\"a\\n\" . str_repeat('x', 5000) . \"\\nb\");")
        .global("log_limit = 1024\nlog_buffering = no")
        .start()?;
    let lines = lines(&fpm)?;
    assert_eq!(lines.first(), Some(&said("stderr", "a")));
    assert_eq!(lines.last(), Some(&said("stderr", "b")));
    check_pieces(&lines[1..lines.len() - 1], &"x".repeat(5000), 1024);
    Ok(())
}

#[test]
fn debug_lines_say_who_writes_them() -> Result {
    let fpm = daemon("err('a');").global("log_level = debug").start()?;
    let pid = fpm.get("/t.php")?.text();
    let line = fpm.log().wait_for("said into")?;
    let (start, end) = line.split_once("] WARNING: pid ").context(line.clone())?;
    assert_eq!(start.len(), "[21-Nov-2026 12:00:00.123456".len(), "{line}");
    let (place, text) = end.split_once(": [pool").context(line.clone())?;
    assert_eq!(text, format!(" www] child {pid} said into stderr: \"a\""));
    assert!(
        place.starts_with(&format!("{}, ", fpm.process().pid())),
        "{line}"
    );
    Ok(())
}

/// Runs the script so many times at once.
fn ask_at_once(fpm: &Fpm, times: usize) -> Result {
    let pending = (0..times).map(|_| fpm.begin(&fpm.request("/t.php")));
    let mut pending = pending.collect::<Result<Vec<_>>>()?;
    for connection in &mut pending {
        connection.answer()?;
    }
    Ok(())
}

#[test]
fn lines_of_fifty_workers_do_not_mix() -> Result {
    const LINES: usize = 40;
    let fpm = daemon(&format!(
        "for ($i = 0; $i < {LINES}; $i++) {{
            err(getmypid() . '-'); err(\"$i-\"); err(str_repeat('y', 200) . \"\\n\");
        }}"
    ))
    .workers(50)
    .start()?;
    ask_at_once(&fpm, 50)?;
    fpm.log().wait_for_nth("said into", 50 * LINES)?;
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for line in fpm.log().lines_with("said into") {
        let (before, text) = line.split_once(": \"").context(line.clone())?;
        let pid = text.split('-').next().context(line.clone())?;
        assert!(before.contains(&format!("child {pid} said")), "{line}");
        let seen = counted.entry(pid.to_owned()).or_default();
        // A worker may have served several of the requests.
        let number = *seen % LINES;
        assert_eq!(text, format!("{pid}-{number}-{}\"", "y".repeat(200)));
        *seen += 1;
    }
    assert_eq!(counted.values().sum::<usize>(), 50 * LINES);
    Ok(())
}

#[test]
fn long_lines_of_fifty_workers_do_not_mix() -> Result {
    const LENGTH: usize = 200_000;
    let fpm = daemon(&format!(
        "err('x'); out('-'); err(str_repeat(chr(ord('a') + getmypid() % 26), {LENGTH})); err(\"\\nthe end\\n\");"
    ))
    .workers(50)
    .global("log_limit = 1024")
    .start()?;
    ask_at_once(&fpm, 50)?;
    fpm.log()
        .wait_for_nth("said into stderr: \"the end\"", 50)?;
    let lines = fpm.log().lines_with("said into stderr");
    let mut said = 0;
    for (pid, text) in lines.iter().filter_map(|line| piece(line)) {
        let letter = char::from(b'a' + u8::try_from(pid.parse::<u32>()? % 26)?);
        let long = text.trim_start_matches('x');
        if text != "the end" {
            assert!(long.chars().all(|said| said == letter), "{pid}: {text}");
            said += text.len();
        }
    }
    assert_eq!(said, 50 * (LENGTH + 1));
    Ok(())
}

/// The worker and the text of a line of its standard error.
fn piece(line: &str) -> Option<(&str, &str)> {
    let (before, text) = line.split_once(" said into stderr: \"")?;
    Some((before.rsplit(' ').next()?, text.strip_suffix('"')?))
}

#[test]
fn last_words_of_a_worker_that_dies_are_logged_before_its_end() -> Result {
    let fpm = daemon("err('goodbye'); posix_kill(getmypid(), SIGKILL);").start()?;
    assert!(fpm.get("/t.php").is_err());
    fpm.log().wait_for("exited on signal 9")?;
    fpm.log().wait_for("said into stderr: \"goodbye\"")?;
    Ok(())
}
