//! Output: buffering, flushing, callbacks.

use sapi::Completion;

use crate::cases;
use crate::php::{Call, Php};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_echo_is_a_write,
        output_buffering,
        flush_before_output,
        flush_after_output,
        implicit_flush,
        unfinished_buffers_are_sent,
        callback_changes_output,
        callback_that_fails,
        callback_that_exits,
        large_output,
        output_of_shutdown_functions_and_destructors,
        log_messages,
    ]
}

fn every_echo_is_a_write(php: &mut Php) {
    let answer = php.get("echo 'a'; flush(); echo 'b', ''; print 'c';");
    assert_eq!(
        answer.host.calls,
        [
            Call::Executing,
            Call::Head,
            Call::Write("a".into()),
            Call::Flush,
            Call::Write("bc".into()),
            Call::Executed {
                status: 200,
                exit_status: 0
            },
            Call::Answered,
        ]
    );
}

fn output_buffering(php: &mut Php) {
    php.set("output_buffering", "4096", sapi::IniAccess::User);
    let answer =
        php.get("echo 'a'; header('Late: yes'); echo str_repeat('b', 10), ob_get_level();");
    assert_eq!(answer.header("Late"), Some("yes"));
    assert_eq!(answer.body(), "abbbbbbbbbb1");
}

fn flush_before_output(php: &mut Php) {
    let answer = php.get("header('A: b'); flush(); echo 'x';");
    let flush = answer
        .host
        .calls
        .iter()
        .position(|call| *call == Call::Flush)
        .expect("a flush");
    let head = answer
        .host
        .calls
        .iter()
        .position(|call| *call == Call::Head)
        .expect("a head");
    // Since 8.4 flush() sends the headers.
    assert_eq!(head < flush, php.engine.version().starts_with("8.4"));
}

fn flush_after_output(php: &mut Php) {
    let answer = php.get("ob_start(); echo 'x'; ob_flush(); flush(); echo 'y';");
    let calls = &answer.host.calls;
    assert_eq!(
        calls[1..4],
        [Call::Head, Call::Write("x".into()), Call::Flush]
    );
    assert_eq!(answer.body(), "xy");
}

fn implicit_flush(php: &mut Php) {
    let answer = php.get("ob_implicit_flush(); echo 'x'; echo 'y';");
    let flushes = answer
        .host
        .calls
        .iter()
        .filter(|call| **call == Call::Flush)
        .count();
    assert!(flushes >= 2, "{:?}", answer.host.calls);
}

fn unfinished_buffers_are_sent(php: &mut Php) {
    assert_eq!(
        php.get("ob_start(); echo 'a'; ob_start(); echo 'b'; exit;")
            .body(),
        "ab"
    );
}

fn callback_changes_output(php: &mut Php) {
    assert_eq!(
        php.get("ob_start(fn($b) => strtoupper($b)); echo 'abc';")
            .body(),
        "ABC"
    );
}

fn callback_that_fails(php: &mut Php) {
    let answer =
        php.get("ob_start(function ($b) { throw new Exception('in callback'); }); echo 'abc';");
    // PHP can show nothing from inside a callback.
    assert_eq!(answer.body(), "");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(php.get("echo 'next';").body(), "next");
    let answer = php.get("ob_start(function ($b) { no_such_function(); }); echo 'abc'; ob_end_flush(); echo 'not reached';");
    assert!(answer.body().starts_with("abc\nFatal error"));
    assert_eq!(answer.outcome.exit_status, 255);
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn callback_that_exits(php: &mut Php) {
    let answer = php.get("ob_start(function ($b) { exit('bye'); }); echo 'abc';");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn large_output(php: &mut Php) {
    let answer =
        php.get("for ($i = 0; $i < 100; $i++) echo str_repeat(chr(65 + $i % 26), 100000);");
    assert_eq!(answer.host.body.len(), 10_000_000);
    assert_eq!(answer.host.body[9_999_999], b'A' + 99 % 26);
}

fn output_of_shutdown_functions_and_destructors(php: &mut Php) {
    let answer = php.get(
        "class D { function __destruct() { echo ' destroyed'; } } $d = new D; \
         register_shutdown_function(function () { echo ' shutdown'; }); echo 'script';",
    );
    assert_eq!(answer.body(), "script shutdown destroyed");
    let executed = Call::Executed {
        status: 200,
        exit_status: 0,
    };
    let position = answer
        .host
        .calls
        .iter()
        .position(|call| *call == executed)
        .expect("the call");
    assert_eq!(
        answer.host.calls[position + 1..],
        [Call::Write(" shutdown destroyed".into()), Call::Answered]
    );
}

fn log_messages(php: &mut Php) {
    php.set("log_errors", "1", sapi::IniAccess::User);
    let answer = php.get("error_log('one'); error_log(\"two\\nlines\"); echo $undefined;");
    assert!(
        answer
            .log()
            .starts_with("one\ntwo\nlines\nPHP Warning:  Undefined variable $undefined in "),
        "{}",
        answer.log()
    );
}
