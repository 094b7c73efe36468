//! Files in forms: what the script gets, what is left behind, and the limits.

use std::fs;

use fpmd_tests::{Daemon, Fpm, Multipart, PhpVersion, Result, Subject, md5, noise};

fn serve(script: &str) -> Result<Fpm> {
    Daemon::new().file("t.php", script).start()
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
