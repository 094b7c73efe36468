//! The order of things in a request, and what is left of it for the next one.

use std::os::unix::fs::PermissionsExt;
use std::{fs, path::Path};

use nix::libc;
use nix::unistd::{Uid, seteuid};
use sapi::Completion;

use crate::cases;
use crate::php::{Call, Php, Request};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        hello,
        identity,
        many_requests,
        head_has_no_body,
        no_method_runs_nothing,
        prepared_answer,
        prepared_answer_to_head,
        missing_script,
        unreadable_script,
        status_404_is_kept_until_changed,
        exit_status_does_not_leak,
        authorization_does_not_leak,
        memory_peak_is_per_request,
        there_is_no_second_start,
        a_script_that_forks,
    ]
}

fn hello(php: &mut Php) {
    let answer = php.get("echo 'Hello';");
    assert_eq!(answer.body(), "Hello");
    assert_eq!(answer.outcome.completion, Completion::Finished);
    assert_eq!(answer.outcome.status, 200);
    assert_eq!(
        answer.host.calls,
        [
            Call::Executing,
            Call::Head,
            Call::Write("Hello".into()),
            Call::Executed {
                status: 200,
                exit_status: 0
            },
            Call::Answered,
        ]
    );
}

fn identity(php: &mut Php) {
    let answer = php.get("echo PHP_SAPI, ' ', PHP_BINARY, ' ', PHP_VERSION;");
    let program = std::env::current_exe().expect("the test has a path");
    assert_eq!(
        answer.body(),
        format!("fpm-fcgi {} {}", program.display(), php.engine.version())
    );
    assert_eq!(php.engine.version(), sapi::built_version());
}

fn many_requests(php: &mut Php) {
    let script = php.file(
        "count.php",
        "<?php echo $_GET['n'], isset($GLOBALS['x']) ? 'leak' : '', $x = str_repeat('x', 10);",
    );
    for n in 0..1000 {
        let answer = Request::new(&script)
            .with("QUERY_STRING", format!("n={n}"))
            .run(php);
        assert_eq!(answer.body(), format!("{n}xxxxxxxxxx"));
    }
}

fn head_has_no_body(php: &mut Php) {
    let answer = php
        .script("header('X-A: b'); echo 'body'; echo 'more';")
        .with("REQUEST_METHOD", "HEAD")
        .run(php);
    assert_eq!(answer.body(), "");
    assert_eq!(answer.header("X-A"), Some("b"));
}

fn no_method_runs_nothing(php: &mut Php) {
    let answer = php
        .script("echo 'executed';")
        .without("REQUEST_METHOD")
        .run(php);
    assert_eq!(answer.body(), "");
    assert_eq!(answer.head().status, 200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/html; charset=UTF-8")
    );
    assert_eq!(
        answer.host.calls,
        [
            Call::Executed {
                status: 200,
                exit_status: 0
            },
            Call::Head,
            Call::Answered
        ]
    );
}

fn prepared_answer(php: &mut Php) {
    let headers: [&[u8]; 2] = [b"Content-Type: text/plain", b"Cache-Control: no-cache"];
    let answer = php
        .script("echo 'executed';")
        .answer(403, &headers, b"Access denied.\n")
        .run(php);
    assert_eq!(answer.body(), "Access denied.\n");
    assert_eq!(answer.head().status, 403);
    assert_eq!(answer.outcome.status, 403);
    assert_eq!(
        answer.head().headers,
        [
            format!("X-Powered-By: PHP/{}", php.engine.version()),
            "Content-type: text/plain;charset=UTF-8".to_owned(),
            "Cache-Control: no-cache".to_owned(),
        ]
    );
}

fn prepared_answer_to_head(php: &mut Php) {
    let request = php.script("").with("REQUEST_METHOD", "HEAD");
    let answer = request.answer(404, &[], b"File not found.\n").run(php);
    assert_eq!(answer.body(), "");
    assert_eq!(answer.head().status, 404);
}

