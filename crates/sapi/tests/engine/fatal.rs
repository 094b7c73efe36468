//! Scripts that die: what the client gets, and that the next request does not notice.

use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use sapi::{Completion, IniAccess, StartOptions};

use crate::cases;
use crate::php::{Answer, Php};
use crate::suite::{Case, Suite, in_child};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        exit_with_text,
        exit_with_status,
        uncaught_exception,
        fatal_error,
        parse_error,
        memory_limit,
        memory_limit_while_starting,
        execution_time,
        execution_time_in_shutdown_function,
        endless_recursion,
        death_in_shutdown_function,
        death_in_destructor,
        death_in_every_stage,
        error_header,
        error_header_after_output,
        death_inside_a_fiber,
        trigger_error_user,
        hard_timeout,
    ]
}

pub(crate) fn suites() -> Vec<Suite> {
    vec![Suite {
        name: "unbounded stack",
        options: unbounded_stack,
        cases: cases![stack_overflow],
    }]
}

/// The script died of an error that contains `message`, and the next one is fine.
fn assert_died(php: &mut Php, answer: &Answer, message: &str) {
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert!(
        answer.body().contains(message),
        "{message:?} is not in: {}",
        answer.body()
    );
    assert_eq!(answer.outcome.exit_status, 255);
    let next = php.get("$x = str_repeat('x', 1000); register_shutdown_function(function () { echo '.'; }); echo strlen($x);");
    assert_eq!((next.body(), next.outcome.exit_status), ("1000.", 0));
}

fn exit_with_text(php: &mut Php) {
    let answer = php.get("echo 'a'; exit('bye'); echo 'never';");
    assert_eq!((answer.body(), answer.outcome.exit_status), ("abye", 0));
}

fn exit_with_status(php: &mut Php) {
    let answer = php.get("register_shutdown_function(function () { echo 'shutdown'; }); exit(3);");
    assert_eq!((answer.body(), answer.outcome.exit_status), ("shutdown", 3));
}

fn uncaught_exception(php: &mut Php) {
    let answer = php.get("throw new RuntimeException('boom');");
    assert_eq!(
        answer.outcome.status, 200,
        "errors were displayed, so there was output before the status could change"
    );
    assert_died(php, &answer, "Uncaught RuntimeException: boom");
    php.set("display_errors", "0", IniAccess::User);
    let answer = php.get("throw new RuntimeException('boom');");
    assert_eq!((answer.head().status, answer.body()), (500, ""));
}

fn fatal_error(php: &mut Php) {
    let answer = php.get("echo 'before'; no_such_function(); echo 'after';");
    assert_died(
        php,
        &answer,
        "Call to undefined function no_such_function()",
    );
    assert!(answer.body().starts_with("before"));
    let answer = php.get("class A { abstract function f(); }");
    assert_died(php, &answer, "Class A contains 1 abstract method");
}

fn parse_error(php: &mut Php) {
    let answer = php.get("if (");
    assert_died(php, &answer, "Parse error: Unclosed '('");
}

