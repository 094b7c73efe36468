//! The header block of an answer: status line, order, duplicates, defaults.

use fpmd_tests::{Answer, Daemon, Result};

/// The answer of a script that consists of these statements, without `X-Powered-By`.
fn answer(statements: &str) -> Result<Answer> {
    answer_with(Daemon::new(), statements)
}

fn answer_with(daemon: Daemon, statements: &str) -> Result<Answer> {
    daemon
        .ini("expose_php=0")
        .file("t.php", format!("<?php {statements}"))
        .start()?
        .get("/t.php")
}

/// The header block of such a script.
fn head(statements: &str) -> Result<String> {
    Ok(answer(statements)?.head)
}

#[test]
fn ordinary_answer_has_a_content_type_and_no_status() -> Result {
    assert_eq!(head("echo 1;")?, "Content-type: text/html; charset=UTF-8");
    Ok(())
}

#[test]
fn php_version_comes_first_unless_hidden() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php header('A: 1');")
        .start()?;
    let answer = fpm.get("/t.php")?;
    let lines = answer.header_lines();
    assert!(
        lines
            .first()
            .is_some_and(|line| line.starts_with("X-Powered-By: PHP/8.")),
        "{lines:?}"
    );
    assert_eq!(
        lines.get(1..),
        Some(&["A: 1", "Content-type: text/html; charset=UTF-8"][..])
    );
    Ok(())
}

