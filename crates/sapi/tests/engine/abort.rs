//! Clients that go away.

use sapi::{Completion, FinishRequest};

use crate::cases;
use crate::php::{Call, Php};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        script_ends_at_the_failed_write,
        shutdown_functions_still_run,
        ignoring_the_abort,
        gone_before_the_head,
        gone_at_flush,
        gone_in_the_last_output,
        finished_then_gone,
    ]
}

/// The file that scripts leave a trace in.
fn trace(php: &Php) -> String {
    std::fs::read_to_string(php.folder.join("trace")).unwrap_or_default()
}

const TRACE: &str =
    "function trace($x) { file_put_contents(__DIR__ . '/trace', $x, FILE_APPEND); } ";

fn script_ends_at_the_failed_write(php: &mut Php) {
    let code =
        format!("{TRACE} echo 'first'; trace('reached '); echo 'second'; trace('not reached');");
    let answer = php
        .script(&code)
        .host(|host| host.gone_after = Some(5))
        .run(php);
    assert_eq!(answer.body(), "first");
    assert_eq!(trace(php), "reached ");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(php.get("echo connection_status(), 'next';").body(), "0next");
}

fn shutdown_functions_still_run(php: &mut Php) {
    let code = format!(
        "{TRACE} register_shutdown_function(function () {{ trace('shutdown ' . connection_aborted() . connection_status()); }}); \
         echo 'first'; echo 'second'; trace('not reached');"
    );
    php.script(&code)
        .host(|host| host.gone_after = Some(5))
        .run(php);
    assert_eq!(trace(php), "shutdown 11");
}

fn ignoring_the_abort(php: &mut Php) {
    let code = format!(
        "{TRACE} ignore_user_abort(true); echo 'first'; trace(connection_aborted()); echo 'second'; trace(connection_aborted()); echo 'third'; trace('end');"
    );
    let answer = php
        .script(&code)
        .host(|host| host.gone_after = Some(5))
        .run(php);
    assert_eq!(trace(php), "01end");
    assert_eq!(answer.body(), "first");
}

fn gone_before_the_head(php: &mut Php) {
    let code = format!("{TRACE} trace('a'); echo 'first'; trace('not reached');");
    php.script(&code)
        .host(|host| host.gone_after = Some(0))
        .run(php);
    assert_eq!(trace(php), "a");
}

fn gone_at_flush(php: &mut Php) {
    let code = format!("{TRACE} echo 'first'; flush(); trace('not reached');");
    php.script(&code)
        .host(|host| host.gone_after = Some(5))
        .run(php);
    assert_eq!(trace(php), "");
}

fn gone_in_the_last_output(php: &mut Php) {
    let answer = php
        .script("ob_start(); echo 'buffered';")
        .host(|host| host.gone_after = Some(0))
        .run(php);
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(answer.host.calls.last(), Some(&Call::Answered));
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn finished_then_gone(php: &mut Php) {
    let code = format!(
        "{TRACE} echo 'first'; fastcgi_finish_request(); trace('working '); echo 'dropped'; trace('not reached');"
    );
    let request = php.script(&code).host(|host| {
        host.gone_after = Some(5);
        host.finish = Some(FinishRequest::Closed);
    });
    assert_eq!(request.run(php).body(), "first");
    assert_eq!(trace(php), "working ");
}