fn missing_script(php: &mut Php) {
    let path = php.folder.join("missing.php");
    let answer = Request::new(&path).run(php);
    assert_eq!(answer.body(), "No input file specified.\n");
    assert_eq!(answer.head().status, 404);
    let denied = Call::Denied(
        std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no NUL"),
        libc::ENOENT,
    );
    assert!(
        answer.host.calls.contains(&denied),
        "{:?}",
        answer.host.calls
    );
    assert!(!answer.host.calls.contains(&Call::Executing));
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn unreadable_script(php: &mut Php) {
    let path = php.file("secret.php", "<?php echo 'secret';");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("chmod");
    fs::set_permissions(&php.folder, fs::Permissions::from_mode(0o755)).expect("chmod");
    if Uid::effective().is_root() {
        seteuid(Uid::from_raw(65534)).expect("seteuid");
    }
    let answer = Request::new(&path).run(php);
    assert_eq!(answer.body(), "Access denied.\n");
    assert_eq!(answer.outcome.status, 403);
    assert!(
        answer
            .host
            .calls
            .iter()
            .any(|call| matches!(call, Call::Denied(_, libc::EACCES)))
    );
}

fn status_404_is_kept_until_changed(php: &mut Php) {
    let mut request = php.script("echo http_response_code();");
    request.status = 404;
    let answer = request.run(php);
    assert_eq!((answer.body(), answer.head().status), ("404", 404));
    assert_eq!(php.get("echo http_response_code();").body(), "200");
}

fn exit_status_does_not_leak(php: &mut Php) {
    assert_eq!(php.get("exit(7);").outcome.exit_status, 7);
    assert_eq!(php.get("echo 'x';").outcome.exit_status, 0);
    assert_eq!(php.get("exit(7);").outcome.exit_status, 7);
    assert_eq!(
        Request::new(Path::new("/missing.php"))
            .run(php)
            .outcome
            .exit_status,
        0
    );
}

fn authorization_does_not_leak(php: &mut Php) {
    let show = "echo json_encode(array_filter($_SERVER, fn($n) => str_starts_with($n, 'PHP_AUTH'), ARRAY_FILTER_USE_KEY));";
    // user:secret
    let answer = php
        .script(show)
        .with("HTTP_AUTHORIZATION", "Basic dXNlcjpzZWNyZXQ=")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"{"PHP_AUTH_USER":"user","PHP_AUTH_PW":"secret"}"#
    );
    assert_eq!(
        answer.host.calls[0],
        Call::Authenticated(c"user".to_owned())
    );
    assert_eq!(php.get(show).body(), "[]");

    // A request that does not come to a script must not hand its user on either.
    let missing = Request::new(Path::new("/missing.php"))
        .with("HTTP_AUTHORIZATION", "Basic dXNlcjpzZWNyZXQ=");
    assert_eq!(missing.run(php).outcome.status, 404);
    assert_eq!(php.get(show).body(), "[]");

    let digest = php
        .script(show)
        .with("HTTP_AUTHORIZATION", r#"Digest username="u""#)
        .run(php);
    assert_eq!(digest.body(), r#"{"PHP_AUTH_DIGEST":"username=\"u\""}"#);
    let bearer = php
        .script(show)
        .with("HTTP_AUTHORIZATION", "Bearer x")
        .run(php);
    assert_eq!(bearer.body(), "[]");
}

fn memory_peak_is_per_request(php: &mut Php) {
    let large = php.get("$x = str_repeat('x', 32 << 20); echo strlen($x);");
    assert!(large.outcome.memory_peak > 32 << 20);
    assert_eq!(large.outcome.memory_peak, large.host.memory_peak);
    let small = php.get("echo 1;");
    assert!(
        (1..16 << 20).contains(&small.outcome.memory_peak),
        "{}",
        small.outcome.memory_peak
    );
}

fn there_is_no_second_start(_: &mut Php) {
    let again = sapi::Engine::start(&crate::with(&[]), |_| ());
    assert!(matches!(again, Err(sapi::SapiError::AlreadyStarted)));
}

fn a_script_that_forks(php: &mut Php) {
    let answer = php.get(
        "register_shutdown_function(function () { file_put_contents(__DIR__ . '/trace', getmypid() . ' ', FILE_APPEND); }); \
         echo 'before '; $child = pcntl_fork(); \
         if ($child == 0) { ob_start(); echo 'of the child'; exit(3); } \
         pcntl_waitpid($child, $status); echo 'status ', pcntl_wexitstatus($status), ' ', $child;",
    );
    let child = answer
        .body()
        .strip_prefix("before status 3 ")
        .expect("the child's id");
    let trace = fs::read_to_string(php.folder.join("trace")).expect("read");
    assert_eq!(trace, format!("{child} {} ", std::process::id()));
    assert_eq!(answer.host.calls.last(), Some(&Call::Answered));
}