#[test]
fn status_line_comes_first_with_its_reason() -> Result {
    for (code, line) in [
        (201, "201 Created"),
        (204, "204 No Content"),
        (404, "404 Not Found"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (418, "418"),
        (599, "599"),
    ] {
        let answer = answer(&format!(
            "header('A: 1'); http_response_code({code}); echo 'body';"
        ))?;
        assert_eq!(
            answer.head,
            format!("Status: {line}\r\nA: 1\r\nContent-type: text/html; charset=UTF-8")
        );
        assert_eq!(answer.status, code);
        assert_eq!(answer.text(), "body");
    }
    Ok(())
}

#[test]
fn http_line_of_the_script_keeps_its_reason() -> Result {
    assert_eq!(
        head("header('HTTP/1.1 299 Custom');")?,
        "Status: 299 Custom\r\nContent-type: text/html; charset=UTF-8"
    );
    assert_eq!(
        head("header('HTTP/1.0 404');")?,
        "Status: 404\r\nContent-type: text/html; charset=UTF-8"
    );
    assert_eq!(
        head("header('HTTP/1.1 200 Fine');")?,
        "Content-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn status_header_of_the_script_stays_in_its_place() -> Result {
    assert_eq!(
        head("header('A: 1'); header('Status: 404 Gone Fishing');")?,
        "A: 1\r\nStatus: 404 Gone Fishing\r\nContent-type: text/html; charset=UTF-8"
    );
    assert_eq!(
        head("header('A: 1'); http_response_code(500); header('Status: 404 Not Found');")?,
        "A: 1\r\nStatus: 404 Not Found\r\nContent-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn http_line_is_sent_verbatim_with_rfc2616_headers() -> Result {
    let daemon = Daemon::new().ini("cgi.rfc2616_headers=1");
    let answer = answer_with(daemon, "header('HTTP/1.1 404 Nowhere');")?;
    assert_eq!(
        answer.head,
        "HTTP/1.1 404 Nowhere\r\nContent-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn nph_always_sends_a_status() -> Result {
    let answer = answer_with(Daemon::new().ini("cgi.nph=1"), "echo 1;")?;
    assert_eq!(
        answer.head,
        "Status: 200 OK\r\nContent-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn overlong_status_line_is_cut() -> Result {
    let answer = answer("header('HTTP/1.1 404 ' . str_repeat('x', 3000)); echo 'body';")?;
    let status = answer.header_lines()[0].len();
    assert!((1000..=1023).contains(&status), "{status}");
    assert_eq!(answer.text(), "body");
    Ok(())
}

#[test]
fn location_makes_a_redirect() -> Result {
    assert_eq!(
        head("header('Location: /there');")?,
        "Status: 302 Found\r\nLocation: /there\r\nContent-type: text/html; charset=UTF-8"
    );
    assert_eq!(
        head("header('Location: /there', true, 301);")?,
        "Status: 301 Moved Permanently\r\nLocation: /there\r\nContent-type: text/html; charset=UTF-8"
    );
    assert_eq!(
        head("http_response_code(201); header('Location: /there');")?,
        "Status: 201 Created\r\nLocation: /there\r\nContent-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn not_modified_has_no_content_type() -> Result {
    assert_eq!(
        head("header('ETag: \"x\"'); http_response_code(304);")?,
        "Status: 304 Not Modified\r\nETag: \"x\""
    );
    assert_eq!(
        head("header('Content-Type: text/css'); http_response_code(304);")?,
        "Status: 304 Not Modified"
    );
    Ok(())
}

#[test]
fn header_replaces_unless_told_otherwise() -> Result {
    assert_eq!(
        head(
            "header('A: 1'); header('a: 2'); header('B: 1'); header('B: 2', false); header('C: 1'); header_remove('c');"
        )?,
        "a: 2\r\nB: 1\r\nB: 2\r\nContent-type: text/html; charset=UTF-8"
    );
    Ok(())
}

#[test]
fn content_type_gets_the_default_charset() -> Result {
    assert_eq!(
        head("header('Content-Type: text/plain');")?,
        "Content-type: text/plain;charset=UTF-8"
    );
    assert_eq!(
        head("header('Content-Type: application/json');")?,
        "Content-Type: application/json"
    );
    assert_eq!(
        head("ini_set('default_charset', ''); ini_set('default_mimetype', 'text/x'); echo 1;")?,
        "Content-type: text/x"
    );
    Ok(())
}

#[test]
fn cookies_are_separate_headers() -> Result {
    let answer = answer(
        "setcookie('a', '1'); setcookie('b', 'x y', ['path' => '/p', 'httponly' => true, 'samesite' => 'Lax']);",
    )?;
    assert_eq!(
        answer.headers("Set-Cookie"),
        ["a=1", "b=x%20y; path=/p; HttpOnly; SameSite=Lax"]
    );
    Ok(())
}

#[test]
fn header_injection_is_refused() -> Result {
    let answer = answer("header(\"A: 1\\r\\nB: 2\"); echo 'after';")?;
    assert_eq!(answer.header("B"), None);
    assert!(
        answer
            .text()
            .contains("Header may not contain more than a single header"),
        "{answer:?}"
    );
    Ok(())
}

#[test]
fn headers_are_sent_with_the_first_output() -> Result {
    let text = answer(
        "echo 'x'; flush(); echo json_encode([headers_sent($file, $line), basename($file), $line, @header('A: 1')]);",
    )?;
    assert_eq!(text.text(), r#"x[true,"t.php",1,null]"#);
    assert_eq!(text.header("A"), None);
    Ok(())
}

#[test]
fn output_buffer_keeps_headers_open() -> Result {
    let answer = answer_with(
        Daemon::new().ini("output_buffering=4096"),
        "echo 'x'; header('A: 1'); http_response_code(202);",
    )?;
    assert_eq!(
        (answer.status, answer.header("A"), &*answer.text()),
        (202, Some("1"), "x")
    );
    Ok(())
}

#[test]
fn header_callback_has_the_last_word() -> Result {
    let head = head(
        "header_register_callback(function () { header('Late: 1'); header_remove('Early'); }); header('Early: 1'); echo 1;",
    )?;
    assert_eq!(head, "Content-type: text/html; charset=UTF-8\r\nLate: 1");
    Ok(())
}

#[test]
fn headers_list_is_what_is_sent() -> Result {
    let answer = answer("header('A: 1'); header('B: 2'); echo implode('|', headers_list());")?;
    assert_eq!(answer.text(), "A: 1|B: 2");
    Ok(())
}

#[test]
fn many_and_long_headers_arrive() -> Result {
    let answer = answer(
        "for ($i = 0; $i < 500; $i++) header(\"X-$i: \" . str_repeat('v', $i)); header('Long: ' . str_repeat('w', 70000)); echo 'end';",
    )?;
    assert_eq!(answer.header("X-499").map(str::len), Some(499));
    assert_eq!(answer.header("Long").map(str::len), Some(70_000));
    assert_eq!(answer.text(), "end");
    Ok(())
}

#[test]
fn status_of_one_request_does_not_leak_into_the_next() -> Result {
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php if (isset($_GET['e'])) { header('HTTP/1.1 404 Nope'); header('A: 1'); }",
        )
        .start()?;
    assert_eq!(fpm.get("/t.php?e")?.status, 404);
    let next = fpm.get("/t.php")?;
    assert_eq!(
        (next.status, next.header("A"), next.header("Status")),
        (200, None, None)
    );
    Ok(())
}
