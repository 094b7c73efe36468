//! Request bodies: forms, uploads, `php://input`, lengths that do not match.

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        urlencoded,
        in_single_bytes,
        multipart_upload,
        uploads_are_removed,
        input_of_put,
        input_after_post,
        raw_post_of_another_type,
        shorter_than_announced,
        longer_than_announced,
        unread_body_is_drained,
        large_body,
        too_large_for_post_max_size,
        file_that_cannot_be_opened,
        parsed_on_demand,
        body_without_reading,
    ]
}

const FORM: &str = "application/x-www-form-urlencoded";

fn urlencoded(php: &mut Php) {
    let answer = php
        .script("echo json_encode([$_POST, $_REQUEST, file_get_contents('php://input')]);")
        .post(FORM, "a=1&b=x%20y")
        .run(php);
    assert_eq!(
        answer.body(),
        r#"[{"a":"1","b":"x y"},{"a":"1","b":"x y"},"a=1&b=x%20y"]"#
    );
}

fn in_single_bytes(php: &mut Php) {
    let request = php
        .script("echo json_encode($_POST);")
        .post(FORM, "alpha=1&beta=2");
    assert_eq!(
        request.host(|host| host.piece = 1).run(php).body(),
        r#"{"alpha":"1","beta":"2"}"#
    );
}

/// A form with a field and a file of `size` bytes.
fn form_with_file(size: usize) -> String {
    let file = "x".repeat(size);
    format!(
        "--B\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\n{file}\r\n--B--\r\n"
    )
}

fn multipart_upload(php: &mut Php) {
    let code = "$f = $_FILES['file']; echo json_encode([$_POST, $f['name'], $f['type'], $f['error'], $f['size'], \
                is_uploaded_file($f['tmp_name']), filesize($f['tmp_name'])]);";
    for (size, piece) in [(0, 0), (10, 1), (100_000, 0), (100_000, 4097)] {
        let request = php
            .script(code)
            .post("multipart/form-data; boundary=B", form_with_file(size));
        let answer = request.host(|host| host.piece = piece).run(php);
        assert_eq!(
            answer.body(),
            format!(r#"[{{"field":"value"}},"a b.txt","text\/plain",0,{size},true,{size}]"#)
        );
    }
}

fn uploads_are_removed(php: &mut Php) {
    let request = php
        .script("echo $_FILES['file']['tmp_name'];")
        .post("multipart/form-data; boundary=B", form_with_file(5));
    let answer = request.run(php);
    assert!(answer.body().starts_with('/'), "{}", answer.body());
    assert!(!std::path::Path::new(answer.body()).exists());
}

fn input_of_put(php: &mut Php) {
    let request = php.script("echo $_SERVER['REQUEST_METHOD'], strrev(file_get_contents('php://input')), json_encode($_POST);");
    let answer = request
        .post(FORM, "a=1")
        .with("REQUEST_METHOD", "PUT")
        .run(php);
    assert_eq!(answer.body(), "PUT1=a[]");
}

fn input_after_post(php: &mut Php) {
    let code = "$a = fopen('php://input', 'r'); $b = fopen('php://input', 'r'); echo fread($a, 2), fread($b, 3), fread($a, 9);";
    assert_eq!(
        php.script(code).post(FORM, "a=1234").run(php).body(),
        "a=a=11234"
    );
}

fn raw_post_of_another_type(php: &mut Php) {
    let request = php.script("echo json_encode($_POST), file_get_contents('php://input');");
    assert_eq!(
        request
            .post("application/json", r#"{"a":1}"#)
            .run(php)
            .body(),
        r#"[]{"a":1}"#
    );
}

fn shorter_than_announced(php: &mut Php) {
    let request = php
        .script("echo file_get_contents('php://input');")
        .post("text/plain", "short")
        .with("CONTENT_LENGTH", "100");
    assert_eq!(request.run(php).body(), "short");
}

fn longer_than_announced(php: &mut Php) {
    let request = php
        .script("echo file_get_contents('php://input');")
        .post("text/plain", "0123456789")
        .with("CONTENT_LENGTH", "4");
    let answer = request.run(php);
    assert_eq!(answer.body(), "0123");
    assert_eq!(answer.host.body_read, 4);
    let request = php
        .script("echo 'x', file_get_contents('php://input');")
        .body("abc")
        .with("CONTENT_LENGTH", "-1");
    let answer = request.run(php);
    assert_eq!((answer.body(), answer.host.body_read), ("x", 0));
}

fn unread_body_is_drained(php: &mut Php) {
    let body = vec![b'x'; 100_000];
    let request = php
        .script("echo 'ignored';")
        .post("text/plain", &body)
        .with("REQUEST_METHOD", "PUT");
    let answer = request.run(php);
    assert_eq!(answer.body(), "ignored");
    assert_eq!(answer.host.body_read, body.len());
}

fn large_body(php: &mut Php) {
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let request = php
        .script("echo md5(file_get_contents('php://input'));")
        .post("application/octet-stream", &body);
    let sum = request.run(php);
    let file = php.file("large.bin", "");
    std::fs::write(&file, &body).expect("write");
    assert_eq!(
        sum.body(),
        php.get(&format!("echo md5_file('{}');", file.display()))
            .body()
    );
}

fn too_large_for_post_max_size(php: &mut Php) {
    php.set("post_max_size", "10", sapi::IniAccess::User);
    let answer = php
        .script("echo json_encode($_POST);")
        .post(FORM, "a=12345678901")
        .run(php);
    assert!(
        answer
            .body()
            .contains("POST Content-Length of 13 bytes exceeds the limit of 10 bytes"),
        "{}",
        answer.body()
    );
    assert!(answer.body().ends_with("[]"), "{}", answer.body());
}

fn file_that_cannot_be_opened(php: &mut Php) {
    let request = php
        .script("echo 'body:', file_get_contents('php://input');")
        .post(FORM, "a=1");
    let answer = request
        .host(|host| host.body_errno = Some(nix::libc::ENOENT))
        .run(php);
    let warning = "REQUEST_BODY_FILE: open('/missing/body') failed: No such file or directory (2)";
    assert!(answer.body().contains(warning), "{}", answer.body());
    assert!(answer.body().ends_with("body:"), "{}", answer.body());
}

fn parsed_on_demand(php: &mut Php) {
    if !php.engine.version().starts_with("8.4") {
        return;
    }
    let code = "[$post, $files] = request_parse_body(); echo json_encode([$post, $files['file']['size'], $_POST]);";
    let request = php
        .script(code)
        .post("multipart/form-data; boundary=B", form_with_file(7))
        .with("REQUEST_METHOD", "PUT");
    assert_eq!(request.run(php).body(), r#"[{"field":"value"},7,[]]"#);
    let code = "[$post] = request_parse_body(); echo json_encode($post);";
    let request = php
        .script(code)
        .post(FORM, "a=1&b=2")
        .with("REQUEST_METHOD", "PATCH");
    assert_eq!(request.run(php).body(), r#"{"a":"1","b":"2"}"#);
}

fn body_without_reading(php: &mut Php) {
    php.set("enable_post_data_reading", "0", sapi::IniAccess::System);
    let script = php.file(
        "reading.php",
        "<?php echo json_encode($_POST), file_get_contents('php://input');",
    );
    assert_eq!(
        Request::new(&script).post(FORM, "a=1").run(php).body(),
        "[]a=1"
    );
}