fn memory_limit(php: &mut Php) {
    let answer = php.get(
        "ini_set('memory_limit', '8M'); $x = []; while (true) $x[] = str_repeat('x', 100000);",
    );
    assert_died(
        php,
        &answer,
        "Allowed memory size of 8388608 bytes exhausted",
    );
    let answer = php.get(
        "ini_set('memory_limit', '8M'); ob_start(); while (true) echo str_repeat('x', 100000);",
    );
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn memory_limit_while_starting(php: &mut Php) {
    php.set("memory_limit", "4M", IniAccess::System);
    php.set("post_max_size", "0", IniAccess::System);
    let body: String = (0..900)
        .map(|n| format!("v{n}={}&", "x".repeat(9000)))
        .collect();
    let answer = php
        .script("echo count($_POST);")
        .post("application/x-www-form-urlencoded", body)
        .run(php);
    assert_eq!(answer.outcome.completion, Completion::StartupFailed);
    assert!(
        answer.body().contains("Allowed memory size"),
        "{}",
        answer.body()
    );
}

fn execution_time(php: &mut Php) {
    let answer = php.get("set_time_limit(1); while (true) {}");
    assert_died(php, &answer, "Maximum execution time of 1 second exceeded");
}

fn execution_time_in_shutdown_function(php: &mut Php) {
    let answer =
        php.get("register_shutdown_function(function () { set_time_limit(1); while (true) {} });");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert!(
        answer
            .body()
            .contains("Maximum execution time of 1 second exceeded"),
        "{}",
        answer.body()
    );
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn endless_recursion(php: &mut Php) {
    let code = "ini_set('memory_limit', '64M'); function f($n) { return f($n + 1) + 1; } f(0);";
    let answer = php.get(code);
    assert_died(
        php,
        &answer,
        "Allowed memory size of 67108864 bytes exhausted",
    );
    if php.engine.version().starts_with("8.4") {
        // Through an internal function the recursion takes the C stack.
        let answer = php.get("function g($n) { return array_map('g', [$n + 1]); } g(0);");
        assert_died(php, &answer, "Maximum call stack size of");
    }
}

fn death_in_shutdown_function(php: &mut Php) {
    let answer = php.get(
        "register_shutdown_function(function () { no_such_function(); }); \
         register_shutdown_function(function () { echo 'second'; }); echo 'script ';",
    );
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert!(answer.body().starts_with("script "), "{}", answer.body());
    assert!(
        answer.body().contains("no_such_function"),
        "{}",
        answer.body()
    );
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn death_in_destructor(php: &mut Php) {
    let answer = php.get("class D { function __destruct() { throw new Exception('late'); } } $d = new D; echo 'script ';");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert!(answer.body().contains("late"), "{}", answer.body());
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn death_in_every_stage(php: &mut Php) {
    let answer = php.get(
        "class D { function __destruct() { exit('destructor '); } } $d = new D; \
         ob_start(function ($b) { return $b . 'callback '; }); \
         register_shutdown_function(function () { echo 'shutdown '; exit; }); echo 'script '; exit;",
    );
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert!(
        answer.body().starts_with("script shutdown "),
        "{}",
        answer.body()
    );
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn error_header(php: &mut Php) {
    php.set(
        "fastcgi.error_header",
        "HTTP/1.1 550 PHP Error",
        IniAccess::System,
    );
    php.set("output_buffering", "4096", IniAccess::System);
    let answer = php.get("no_such_function();");
    assert_eq!(answer.head().status, 550);
    assert_eq!(
        answer.head().status_line,
        Some("HTTP/1.1 550 PHP Error".into())
    );
    let answer = php.get("echo 'fine';");
    assert_eq!(
        (answer.head().status, &answer.head().status_line),
        (200, &None)
    );
}

fn error_header_after_output(php: &mut Php) {
    php.set(
        "fastcgi.error_header",
        "HTTP/1.1 550 PHP Error",
        IniAccess::System,
    );
    let answer = php.get("fastcgi_finish_request(); no_such_function();");
    assert_eq!(
        (answer.head().status, &answer.head().status_line),
        (200, &None)
    );
    assert!(
        !answer.body().contains("headers already sent"),
        "{}",
        answer.body()
    );
}

fn death_inside_a_fiber(php: &mut Php) {
    let answer = php.get("$f = new Fiber(function () { Fiber::suspend(); no_such_function(); }); $f->start(); $f->resume();");
    assert_died(php, &answer, "no_such_function");
    let answer = php.get("$f = new Fiber(function () { exit(4); }); $f->start();");
    assert_eq!(answer.outcome.exit_status, 4);
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn trigger_error_user(php: &mut Php) {
    // E_USER_ERROR ends the script (deprecated in 8.4, still fatal).
    let answer = php.get("error_reporting(E_ALL & ~E_DEPRECATED); trigger_error('mine', E_USER_ERROR); echo 'after';");
    assert_died(php, &answer, "mine");
}

fn hard_timeout(php: &mut Php) {
    let ended = in_child(|| {
        php.engine.after_fork();
        php.get("ini_set('max_execution_time', '1'); ini_set('hard_timeout', '1'); hash_pbkdf2('sha512', 'a', 'b', 2000000000);");
        true
    });
    assert!(matches!(ended, WaitStatus::Exited(_, 124)), "{ended:?}");
}

fn unbounded_stack(_: &Path) -> StartOptions {
    // Since 8.3 PHP bounds the use of the C stack.
    crate::with(&["zend.max_allowed_stack_size=-1"])
}

fn stack_overflow(php: &mut Php) {
    let ended = in_child(|| {
        php.engine.after_fork();
        let endless = "function g($n) { return array_map('g', [$n + 1]); } g(0);";
        php.get(&format!("ini_set('memory_limit', -1); {endless}"));
        true
    });
    let by_the_kernel = matches!(ended, WaitStatus::Signaled(_, Signal::SIGSEGV, _));
    assert!(by_the_kernel, "{ended:?}");
}
