//! The slow log: what it says of scripts that take too long, and that it does nothing else to them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, Gate, PhpVersion, Result, Subject, Under, under};

/// Scripts that do not end, and the calls that the log shows of them: `@` is the script, `CLOSURE` the name of a closure.
const SCENES: &[(&str, &str, &[&str])] = &[
    (
        "asleep",
        "function bar() {\n sleep(600);\n}\nbar();",
        &["sleep() @:3", "bar() @:5"],
    ),
    (
        "busy",
        "function burn() {\n while (true) { $i = 1; }\n}\nset_time_limit(0);\nburn();",
        &["burn() @:6"],
    ),
    (
        "busy at the top",
        "set_time_limit(0);\nwhile (true) { $i = 1; }",
        &[],
    ),
    (
        "in an include",
        "function load($file) {\n return include $file;\n}\nload(__DIR__ . '/part.inc');",
        &[
            "sleep() /part.inc:3",
            "part() /part.inc:5",
            "[INCLUDE_OR_EVAL]() @:3",
            "load() @:5",
        ],
    ),
    (
        "evaluated",
        "eval('function ev() { sleep(600); }\n\nev();');",
        &[
            "sleep() @(2) : eval()'d code:1",
            "ev() @(2) : eval()'d code:3",
            "[INCLUDE_OR_EVAL]() @:2",
        ],
    ),
    (
        "methods",
        "class K {\n function one() { self::two(); }\n static function two() { sleep(600); }\n \
         function __call($name, $arguments) { $this->one(); }\n}\n(new K)->nothing();",
        &["sleep() @:4", "two() @:3", "one() @:5", "__call() @:7"],
    ),
    (
        "in callbacks",
        "function each($x) { sleep(600); }\nfunction all() {\n array_map('each', [1]);\n}\nall();",
        &["sleep() @:2", "each() @:4", "array_map() @:4", "all() @:6"],
    ),
    (
        "a closure",
        "$f = function () { sleep(600); };\n$f();",
        &["sleep() @:2", "CLOSURE() @:3"],
    ),
    (
        "in a generator",
        "function numbers() { yield 1; sleep(600); }\nforeach (numbers() as $number);",
        &["sleep() @:2", "numbers() @:3"],
    ),
    (
        "in a generator within",
        "function inner() { yield 1; sleep(600); }\nfunction outer() { yield from inner(); }\nforeach (outer() as $n);",
        &["sleep() @:2", "inner() unknown:0", "???() @:4"],
    ),
    (
        "in a fiber",
        "function inside() { sleep(600); }\n$fiber = new Fiber('inside');\n$fiber->start();",
        &[
            "sleep() @:2",
            "inside() @:4",
            "[INCLUDE_OR_EVAL]() @:4",
            "start() @:4",
        ],
    ),
    (
        "in a destructor",
        "class K { function __destruct() { sleep(600); } }\nfunction drop() { $k = new K; $k = null; }\ndrop();",
        &["sleep() @:2", "__destruct() @:3", "drop() @:4"],
    ),
    (
        "in an error handler",
        "function handle() { sleep(600); }\nset_error_handler('handle');\necho $nothing;",
        &["sleep() @:2", "handle() @:4"],
    ),
    (
        "in an output callback",
        "function out($buffer) { sleep(600); return ''; }\nob_start('out');\necho 1;\nob_end_flush();",
        &["sleep() @:2", "out() @:5", "ob_end_flush() @:5"],
    ),
    (
        "loading a class",
        "spl_autoload_register('load');\nfunction load($class) { sleep(600); }\nnew Nothing;",
        &["sleep() @:3", "load() @:4"],
    ),
    (
        "in a system call",
        "function wait() { stream_socket_accept(stream_socket_server('tcp://127.0.0.1:0'), 600); }\nwait();",
        &["stream_socket_accept() @:2", "wait() @:3"],
    ),
];

/// The daemon with a slow log of its own and so many workers.
fn slow(workers: usize) -> Daemon {
    Daemon::new()
        .workers(u32::try_from(workers).unwrap_or(u32::MAX))
        .pool("slowlog = {dir}/slow.log\nrequest_slowlog_timeout = 1s")
        .file(
            "part.inc",
            "<?php\nfunction part() {\n sleep(600);\n}\npart();",
        )
}

