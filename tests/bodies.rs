//! Request bodies: `php://input`, forms, files named by the web server, and lengths that do not fit.

use std::time::Duration;

use fcgi_proto::record::RecordType;
use fpmd_tests::{Daemon, Fpm, Record, Request, Result, Under, md5, noise, under};

/// Prints the method, the length of `php://input`, its checksum, and the size of `$_POST`.
const INPUT: &str = "<?php $in = file_get_contents('php://input');
    echo $_SERVER['REQUEST_METHOD'], ' ', strlen($in), ' ', md5($in), ' ', count($_POST);";

fn serve(script: &str) -> Result<Fpm> {
    Daemon::new().file("t.php", script).start()
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
        connection.send_bytes(
            &Record::new(RecordType::Stdin, part)
                .padding(padding)
                .bytes(),
        )?;
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
    if under()? == Under::Original {
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
