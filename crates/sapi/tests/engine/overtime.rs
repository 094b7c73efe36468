//! Requests whose time is over: which error their scripts get, where, and what is left of it for the
//! next request.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use sapi::{Scope, StartOptions, TimeLimit};

use crate::cases;
use crate::php::{Answer, Call, Php, Request};
use crate::suite::{Case, Suite};

/// The limit of these requests.
const LIMIT: Duration = Duration::from_millis(100);

/// How often PHP is reminded: far more often than a worker's watchdog does it, for that must not matter.
const BEAT: Duration = Duration::from_millis(5);

/// The error, with the seconds that [`limited`] names.
const ERROR: &str = "Maximum execution time of 7 seconds exceeded";

/// Runs for three times the limit.
const LONG: &str = "$end = microtime(true) + 0.3; while (microtime(true) < $end) { } ";

pub(crate) fn cases() -> Vec<Case> {
    cases![who_limits_no_time_has_no_errors]
}

pub(crate) fn suites() -> Vec<Suite> {
    vec![
        Suite {
            name: "time limits",
            options: limiting,
            cases: cases![
                busy_script,
                sleeping_script,
                script_inside_internal_functions,
                neither_catch_nor_finally_sees_it,
                limit_of_php_itself_does_not_count,
                status_when_nothing_was_sent,
                status_when_the_answer_has_begun,
                shutdown_functions_have_their_time,
                shutdown_functions_of_a_script_in_time,
                work_after_the_answer,
                prepared_answers_are_not_limited,
            ],
        },
        Suite {
            name: "time limits jit",
            options: limiting_jit,
            cases: cases![busy_script, script_inside_internal_functions],
        },
    ]
}

fn limiting(_: &Path) -> StartOptions {
    StartOptions {
        limits_time: true,
        ..crate::with(&[])
    }
}

fn limiting_jit(folder: &Path) -> StartOptions {
    StartOptions {
        limits_time: true,
        ..crate::opcache::jit(folder)
    }
}

/// Gives `request` its limit and runs it while PHP is reminded all the time, as is the request after it. Returns the answer and how
/// long it took.
fn limited(php: &mut Php, mut request: Request, scope: Scope) -> (Answer, Duration) {
    let reminder = php.engine.reminder().expect("sigaction");
    let (done, wait) = mpsc::channel::<()>();
    let beat = thread::spawn(move || {
        while wait.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            reminder.send();
        }
    });
    let began = Instant::now();
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock"));
    request.limit = Some(TimeLimit {
        at: now + LIMIT,
        seconds: 7,
        scope,
    });
    let answer = request.run(php);
    let taken = began.elapsed();
    let next = php.get(&format!("{LONG} echo 'next';"));
    assert_eq!((next.body(), next.head().status), ("next", 200));
    drop(done);
    beat.join().expect("the reminding thread");
    (answer, taken)
}

fn run(php: &mut Php, code: &str, scope: Scope) -> Answer {
    let script = php.script(code);
    limited(php, script, scope).0
}

/// The script got the error, once, and its shutdown functions ran.
fn assert_overran(answer: &Answer, status: u16) {
    let body = answer.body();
    assert_eq!(body.matches(ERROR).count(), 1, "{body}");
    let overran = |call: &&Call| **call == Call::Overran;
    assert_eq!(answer.host.calls.iter().filter(overran).count(), 1);
    assert_eq!(answer.head().status, status, "{body}");
}

fn busy_script(php: &mut Php) {
    for code in [
        "while (true) { }",
        "function f() { for ($i = 0;; $i++) { $x = $i * 2; } } f();",
        "function g($n) { return $n + 1; } $n = 0; while (true) { $n = g($n); }",
        "(new Fiber(function () { while (true) { } }))->start();",
        "eval('while (true) { }');",
    ] {
        let code =
            format!("register_shutdown_function(function () {{ echo 'shut down'; }}); {code}");
        let answer = run(php, &code, Scope::Answer);
        assert_overran(&answer, 504);
        assert!(answer.body().ends_with("shut down"), "{}", answer.body());
        assert_eq!(
            (answer.outcome.status, answer.outcome.exit_status),
            (504, 255)
        );
    }
}

fn sleeping_script(php: &mut Php) {
    for code in [
        "sleep(60);",
        "usleep(60000000);",
        "time_nanosleep(60, 0);",
        "while (true) { sleep(60); }",
        "posix_mkfifo(__FILE__ . '.fifo', 0600); fread(fopen(__FILE__ . '.fifo', 'r+'), 1);",
    ] {
        let script = php.script(&format!("{code} echo 'never';"));
        let (answer, taken) = limited(php, script, Scope::Answer);
        assert_overran(&answer, 504);
        assert!(!answer.body().contains("never"), "{code}");
        assert!(taken < Duration::from_secs(30), "{code}: {taken:?}");
    }
}