/// Waits until so many entries are in the slow log and returns them, without the empty line before each.
fn entries(fpm: &Fpm, count: usize) -> Result<Vec<String>> {
    fpm.log().wait_for_nth("finished trace of", count)?;
    let text = fs::read_to_string(fpm.site().path("slow.log"))?;
    let text = text
        .strip_prefix('\n')
        .context("no empty line at the start")?;
    Ok(text
        .split("\n\n")
        .map(|entry| format!("{}\n", entry.trim_end()))
        .collect())
}

/// An entry without what is chance: time, process, addresses and the folder.
fn plain(fpm: &Fpm, entry: &str) -> Result<Vec<String>> {
    let root = fpm.site().root().to_str().context("UTF-8")?;
    let mut lines = entry.lines();
    let heading = lines.next().context("a heading")?;
    let (time, rest) = heading.split_once(']').context("a time")?;
    ensure!(time.len() == "[21-Nov-2026 01:17:13".len(), "{heading}");
    let pid = rest
        .strip_prefix("  [pool www] pid ")
        .context(heading.to_owned())?;
    ensure!(pid.parse::<u32>().is_ok(), "{heading}");
    lines
        .map(|line| {
            let Some((address, call)) = line.split_once("] ").filter(|_| line.starts_with("[0x"))
            else {
                return Ok(line.replace(root, ""));
            };
            ensure!(address.len() == "[0x00007fd757c13420".len(), "{line}");
            Ok(call.replace(root, ""))
        })
        .collect()
}

/// The entry of the only worker's script `/t.php`, as [`plain`] lines.
fn entry_of(daemon: Daemon, script: &str) -> Result<Vec<String>> {
    let fpm = daemon.file("t.php", format!("<?php {script}")).start()?;
    let _client = fpm.begin(&fpm.request("/t.php"))?;
    let entries = entries(&fpm, 1)?;
    plain(&fpm, &entries[0])
}

#[test]
fn calls_of_a_script_are_shown_whatever_it_does() -> Result {
    let mut daemon = slow(SCENES.len());
    for (number, (_, script, _)) in SCENES.iter().enumerate() {
        daemon = daemon.file(&format!("{number}.php"), format!("<?php\n{script}"));
    }
    let fpm = daemon.start()?;
    let clients: Result<Vec<_>> = (0..SCENES.len())
        .map(|number| fpm.begin(&fpm.request(&format!("/{number}.php"))))
        .collect();
    let _clients = clients?;
    let entries = entries(&fpm, SCENES.len())?;
    assert_eq!(entries.len(), SCENES.len());
    for (number, (name, _, calls)) in SCENES.iter().enumerate() {
        let heading = format!(
            "script_filename = {}/{number}.php\n",
            fpm.site().root().display()
        );
        let entry = entries
            .iter()
            .find(|entry| entry.contains(&heading))
            .with_context(|| format!("{name}: no entry"))?;
        let shown = plain(&fpm, entry)?;
        let script = format!("/{number}.php");
        let closure = match Subject::from_environment()?.php() {
            PhpVersion(8, ..4) => "{closure}".to_owned(),
            _ => format!("{{closure:{script}:2}}"),
        };
        let expected: Vec<_> = calls
            .iter()
            .map(|call| call.replace('@', &script).replace("CLOSURE", &closure))
            .collect();
        assert_eq!(shown[1..], expected, "{name}");
    }
    Ok(())
}

#[test]
fn slow_request_is_reported_and_counted_once() -> Result {
    let fpm = slow(2)
        .pool("pm.status_path = /status")
        .file("t.php", "<?php sleep(3); echo 'done';")
        .start()?;
    let mut client = fpm.begin(&fpm.request("/t.php?a=b"))?;
    let line = fpm.log().wait_for("executing too slow")?;
    let request = format!(
        "script '{}/t.php' (request: \"GET /t.php?a=b\") executing too slow (1.",
        fpm.site().root().display()
    );
    assert!(line.contains("WARNING: [pool www] child "), "{line}");
    assert!(
        line.contains(&request) && line.ends_with(" sec), logging"),
        "{line}"
    );
    assert_eq!(client.answer()?.text(), "done");
    // A second one, so that a second entry of the first would be there by now.
    fpm.get("/t.php")?;
    let entries = entries(&fpm, 2)?;
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(fpm.log().lines_with("executing too slow").len(), 2);
    assert!(
        fpm.status_page("")?
            .text()
            .contains("slow requests:        2\n")
    );
    Ok(())
}

