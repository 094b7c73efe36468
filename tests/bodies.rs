//! Request bodies: forms, uploads, `php://input`, files named by the web server, and lengths that do not fit.

use std::fs;
use std::time::Duration;

use fpmd_tests::{
    Daemon, Fpm, Kind, Multipart, PhpVersion, Record, Request, Result, Subject, Under,
};

/// Prints the method, the length of `php://input`, its checksum, and the size of `$_POST`.
const INPUT: &str = "<?php $in = file_get_contents('php://input');
    echo $_SERVER['REQUEST_METHOD'], ' ', strlen($in), ' ', md5($in), ' ', count($_POST);";

fn serve(script: &str) -> Result<Fpm> {
    Daemon::new().file("t.php", script).start()
}

/// Octets without a short period, so that a lost or doubled piece shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(length)
    .collect()
}

/// What PHP's `md5()` of `bytes` is, computed by the PHP command line.
fn md5(bytes: &[u8]) -> Result<String> {
    let site = fpmd_tests::Site::new()?;
    let file = site.write("bytes", bytes)?;
    let output = std::process::Command::new(Subject::from_environment()?.php_cli())
        .args(["-n", "-r", "echo md5_file($argv[1]);"])
        .arg(file)
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn input_stream_has_every_octet_of_every_size() -> Result {
    let fpm = serve(INPUT)?;
    for length in [
        0, 1, 7, 8, 8191, 8192, 8193, 16_384, 65_535, 65_536, 1_000_003,
    ] {
        let body = noise(length);
        let expected = format!("POST {length} {} 0", md5(&body)?);
        assert_eq!(
            fpm.send(&fpm.request("/t.php").post("application/octet-stream", body))?
                .text(),
            expected
        );
    }
    Ok(())
}

#[test]
fn body_may_come_in_records_of_any_size() -> Result {
    let fpm = serve(INPUT)?;
    let body = noise(30_000);
    let expected = format!("POST 30000 {} 0", md5(&body)?);
    let request = fpm.request("/t.php").post("text/plain", body);
    for largest in [13, 1000, 8184, 8192, 30_000, 65_535] {
        let mut connection = fpm.connect()?;
        connection.send_bytes(&request.head_bytes())?;
        connection.send_bytes(&request.body_bytes(largest))?;
        assert_eq!(
            connection.answer()?.text(),
            expected,
            "in records of {largest}"
        );
    }
    Ok(())
}

#[test]
fn padding_in_the_body_is_not_part_of_it() -> Result {
    let fpm = serve("<?php echo file_get_contents('php://input');")?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(
        &fpm.request("/t.php")
            .post("text/plain", "onetwothree")
            .head_bytes(),
    )?;
    for (part, padding) in [("one", 5), ("two", 255), ("three", 0), ("", 8)] {
        connection.send_bytes(&Record::new(Kind::Stdin, part).padding(padding).bytes())?;
    }
    assert_eq!(connection.answer()?.text(), "onetwothree");
    Ok(())
}

#[test]
fn put_body_is_read_when_the_script_asks() -> Result {
    let fpm = serve(
        "<?php $f = fopen('php://input', 'r'); echo fread($f, 3), '|', fread($f, 100), '|', var_export(feof($f), true);",
    )?;
    let request = fpm
        .request("/t.php")
        .method("PUT")
        .body("text/plain", "onetwo");
    assert_eq!(fpm.send(&request)?.text(), "one|two|true");
    Ok(())
}

#[test]
fn input_stream_can_be_read_again() -> Result {
    let fpm = serve(
        "<?php echo file_get_contents('php://input'), '|', file_get_contents('php://input'), '|', $_POST['a'];",
    )?;
    assert_eq!(
        fpm.send(&fpm.request("/t.php").form("a=1&b=2"))?.text(),
        "a=1&b=2|a=1&b=2|1"
    );
    Ok(())
}

#[test]
fn unread_body_does_not_disturb_the_next_request() -> Result {
    let fpm = serve("<?php echo 'ignored';")?;
    let mut connection = fpm.connect()?;
    for method in ["PUT", "POST", "DELETE"] {
        connection.send(
            &fpm.request("/t.php")
                .method(method)
                .body("text/plain", noise(200_000))
                .keep_connection(),
        )?;
        assert_eq!(connection.answer()?.text(), "ignored");
    }
    Ok(())
}

#[test]
fn no_more_than_the_content_length_is_delivered() -> Result {
    let fpm = serve("<?php echo file_get_contents('php://input');")?;
    let request = fpm
        .request("/t.php")
        .post("text/plain", "onetwo")
        .param("CONTENT_LENGTH", "3");
    assert_eq!(fpm.send(&request)?.text(), "one");
    Ok(())
}

#[test]
fn body_shorter_than_its_content_length_is_what_it_is() -> Result {
    let fpm = serve("<?php echo file_get_contents('php://input');")?;
    let request = fpm
        .request("/t.php")
        .post("text/plain", "one")
        .param("CONTENT_LENGTH", "3000");
    let mut connection = fpm.begin(&request)?;
    if Subject::from_environment()?.under() == Under::Original {
        // It reads on after the end of the stream, until the web server gives up.
        assert!(connection.is_silent_for(Duration::from_millis(300))?);
        connection.shut_down_sending()?;
    }
    assert_eq!(connection.answer()?.text(), "one");
    Ok(())
}

#[test]
fn nonsense_content_length_is_no_body() -> Result {
    let fpm = serve("<?php echo 'got ', strlen(file_get_contents('php://input'));")?;
    for length in ["", "abc", "-5", "0"] {
        let request = fpm
            .request("/t.php")
            .param("CONTENT_LENGTH", length)
            .param("CONTENT_TYPE", "text/plain")
            .method("PUT");
        assert_eq!(
            fpm.send(&request)?.text(),
            "got 0",
            "CONTENT_LENGTH={length}"
        );
    }
    Ok(())
}

#[test]
fn uploaded_files_are_there_and_gone_after_the_request() -> Result {
    let fpm = Daemon::new()
        .ini("upload_tmp_dir={dir}/var")
        .file(
            "t.php",
            "<?php foreach ($_FILES as $field => $file) { foreach ((array)$file['name'] as $i => $name) {
                $at = fn($key) => is_array($file[$key]) ? $file[$key][$i] : $file[$key];
                echo \"$field $name {$at('type')} {$at('size')} {$at('error')} \", md5_file($at('tmp_name')), ' ',
                     var_export(is_uploaded_file($at('tmp_name')), true), \"\\n\";
             } }
             echo json_encode($_POST), count(glob(ini_get('upload_tmp_dir') . '/php*'));",
        )
        .start()?;
    let picture = noise(100_000);
    let form = Multipart::new()
        .field("title", "a b")
        .file("one", "picture.png", "image/png", &picture)
        .file("many[]", "a.txt", "text/plain", b"a")
        .file("many[]", "b.txt", "text/plain", b"");
    let answer = fpm.send(
        &fpm.request("/t.php")
            .post(&form.content_type(), form.bytes()),
    )?;
    let expected = format!(
        "one picture.png image/png 100000 0 {} true\nmany a.txt text/plain 1 0 {} true\nmany b.txt text/plain 0 0 {} true\n{}3",
        md5(&picture)?,
        md5(b"a")?,
        md5(b"")?,
        r#"{"title":"a b"}"#
    );
    assert_eq!(answer.text(), expected);
    assert_eq!(
        fs::read_dir(fpm.site().var())?.count(),
        0,
        "temporary files are left over"
    );
    Ok(())
}

