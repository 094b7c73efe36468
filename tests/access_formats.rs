//! Every specifier and modifier of `access.format`, beside the original: the same request leaves the same line.

use std::fs;

use fpmd_tests::{Daemon, Result, Subject};

/// Formats whose lines are the same to the last byte.
const EXACT: &[&str] = &[
    "%%",
    "100%%|%m",
    "%{HTTP_X}e|%{SERVER_NAME}e|%{NOPE}e|%{REQUEST_METHOD}e",
    "%f",
    "%l",
    "%m",
    "%n",
    "%{X-A}o|%{x-a}o|%{Content-type}o|%{Content-Type}o|%{NOPE}o|%{X-B}o",
    "%q|%Q|%Q%q",
    "%r",
    "%R",
    "%s",
    "%u",
    "%m %r%Q%q %s %f %u %R %l %n end",
    "no specifier",
    "  blanks  ",
    "trailing %",
    "\\\"quoted\\\"",
    "%{%Y}t|%{%Y}T",
    "%{no time}t",
    "%{%%}t",
];

/// Formats whose lines differ in their numbers only.
const SHAPES: &[&str] = &[
    "%C|%{total}C|%{user}C|%{system}C",
    "%{TOTAL}C|%{User}C|%{sYSTEM}C",
    "%d|%{seconds}d",
    "%{mili}d|%{miliseconds}d|%{milli}d|%{milliseconds}d",
    "%{micro}d|%{microseconds}d",
    "%{Seconds}d|%{MICRO}d",
    "%M|%{bytes}M|%{kilo}M|%{kilobytes}M|%{mega}M|%{megabytes}M",
    "%{Bytes}M|%{KILO}M",
    "%p|%P",
    "%t|%T",
    "%{}t|%{}T",
    "%{%d/%b/%Y:%H:%M:%S %z}t|%{%s}T|%{%c}T",
];

/// Formats that are refused, and some that look as if they might be.
const REFUSED: &[&str] = &[
    "%z", "%{x", "%{x}", "%{x}m", "%{x}%", "%{x}f", "%{x}l", "%{x}n", "%{x}p", "%{x}P", "%{x}q",
    "%{x}Q", "%{x}r", "%{x}R", "%{x}s", "%{x}u", "%{x}C", "%{}C", "%{x}d", "%{}d", "%{x}M", "%{}M",
    "%e", "%{}e", "%o", "%{}o", "%{a}{b}e", "%{a{b}e", "%A", "% m",
];

fn daemon(subject: &Subject, format: &str) -> Daemon {
    Daemon::new()
        .subject(subject)
        .tcp()
        .pool("access.log = {dir}/access.log")
        .pool(&format!("access.format = \"{format}\""))
        .file(
            "t.php",
            "<?php header('X-A: b'); header('X-B:c'); http_response_code(202); echo 'x';",
        )
}

/// The lines that some requests leave, with the daemon's directory as `{dir}`.
fn lines(subject: &Subject, format: &str) -> Result<String> {
    let fpm = daemon(subject, format).start()?;
    let directory = fpm.site().folder().to_string_lossy().into_owned();
    let request = || fpm.request("/t.php");
    fpm.send(&request())?;
    let user = request().param("HTTP_AUTHORIZATION", "Basic bWU6cHc=");
    fpm.send(&user.param("QUERY_STRING", "a=1&b").header("X", "y z"))?;
    fpm.send(&request().post("text/plain", "12345"))?;
    fpm.send(&request().method("HEAD"))?;
    fpm.get("/nope.php?x")?;
    let log = fs::read_to_string(fpm.site().path("access.log"))?;
    Ok(log.replace(&directory, "{dir}"))
}

/// A text with each number as `9`.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if shape.ends_with('9') => {}
            '0'..='9' => shape.push('9'),
            other => shape.push(other),
        }
    }
    shape
}

#[test]
fn specifiers_say_what_those_of_the_original_say() -> Result {
    let subject = Subject::from_environment()?;
    for format in EXACT {
        let expected = lines(&subject.original(), format)?;
        assert_eq!(lines(subject, format)?, expected, "{format}");
    }
    Ok(())
}

#[test]
fn measures_look_like_those_of_the_original() -> Result {
    let subject = Subject::from_environment()?;
    for format in SHAPES {
        let expected = shape(&lines(&subject.original(), format)?);
        assert_eq!(shape(&lines(subject, format)?), expected, "{format}");
    }
    Ok(())
}

#[test]
fn formats_are_refused_as_the_original_does() -> Result {
    let subject = Subject::from_environment()?;
    let refusal = |subject: &Subject, format: &str| -> Result<(Option<i32>, String)> {
        let refusal = daemon(subject, format).argument("-t").start_in_vain()?;
        let lines: Vec<_> = refusal
            .output
            .lines()
            .filter_map(|line| Some(line.split_once("] ")?.1))
            .filter(|line| !line.contains("fpm.conf"))
            .collect();
        Ok((refusal.code, lines.join("\n")))
    };
    for format in REFUSED {
        let expected = refusal(&subject.original(), format)?;
        assert_eq!(refusal(subject, format)?, expected, "{format}");
    }
    Ok(())
}
