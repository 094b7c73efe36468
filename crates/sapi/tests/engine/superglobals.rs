//! `$_SERVER`, `$_ENV`, `getenv()` and friends: content, order, filtering.

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        server_order,
        server_values,
        process_environment_comes_first,
        getenv_prefers_the_request,
        getenv_of_everything,
        env_is_a_copy_of_server,
        httpoxy,
        query_and_cookies,
        argv_from_the_query,
        values_end_at_nul_in_server_only,
        long_names,
        odd_parameters,
        request_time,
    ]
}

/// Leaves the process with these variables only.
fn process_environment(variables: &[(&str, &str)]) {
    for (name, _) in std::env::vars_os() {
        // SAFETY: the case has its process for itself and one thread.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in variables {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
}

fn server_order(php: &mut Php) {
    process_environment(&[("USER", "www-data"), ("HOME", "/var/www")]);
    let answer = php
        .script("echo implode(' ', array_keys($_SERVER));")
        .with("HTTP_AUTHORIZATION", "Basic dTpw")
        .with("QUERY_STRING", "a=1+b")
        .with("FCGI_ROLE", "RESPONDER")
        .run(php);
    assert_eq!(
        answer.body(),
        "USER HOME FCGI_ROLE QUERY_STRING HTTP_AUTHORIZATION REQUEST_METHOD SCRIPT_NAME SCRIPT_FILENAME PHP_SELF \
         PHP_AUTH_USER PHP_AUTH_PW REQUEST_TIME_FLOAT REQUEST_TIME argv argc"
    );
}

fn server_values(php: &mut Php) {
    let mut request = php.script("echo json_encode([$_SERVER['HTTP_X'], $_SERVER['PHP_SELF'], $_SERVER['EMPTY'], $_SERVER['A_B']]);");
    request = request
        .with("HTTP_X", "ä\"</>")
        .with("EMPTY", "")
        .with("A B", "blank");
    request.php_self = "/index.php/info".into();
    assert_eq!(
        request.run(php).body(),
        r#"["\u00e4\"<\/>","\/index.php\/info","","blank"]"#
    );
}

fn process_environment_comes_first(php: &mut Php) {
    process_environment(&[("SHARED", "process"), ("ONLY", "process")]);
    let answer = php
        .script(
            "echo json_encode([array_key_first($_SERVER), $_SERVER['SHARED'], $_SERVER['ONLY']]);",
        )
        .with("SHARED", "request")
        .run(php);
    assert_eq!(answer.body(), r#"["SHARED","request","process"]"#);
}

fn getenv_prefers_the_request(php: &mut Php) {
    process_environment(&[("SHARED", "process"), ("ONLY", "process")]);
    let answer = php
        .script(
            "echo json_encode([getenv('SHARED'), getenv('SHARED', true), getenv('ONLY'), getenv('NEW'), getenv('NEW', true), \
             getenv('NONE'), putenv('NEW=put'), getenv('NEW'), getenv('NEW', true)]);",
        )
        .with("SHARED", "request")
        .with("NEW", "request")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"["request","process","process","request",false,false,true,"request","put"]"#
    );
    assert_eq!(
        php.get("echo json_encode([getenv('SHARED'), getenv('NEW')]);")
            .body(),
        r#"["process",false]"#
    );
}

fn getenv_of_everything(php: &mut Php) {
    process_environment(&[("P", "process")]);
    let answer = php
        .script("echo json_encode(array_slice(getenv(), 0, 3));")
        .with("Q", "1")
        .with("HTTP_PROXY", "evil")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"{"P":"process","HTTP_PROXY":"evil","Q":"1"}"#
    );
}

fn env_is_a_copy_of_server(php: &mut Php) {
    php.set("variables_order", "EGPCS", sapi::IniAccess::User);
    process_environment(&[("P", "process")]);
    let answer = php
        .script("unset($_SERVER['argv'], $_SERVER['argc']); echo json_encode([array_diff_key($_SERVER, $_ENV), array_slice($_ENV, 0, 2)]);")
        .with("Q", "1")
        .run(php);
    assert!(
        answer.body().contains(r#"{"P":"process","Q":"1"}"#),
        "{}",
        answer.body()
    );
    assert!(
        !answer.body().contains("SCRIPT_NAME\":"),
        "only what PHP adds afterwards is in $_SERVER alone: {}",
        answer.body()
    );
}

fn httpoxy(php: &mut Php) {
    process_environment(&[]);
    let show = "echo json_encode([getenv('HTTP_PROXY'), $_SERVER['HTTP_PROXY'] ?? null, getenv('http_proxy')]);";
    let answer = php.script(show).with("HTTP_PROXY", "evil").run(php);
    assert_eq!(answer.body(), "[false,null,false]");
    process_environment(&[("HTTP_PROXY", "good")]);
    let answer = php.script(show).with("HTTP_PROXY", "evil").run(php);
    assert_eq!(answer.body(), r#"["good","good",false]"#);
}

fn query_and_cookies(php: &mut Php) {
    let answer = php
        .script("echo json_encode([$_GET, $_COOKIE, $_REQUEST]);")
        .with("QUERY_STRING", "a=1&b[]=2&b[]=%C3%A4")
        .with("HTTP_COOKIE", "c=3; d=4%20; c=5")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"[{"a":"1","b":["2","\u00e4"]},{"c":"3","d":"4 "},{"a":"1","b":["2","\u00e4"],"c":"3","d":"4 "}]"#
    );
    assert_eq!(
        php.get("echo json_encode([$_GET, $_COOKIE]);").body(),
        "[[],[]]"
    );
}

fn argv_from_the_query(php: &mut Php) {
    php.set("register_argc_argv", "1", sapi::IniAccess::User);
    let answer = php
        .script("echo json_encode([$_SERVER['argc'], $_SERVER['argv']]);")
        .with("QUERY_STRING", "a+b")
        .run(php);
    assert_eq!(answer.body(), r#"[2,["a","b"]]"#);
}

fn values_end_at_nul_in_server_only(php: &mut Php) {
    let show = "echo json_encode([$_SERVER['V'], getenv()['V'], getenv('V')]);";
    let answer = php.script(show).with("V", b"a\0b").run(php);
    assert_eq!(answer.body(), r#"["a","a\u0000b","a"]"#);
}

fn long_names(php: &mut Php) {
    let name = "L".repeat(1000);
    let answer = php
        .script("echo $_SERVER[str_repeat('L', 1000)], getenv()[str_repeat('L', 1000)];")
        .with(&name, "v")
        .run(php);
    assert_eq!(answer.body(), "vv");
}

fn request_time(php: &mut Php) {
    let script = php.file("time.php", "<?php echo abs($_SERVER['REQUEST_TIME'] - time()) < 2 ? 'now' : 'off', is_float($_SERVER['REQUEST_TIME_FLOAT']) ? '' : '?';");
    assert_eq!(Request::new(&script).run(php).body(), "now");
}

fn odd_parameters(php: &mut Php) {
    let script = php.file("odd.php", "<?php echo count($_SERVER) > 5000 ? 'many' : 'few', count(getallheaders()), strlen($_SERVER['LARGE']);");
    let mut request = Request::new(&script)
        .with("", "nameless")
        .with("=", "x")
        .with("a[b", "x")
        .with("a[]", "x")
        .with("\u{e4} .[", "x")
        .with("HTTP__", "x")
        .with("HTTP_\0X", "x")
        .with("LARGE", vec![b'x'; 3_000_000]);
    for n in 0..5000 {
        request = request.with(&format!("P{n}"), n.to_string());
    }
    assert_eq!(request.run(php).body(), "many23000000");
}
