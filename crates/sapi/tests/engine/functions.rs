//! What php-fpm adds to PHP: functions, ini entries, its section of phpinfo().

use sapi::{FinishRequest, PoolStatus, ProcessStatus};

use crate::cases;
use crate::php::{Call, Php};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        finish_request,
        finish_request_on_a_kept_connection,
        finish_request_too_late,
        finish_request_ends_buffers,
        request_headers,
        request_headers_order,
        module_and_functions,
        ini_entries,
        info_section,
        status_of_the_pool,
    ]
}

fn finish_request(php: &mut Php) {
    let answer = php.get("echo 'a'; $x = fastcgi_finish_request(); error_log(json_encode([$x, fastcgi_finish_request()]));");
    assert_eq!(answer.log(), "[true,false]");
    assert_eq!(
        answer.host.calls[1..4],
        [Call::Head, Call::Write("a".into()), Call::Finish]
    );
    assert_eq!(
        answer
            .host
            .calls
            .iter()
            .filter(|call| **call == Call::Finish)
            .count(),
        1
    );
}

fn finish_request_on_a_kept_connection(php: &mut Php) {
    let request =
        php.script("error_log(json_encode([fastcgi_finish_request(), fastcgi_finish_request()]));");
    let answer = request
        .host(|host| host.finish = Some(FinishRequest::KeptOpen))
        .run(php);
    assert_eq!(answer.log(), "[true,true]");
}

fn finish_request_too_late(php: &mut Php) {
    let request =
        php.script("error_log(json_encode([fastcgi_finish_request(), fastcgi_finish_request()]));");
    let answer = request
        .host(|host| host.finish = Some(FinishRequest::AlreadyClosed))
        .run(php);
    assert_eq!(answer.log(), "[false,false]");
}

fn finish_request_ends_buffers(php: &mut Php) {
    let answer = php.get("ob_start(); header('A: b'); echo 'x'; fastcgi_finish_request(); error_log(ob_get_level());");
    assert_eq!(
        (answer.body(), answer.log().as_str(), answer.header("A")),
        ("x", "0", Some("b"))
    );
}

fn request_headers(php: &mut Php) {
    let answer = php
        .script(
            "echo json_encode([getallheaders(), apache_request_headers() === getallheaders()]);",
        )
        .with("CONTENT_TYPE", "text/plain")
        .with("CONTENT_LENGTH", "0")
        .with("HTTP_FOO_BAR_BAZ", "1")
        .with("HTTP_X", "")
        .with("HTTP_", "nameless")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"[{"X":"","Foo-Bar-Baz":"1","Content-Length":"0","Content-Type":"text\/plain"},true]"#
    );
    assert_eq!(php.get("echo json_encode(getallheaders());").body(), "[]");
}

fn request_headers_order(php: &mut Php) {
    let request = php
        .script("echo implode(' ', array_keys(getallheaders()));")
        .with("HTTP_HOST", "h")
        .with("HTTP_ACCEPT", "*/*");
    assert_eq!(request.run(php).body(), "Accept Host");
}

fn module_and_functions(php: &mut Php) {
    let answer = php.get(
        "echo json_encode([extension_loaded('cgi-fcgi'), get_extension_funcs('cgi-fcgi'), phpversion('cgi-fcgi') === PHP_VERSION, \
         function_exists('dl'), function_exists('cli_set_process_title'), \
         (string) (new ReflectionFunction('fastcgi_finish_request'))->getReturnType(), \
         (string) (new ReflectionFunction('getallheaders'))->getReturnType()]);",
    );
    assert_eq!(
        answer.body(),
        r#"[true,["fastcgi_finish_request","apache_request_headers","getallheaders","fpm_get_status"],true,false,false,"bool","array"]"#
    );
    let answer = php.get("try { fastcgi_finish_request(1); } catch (ArgumentCountError $e) { echo $e->getMessage(); }");
    assert_eq!(
        answer.body(),
        "fastcgi_finish_request() expects exactly 0 arguments, 1 given"
    );
}