#[test]
fn script_sleeps_to_the_end() -> Result {
    let script = "<?php $start = hrtime(true); $left = sleep(3); echo $left, hrtime(true) - $start >= 3e9 ? ' whole' : ' cut';";
    let fpm = slow(1).file("t.php", script).start()?;
    let answer = fpm.get("/t.php")?;
    entries(&fpm, 1)?;
    assert_eq!(answer.text(), "0 whole");
    Ok(())
}

#[test]
fn script_that_waits_for_a_file_is_not_disturbed() -> Result {
    let fpm = slow(1)
        .file("t.php", "<?php function wait() { return fgets(fopen($_GET['gate'], 'r')); }\necho 'got ', wait();")
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut client = fpm.begin(&fpm.request(&format!("/t.php?gate={}", gate.path().display())))?;
    let entries = entries(&fpm, 1)?;
    assert_eq!(
        plain(&fpm, &entries[0])?[1..],
        ["fgets() /t.php:1", "wait() /t.php:2"]
    );
    gate.open()?;
    assert_eq!(client.answer()?.text(), "got \n");
    Ok(())
}

#[test]
fn only_as_many_calls_are_shown_as_wanted() -> Result {
    let script = "function down($n) { $n ? down($n - 1) : sleep(600); }\ndown(50);";
    let shown = entry_of(slow(1).pool("request_slowlog_trace_depth = 3"), script)?;
    assert_eq!(
        shown[1..],
        ["sleep() /t.php:1", "down() /t.php:1", "down() /t.php:1"]
    );
    assert_eq!(entry_of(slow(1), script)?.len(), 1 + 20);
    let whole = entry_of(slow(1).pool("request_slowlog_trace_depth = 1000"), script)?;
    assert_eq!(whole.len(), 1 + 52);
    assert_eq!(whole.last().map(String::as_str), Some("down() /t.php:2"));
    Ok(())
}

#[test]
fn shutdown_functions_and_idle_connections_are_not_slow() -> Result {
    let fpm = slow(2)
        .file("late.php", "<?php register_shutdown_function('sleep', 3);")
        .file("after.php", "<?php fastcgi_finish_request(); sleep(3);")
        .file("echo.php", "<?php echo 'hello';")
        .file("t.php", "<?php sleep(3);")
        .start()?;
    let mut kept = fpm.connect()?;
    kept.send(&fpm.request("/echo.php").keep_connection())?;
    kept.answer()?;
    fpm.get("/late.php")?;
    fpm.get("/after.php")?;
    // By the end of this one they would have been found.
    fpm.get("/t.php")?;
    let entries = entries(&fpm, 1)?;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].contains("/t.php\n"), "{entries:?}");
    Ok(())
}

#[test]
fn worker_in_a_chroot_is_traced() -> Result {
    let fpm = slow(1)
        .pool("chroot = {dir}/www\nchdir = /")
        .file("t.php", "<?php function wait() { sleep(600); }\nwait();")
        .start()?;
    let request = fpm.request("/t.php").param("SCRIPT_FILENAME", "/t.php");
    let _client = fpm.begin(&request)?;
    let entries = entries(&fpm, 1)?;
    assert_eq!(
        plain(&fpm, &entries[0])?,
        [
            "script_filename = /t.php",
            "sleep() /t.php:1",
            "wait() /t.php:2"
        ]
    );
    Ok(())
}

#[test]
fn log_that_was_moved_away_is_made_anew() -> Result {
    let fpm = slow(2).file("t.php", "<?php sleep(600);").start()?;
    let log = fpm.site().path("slow.log");
    let mode = fs::metadata(&log)?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "it is made at the start");
    let _first = fpm.begin(&fpm.request("/t.php"))?;
    entries(&fpm, 1)?;
    fs::rename(&log, fpm.site().path("slow.log.1"))?;
    let _second = fpm.begin(&fpm.request("/t.php"))?;
    assert_eq!(entries(&fpm, 2)?.len(), 1);
    Ok(())
}

#[test]
fn fpmd_looks_on_without_stopping_anybody() -> Result {
    let fpm = slow(1).file("t.php", "<?php sleep(600);").start()?;
    let _client = fpm.begin(&fpm.request("/t.php"))?;
    entries(&fpm, 1)?;
    let stopped = fpm.log().lines_with("stopped for tracing").len();
    match under()? {
        Under::Fpmd => assert_eq!(stopped, 0),
        Under::Original => assert_eq!(stopped, 1),
    }
    Ok(())
}