#[test]
fn moved_upload_stays() -> Result {
    let fpm = Daemon::new()
        .ini("upload_tmp_dir={dir}/var")
        .file("t.php", "<?php var_export(move_uploaded_file($_FILES['f']['tmp_name'], __DIR__ . '/../var/kept'));")
        .start()?;
    let form = Multipart::new().file("f", "x", "text/plain", b"keep me");
    assert_eq!(
        fpm.send(
            &fpm.request("/t.php")
                .post(&form.content_type(), form.bytes())
        )?
        .text(),
        "true"
    );
    assert_eq!(fs::read(fpm.site().path("var/kept"))?, b"keep me");
    Ok(())
}

#[test]
fn upload_limits_are_reported_by_their_codes() -> Result {
    let fpm = Daemon::new()
        .ini("upload_max_filesize=1K")
        .file(
            "t.php",
            "<?php echo json_encode(array_column($_FILES, 'error'));",
        )
        .start()?;
    let form = Multipart::new()
        .file("big", "big", "text/plain", &noise(2000))
        .file("none", "", "text/plain", b"")
        .field("MAX_FILE_SIZE", "10")
        .file("over", "over", "text/plain", b"more than ten octets");
    assert_eq!(
        fpm.send(
            &fpm.request("/t.php")
                .post(&form.content_type(), form.bytes())
        )?
        .text(),
        "[1,4,2]"
    );
    Ok(())
}