fn ini_entries(php: &mut Php) {
    let answer = php.get(
        "foreach (ini_get_all('cgi-fcgi') as $n => $e) echo $n, '=', json_encode($e['global_value']), ' ', $e['access'], \"\\n\";",
    );
    assert_eq!(
        answer.body(),
        "cgi.discard_path=\"0\" 4\ncgi.fix_pathinfo=\"1\" 4\ncgi.force_redirect=\"1\" 4\ncgi.nph=\"0\" 7\n\
         cgi.redirect_status_env=null 4\ncgi.rfc2616_headers=\"0\" 7\nfastcgi.error_header=null 4\nfastcgi.logging=\"1\" 4\n\
         fpm.config=null 4\n"
    );
}

fn info_section(php: &mut Php) {
    let answer = php.get("phpinfo(INFO_MODULES);");
    let body = answer.body();
    let section = body
        .find(r#"<a name="module_cgi-fcgi""#)
        .expect("a section of its own");
    let section = &body[section..section + 800];
    assert!(
        section.contains(r#"<td class="e">php-fpm </td><td class="v">active </td>"#),
        "{section}"
    );
    let answer = php.get("phpinfo(INFO_GENERAL);");
    assert!(
        answer
            .body()
            .contains(r#"<td class="e">Server API </td><td class="v">FPM/FastCGI </td>"#)
    );
}

fn status_of_the_pool(php: &mut Php) {
    let script = "$s = fpm_get_status(); echo is_array($s) ? json_encode($s, JSON_PRESERVE_ZERO_FRACTION) : var_export($s, true);";
    assert_eq!(php.get(script).body(), "false");
    let process = |pid| ProcessStatus {
        pid,
        state: "Idle",
        started: 21,
        since: 22,
        requests: 23,
        duration: 24,
        ..ProcessStatus::default()
    };
    let status = PoolStatus {
        pool: b"w w".to_vec(),
        manager: "static",
        started: 1,
        since: 2,
        accepted: 3,
        listen_queue: 4,
        max_listen_queue: 5,
        listen_queue_len: 6,
        idle: 7,
        active: 8,
        max_active: 9,
        max_children_reached: 10,
        slow_requests: 11,
        memory_peak: 12,
        processes: vec![
            process(20),
            ProcessStatus {
                state: "Running",
                method: b"GET".to_vec(),
                uri: b"/u".to_vec(),
                query: b"q=1".to_vec(),
                content_length: -1,
                user: b"me".to_vec(),
                script: b"/s".to_vec(),
                cpu: 12.5,
                memory: 25,
                ..process(30)
            },
        ],
    };
    let request = php.script(script).host(|host| host.status = Some(status));
    let memory_peak = if php.engine.version() >= "8.4" {
        r#""memory-peak":12,"#
    } else {
        ""
    };
    let expected = [
        r#"{"pool":"w w","process-manager":"static","start-time":1,"start-since":2,"accepted-conn":3,"listen-queue":4,"#,
        r#""max-listen-queue":5,"listen-queue-len":6,"idle-processes":7,"active-processes":8,"total-processes":15,"#,
        r#""max-active-processes":9,"max-children-reached":10,"slow-requests":11,"#,
        memory_peak,
        r#""procs":[{"pid":20,"state":"Idle","start-time":21,"start-since":22,"requests":23,"request-duration":24,"#,
        r#""request-method":"-","request-uri":"","query-string":"","request-length":0,"user":"-","script":"-","#,
        r#""last-request-cpu":0.0,"last-request-memory":0},{"pid":30,"state":"Running","start-time":21,"start-since":22,"#,
        r#""requests":23,"request-duration":24,"request-method":"GET","request-uri":"\/u","query-string":"q=1","#,
        r#""request-length":-1,"user":"me","script":"\/s","last-request-cpu":12.5,"last-request-memory":25}]}"#,
    ]
    .concat();
    assert_eq!(request.run(php).body(), expected);
}
