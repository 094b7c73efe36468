//! Requests that run no script: what is missing, forbidden or unreadable, and what the web server is told.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use fpmd_tests::{Daemon, Request, Result};

fn daemon() -> Daemon {
    Daemon::new().file("other.php", "<?php echo 'other';")
}

#[test]
fn missing_script_is_404_and_said_to_the_server() -> Result {
    let fpm = daemon().start()?;
    let answer = fpm.get("/none.php")?;
    assert_eq!((answer.status, &*answer.text()), (404, "File not found.\n"));
    assert_eq!(answer.header("Status"), Some("404 Not Found"));
    assert_eq!(answer.stderr, "Primary script unknown");
    assert_eq!(fpm.get("/other.php")?.text(), "other");
    Ok(())
}

#[test]
fn missing_script_without_fix_pathinfo_says_no_input_file() -> Result {
    let fpm = daemon().ini("cgi.fix_pathinfo=0").start()?;
    let answer = fpm.get("/none.php")?;
    assert_eq!(
        (answer.status, &*answer.text()),
        (404, "No input file specified.\n")
    );
    let path = fpm.site().root().join("none.php");
    assert_eq!(
        answer.stderr,
        format!(
            "Unable to open primary script: {} (No such file or directory)",
            path.display()
        )
    );
    Ok(())
}

#[test]
fn request_that_names_no_script_is_404() -> Result {
    let fpm = daemon().start()?;
    let answer = fpm.send(&Request::bare().param("REQUEST_METHOD", "GET"))?;
    assert_eq!((answer.status, &*answer.text()), (404, "File not found.\n"));
    assert_eq!(answer.stderr, "Primary script unknown");
    Ok(())
}

#[test]
fn request_without_a_method_runs_nothing() -> Result {
    let fpm = daemon().start()?;
    let answer = fpm.send(&fpm.request("/other.php").without("REQUEST_METHOD"))?;
    assert_eq!(
        (answer.status, &*answer.text(), &*answer.stderr),
        (200, "", "")
    );
    assert_eq!(
        answer.header("Content-type"),
        Some("text/html; charset=UTF-8")
    );
    Ok(())
}

#[test]
fn empty_request_gets_an_empty_answer() -> Result {
    let fpm = daemon().start()?;
    let answer = fpm.send(&Request::bare())?;
    assert_eq!((answer.status, &*answer.text()), (200, ""));
    Ok(())
}

#[test]
fn other_extensions_are_refused() -> Result {
    let fpm = Daemon::new()
        .file("t.txt", "<?php echo 1;")
        .file("t.phar", "<?php echo 'phar';")
        .file(".php", "<?php echo 2;")
        .start()?;
    let answer = fpm.get("/t.txt")?;
    assert_eq!((answer.status, &*answer.text()), (403, "Access denied.\n"));
    let path = fpm.site().root().join("t.txt");
    assert_eq!(
        answer.stderr,
        format!(
            "Access to the script '{}' has been denied (see security.limit_extensions)",
            path.display()
        )
    );
    assert_eq!(fpm.get("/t.phar")?.text(), "phar");
    Ok(())
}

#[test]
fn extension_list_is_the_pools() -> Result {
    let fpm = Daemon::new()
        .pool("security.limit_extensions = .html\t.htm")
        .file("t.html", "<?php echo 'html';")
        .file("t.htm", "<?php echo 'htm';")
        .file("t.HTML", "<?php echo 'HTML';")
        .file("t.php", "<?php echo 'php';")
        .start()?;
    let status = |uri: &str| -> Result<u16> { Ok(fpm.get(uri)?.status) };
    assert_eq!(
        (
            status("/t.html")?,
            status("/t.htm")?,
            status("/t.HTML")?,
            status("/t.php")?
        ),
        (200, 200, 403, 403)
    );
    Ok(())
}

#[test]
fn empty_extension_list_allows_everything() -> Result {
    let fpm = Daemon::new()
        .pool("security.limit_extensions =")
        .file("t.txt", "<?php echo 'any';")
        .start()?;
    assert_eq!(fpm.get("/t.txt")?.text(), "any");
    Ok(())
}

#[test]
fn unreadable_script_is_403() -> Result {
    let fpm = daemon().start()?;
    let path = fpm.site().write("secret.php", "<?php echo 'secret';")?;
    fs::set_permissions(&path, Permissions::from_mode(0o000))?;
    let answer = fpm.get("/secret.php")?;
    assert_eq!((answer.status, &*answer.text()), (403, "Access denied.\n"));
    let expected = format!(
        "Unable to open primary script: {} (Permission denied)",
        path.display()
    );
    assert!(answer.stderr.ends_with(&expected), "{}", answer.stderr);
    assert_eq!(fpm.get("/other.php")?.text(), "other");
    Ok(())
}

#[test]
fn directory_is_no_script() -> Result {
    let fpm = Daemon::new()
        .file("folder/index.php", "<?php echo 1;")
        .file("dir.php/index.php", "<?php echo 1;")
        .start()?;
    assert_eq!(fpm.get("/folder")?.status, 403);
    assert_eq!(fpm.get("/folder/")?.status, 404);
    let answer = fpm.get("/dir.php")?;
    assert_eq!(
        (answer.status, &*answer.text()),
        (404, "No input file specified.\n")
    );
    // The failure has no errno of its own, and must not show one that something before it has left.
    assert!(
        answer.stderr.contains("dir.php (Success)"),
        "{}",
        answer.stderr
    );
    Ok(())
}

#[test]
fn parent_directory_in_the_path_is_refused() -> Result {
    let fpm = daemon()
        .file("sub/keep.php", "")
        .file("sub/..x.php", "<?php echo 'dots in a name';")
        .start()?;
    let answer = fpm.get("/sub/../other.php")?;
    assert_eq!((answer.status, &*answer.text()), (404, "File not found.\n"));
    assert_eq!(fpm.get("/sub/..x.php")?.text(), "dots in a name");
    Ok(())
}