fn script_inside_internal_functions(php: &mut Php) {
    for code in [
        "array_map(function ($x) { while (true) { } }, [1]);",
        "$a = range(1, 100); while (true) { usort($a, fn ($x, $y) => $y <=> $x); }",
        "foreach ((function () { while (true) { yield 1; } })() as $x) { }",
        "preg_replace_callback('/x/', function () { sleep(60); return ''; }, 'xx');",
    ] {
        assert_overran(&run(php, code, Scope::Answer), 504);
    }
}

fn neither_catch_nor_finally_sees_it(php: &mut Php) {
    let code = "class D { function __destruct() { echo 'too late'; } } $d = new D; \
                try { while (true) { } } catch (Throwable $e) { echo 'in catch'; } finally { echo 'in finally'; }";
    let answer = run(php, code, Scope::Answer);
    assert_overran(&answer, 504);
    for word in ["in catch", "in finally", "too late"] {
        assert!(!answer.body().contains(word), "{}", answer.body());
    }
}

fn limit_of_php_itself_does_not_count(php: &mut Php) {
    for code in ["set_time_limit(0);", "set_time_limit(300);"] {
        let answer = run(php, &format!("{code} while (true) {{ }}"), Scope::Answer);
        assert_overran(&answer, 504);
    }
    // Its own comes first.
    let code = "set_time_limit(1); while (true) { }";
    let answer = php.get(code);
    assert!(answer.body().contains("time of 1 second exceeded"));
}

fn status_when_nothing_was_sent(php: &mut Php) {
    for code in [
        "http_response_code(201); while (true) { }",
        "header('HTTP/1.1 299 Fine'); while (true) { }",
        "ob_start(); echo 'part '; while (true) { }",
        "ini_set('display_errors', '0'); echo ' '; ob_start(); while (true) { }",
    ] {
        let script = php.script(&format!("ob_start(); {code}"));
        let (answer, _) = limited(php, script, Scope::Answer);
        assert_eq!(
            (answer.head().status, &answer.head().status_line),
            (504, &None),
            "{code}"
        );
        assert_eq!(answer.body().contains("part "), code.contains("part "));
    }
    // A shutdown function may know better.
    let code = "register_shutdown_function(function () { http_response_code(503); }); ob_start(); while (true) { }";
    assert_overran(&run(php, code, Scope::Answer), 503);
}

fn status_when_the_answer_has_begun(php: &mut Php) {
    let answer = run(
        php,
        "echo 'part '; flush(); while (true) { }",
        Scope::Answer,
    );
    assert_overran(&answer, 200);
    assert!(answer.body().starts_with("part "));
}

fn shutdown_functions_have_their_time(php: &mut Php) {
    for scope in [Scope::Answer, Scope::Everything] {
        let code = format!(
            "register_shutdown_function(function () {{ {LONG} echo error_get_last()['message'], ' done'; }}); \
             ini_set('display_errors', '0'); set_time_limit(1); while (true) {{ }}"
        );
        let answer = run(php, &code, scope);
        assert_overran(&answer, 504);
        assert!(
            answer.body().ends_with("exceeded done"),
            "{}",
            answer.body()
        );
    }
}

fn shutdown_functions_of_a_script_in_time(php: &mut Php) {
    let code = format!(
        "register_shutdown_function(function () {{ {LONG} echo 'done'; }}); echo 'script ';"
    );
    let answer = run(php, &code, Scope::Answer);
    assert_eq!(answer.body(), "script done");
    let answer = run(php, &code, Scope::Everything);
    assert_overran(&answer, 200);
    assert!(!answer.body().contains("done"));
    let code = "register_shutdown_function(function () { echo 'second'; while (true) { } }); \
                register_shutdown_function(function () { echo 'third'; }); ob_start();";
    let answer = run(php, code, Scope::Everything);
    // As for any error in a shutdown function, those behind it are left out.
    assert_overran(&answer, 504);
}

fn work_after_the_answer(php: &mut Php) {
    let code = format!(
        "echo 'answer'; fastcgi_finish_request(); {LONG} file_put_contents(__FILE__ . '.end', 'x');"
    );
    for (scope, ended) in [(Scope::Answer, true), (Scope::Everything, false)] {
        let script = php.script(&code);
        let file = script
            .script
            .as_ref()
            .expect("a script")
            .to_str()
            .expect("UTF-8");
        let end = format!("{file}.end");
        let (answer, _) = limited(php, script, scope);
        assert_eq!(answer.head().status, 200);
        assert_eq!(Path::new(&end).exists(), ended, "{scope:?}");
        assert_eq!(answer.host.calls.contains(&Call::Overran), !ended);
    }
}

fn prepared_answers_are_not_limited(php: &mut Php) {
    let request = php.script("").answer(200, &[], b"pong");
    let (answer, _) = limited(php, request, Scope::Everything);
    assert_eq!(answer.body(), "pong");
}

/// Every call would be slower, and nobody had asked for it.
fn who_limits_no_time_has_no_errors(php: &mut Php) {
    let code = format!("{LONG} echo 'done';");
    assert_eq!(run(php, &code, Scope::Everything).body(), "done");
}