#[test]
fn body_over_post_max_size_is_dropped_with_a_warning() -> Result {
    let fpm = Daemon::new()
        .ini("post_max_size=1K")
        .ini("html_errors=0")
        .file(
            "t.php",
            "<?php echo 'posted ', count($_POST), ' ', strlen(file_get_contents('php://input'));",
        )
        .start()?;
    let request = fpm
        .request("/t.php")
        .form(&format!("a={}", "x".repeat(5000)));
    let text = fpm.send(&request)?.text();
    assert!(
        text.contains("POST Content-Length of 5002 bytes exceeds the limit of 1024 bytes"),
        "{text}"
    );
    assert!(text.ends_with("posted 0 5002"), "{text}");
    assert_eq!(
        fpm.send(&fpm.request("/t.php").form("a=1"))?.text(),
        "posted 1 3"
    );
    Ok(())
}

#[test]
fn truncated_upload_is_partial() -> Result {
    let fpm = serve("<?php echo json_encode(array_column($_FILES, 'error'));")?;
    let form = Multipart::new().file("f", "x", "text/plain", &noise(5000));
    let mut body = form.bytes();
    body.truncate(3000);
    assert_eq!(
        fpm.send(&fpm.request("/t.php").post(&form.content_type(), body))?
            .text(),
        "[3]"
    );
    Ok(())
}

#[test]
fn body_may_be_in_a_file_of_the_web_server() -> Result {
    let fpm = serve(INPUT)?;
    let body = noise(50_000);
    let file = fpm.site().write("body.bin", &body)?;
    let from_file =
        |request: Request| request.param("REQUEST_BODY_FILE", file.to_string_lossy().as_bytes());
    let request = from_file(
        fpm.request("/t.php")
            .post("text/plain", "")
            .param("CONTENT_LENGTH", "50000"),
    );
    assert_eq!(
        fpm.send(&request)?.text(),
        format!("POST 50000 {} 0", md5(&body)?)
    );
    let request = from_file(
        fpm.request("/t.php")
            .method("PUT")
            .param("CONTENT_LENGTH", "10"),
    );
    assert_eq!(
        fpm.send(&request)?.text(),
        format!("PUT 10 {} 0", md5(&body[..10])?)
    );
    let form = fpm.site().write("form.bin", "a=1&b=2")?;
    let request = fpm
        .request("/t.php")
        .form("")
        .param("CONTENT_LENGTH", "7")
        .param("REQUEST_BODY_FILE", form.to_string_lossy().as_bytes());
    assert!(fpm.send(&request)?.text().ends_with(" 2"));
    Ok(())
}

#[test]
fn missing_body_file_is_a_warning_and_an_empty_body() -> Result {
    let fpm = Daemon::new()
        .ini("html_errors=0")
        .file("t.php", INPUT)
        .start()?;
    let request = fpm
        .request("/t.php")
        .post("text/plain", "")
        .param("CONTENT_LENGTH", "5")
        .param("REQUEST_BODY_FILE", "/none/body");
    let answer = fpm.send(&request)?;
    let warning = "REQUEST_BODY_FILE: open('/none/body') failed: No such file or directory (2)";
    assert!(
        answer.text().contains(warning) || answer.stderr.contains(warning),
        "{answer:?}"
    );
    assert!(answer.text().contains("POST 0 "), "{answer:?}");
    Ok(())
}

#[test]
fn any_method_can_parse_its_body_in_newer_php() -> Result {
    if Subject::from_environment()?.php() < PhpVersion(8, 4) {
        let fpm = serve("<?php echo json_encode(function_exists('request_parse_body'));")?;
        assert_eq!(fpm.get("/t.php")?.text(), "false");
        return Ok(());
    }
    let fpm = serve(
        "<?php [$post, $files] = request_parse_body(); echo json_encode([$post, array_column($files, 'size')]);",
    )?;
    let form = Multipart::new()
        .field("a", "1")
        .file("f", "x", "text/plain", b"four");
    let request = fpm
        .request("/t.php")
        .method("PUT")
        .body(&form.content_type(), form.bytes());
    assert_eq!(fpm.send(&request)?.text(), r#"[{"a":"1"},[4]]"#);
    let request = fpm
        .request("/t.php")
        .method("PATCH")
        .body("application/x-www-form-urlencoded", "a=b");
    assert_eq!(fpm.send(&request)?.text(), r#"[{"a":"b"},[]]"#);
    Ok(())
}

#[test]
fn large_upload_goes_through() -> Result {
    let fpm = Daemon::new()
        .ini("upload_max_filesize=64M")
        .ini("post_max_size=64M")
        .ini("memory_limit=16M")
        .file("t.php", "<?php echo md5_file($_FILES['f']['tmp_name']);")
        .start()?;
    let content = noise(20_000_000);
    let form = Multipart::new().file("f", "x", "application/octet-stream", &content);
    assert_eq!(
        fpm.send(
            &fpm.request("/t.php")
                .post(&form.content_type(), form.bytes())
        )?
        .text(),
        md5(&content)?
    );
    Ok(())
}
