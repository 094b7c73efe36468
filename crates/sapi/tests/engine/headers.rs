//! Response heads as the host gets them.

use crate::cases;
use crate::php::{Call, Php};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        defaults,
        order_and_replacement,
        status_codes,
        status_line,
        status_header,
        no_content_and_not_modified,
        location,
        cookies,
        more_lines_than_usual,
        header_callback,
        head_without_output,
        settings_reach_the_head,
        executed_knows_the_headers,
        headers_sent_tells_where,
    ]
}

fn defaults(php: &mut Php) {
    let answer = php.get("echo 1;");
    let powered_by = format!("X-Powered-By: PHP/{}", php.engine.version());
    assert_eq!(
        answer.head().headers,
        [
            powered_by.as_str(),
            "Content-type: text/html; charset=UTF-8"
        ]
    );
    assert_eq!(
        (answer.head().status, &answer.head().status_line),
        (200, &None)
    );
    php.set("expose_php", "0", sapi::IniAccess::System);
    let answer = php.get("ini_set('default_charset', ''); echo 1;");
    assert_eq!(answer.head().headers, ["Content-type: text/html"]);
}

fn order_and_replacement(php: &mut Php) {
    let answer = php.get(
        "header_remove(); header('A: 1'); header('B: 1'); header('A: 2'); header('B: 2', false); header('c:3'); \
         header('Content-Type: application/json'); header_remove('X'); echo 1;",
    );
    assert_eq!(
        answer.head().headers,
        [
            "B: 1",
            "A: 2",
            "B: 2",
            "c:3",
            "Content-Type: application/json"
        ]
    );
}

fn status_codes(php: &mut Php) {
    for (code, status) in [
        ("http_response_code(418);", 418),
        ("header('X: y', true, 503);", 503),
        ("header('HTTP/1.1 404 Gone fishing');", 404),
        ("http_response_code(599); http_response_code(201);", 201),
    ] {
        let answer = php.get(&format!("{code} echo 1;"));
        assert_eq!(
            (answer.head().status, answer.outcome.status),
            (status, status),
            "{code}"
        );
    }
}

fn status_line(php: &mut Php) {
    let answer = php.get("header('HTTP/1.1 299 Custom'); echo 1;");
    assert_eq!(
        answer.head().status_line,
        Some("HTTP/1.1 299 Custom".into())
    );
    assert_eq!(answer.head().status, 299);
    assert_eq!(php.get("echo 1;").head().status_line, None);
}

fn status_header(php: &mut Php) {
    let answer = php.get("header('Status: 404 Nope'); echo 1;");
    assert!(answer.head().headers.contains(&"Status: 404 Nope".into()));
}

fn no_content_and_not_modified(php: &mut Php) {
    for status in [204, 304] {
        let answer = php.get(&format!("http_response_code({status});"));
        assert_eq!((answer.head().status, answer.body()), (status, ""));
    }
}

fn location(php: &mut Php) {
    let answer = php.get("header('Location: /there'); echo 1;");
    assert_eq!(
        (answer.head().status, answer.header("Location")),
        (302, Some("/there"))
    );
}

fn cookies(php: &mut Php) {
    let answer = php.get("setcookie('a', 'b c'); setrawcookie('d', 'e'); echo 1;");
    let cookies: Vec<_> = answer
        .head()
        .headers
        .iter()
        .filter(|line| line.starts_with(b"Set-Cookie"))
        .collect();
    assert_eq!(cookies, ["Set-Cookie: a=b%20c", "Set-Cookie: d=e"]);
}

fn more_lines_than_usual(php: &mut Php) {
    let answer =
        php.get("header_remove(); for ($i = 0; $i < 500; $i++) header(\"X-$i: $i\"); echo 1;");
    assert_eq!(answer.head().headers.len(), 501);
    assert_eq!(answer.head().headers[499], "X-499: 499");
    assert_eq!(answer.host.executed_headers.len(), 501);
}

fn header_callback(php: &mut Php) {
    let answer = php.get("header_register_callback(function () { header('X-Late: 1'); }); echo 1;");
    assert_eq!(answer.header("X-Late"), Some("1"));
}

fn head_without_output(php: &mut Php) {
    let answer = php.get("header('A: b');");
    assert_eq!(answer.header("A"), Some("b"));
    let position = |call: &Call| answer.host.calls.iter().position(|other| other == call);
    assert!(
        position(&Call::Head)
            > position(&Call::Executed {
                status: 200,
                exit_status: 0
            })
    );
}

fn settings_reach_the_head(php: &mut Php) {
    let answer = php.get("echo 1;");
    assert!(!answer.head().nph && !answer.head().rfc2616_headers);
    let answer = php.get("ini_set('cgi.nph', 1); ini_set('cgi.rfc2616_headers', 1); echo 1;");
    assert!(answer.head().nph && answer.head().rfc2616_headers);
    let answer = php.get("echo 1;");
    assert!(!answer.head().nph && !answer.head().rfc2616_headers);
}

fn executed_knows_the_headers(php: &mut Php) {
    let answer = php.get("header('A: b'); echo 1;");
    assert_eq!(answer.host.executed_headers, answer.head().headers);
}

fn headers_sent_tells_where(php: &mut Php) {
    let answer = php.get("echo 'x'; flush(); header('A: b'); echo headers_sent() ? 'sent' : '';");
    assert!(
        answer.body().contains("Cannot modify header information"),
        "{}",
        answer.body()
    );
    assert!(answer.body().ends_with("sent"));
}
