//! PHP sessions across requests and workers.

use fpmd_tests::{Daemon, Result};

fn daemon() -> Daemon {
    Daemon::new().ini("session.save_path={dir}/var")
}

#[test]
fn session_lives_on_in_the_next_request_and_another_worker() -> Result {
    let fpm = daemon()
        .workers(4)
        .file("t.php", "<?php session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'];")
        .start()?;
    let first = fpm.get("/t.php")?;
    assert_eq!(first.text(), "1");
    let cookie = first
        .header("Set-Cookie")
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .to_owned();
    assert!(cookie.starts_with("PHPSESSID="), "{cookie}");
    assert_eq!(
        first.header("Expires"),
        Some("Thu, 19 Nov 1981 08:52:00 GMT")
    );
    for count in 2..20 {
        assert_eq!(
            fpm.send(&fpm.request("/t.php").header("Cookie", &cookie))?
                .text(),
            count.to_string()
        );
    }
    assert_eq!(fpm.get("/t.php")?.text(), "1");
    Ok(())
}

#[test]
fn session_is_written_even_when_the_script_fails() -> Result {
    let fpm = daemon()
        .file("t.php", "<?php session_id('fixed'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'], '|'; none();")
        .start()?;
    assert!(fpm.get("/t.php")?.text().starts_with("1|"));
    assert!(fpm.get("/t.php")?.text().starts_with("2|"));
    Ok(())
}

#[test]
fn handler_of_the_script_runs_at_the_end_of_the_request() -> Result {
    let handler = "<?php class H implements SessionHandlerInterface {
        function open($p, $n): bool { return true; } function close(): bool { echo ' close'; return true; }
        function read($id): string { return ''; } function write($id, $data): bool { echo \" write $data\"; return true; }
        function destroy($id): bool { return true; } function gc($t): int { return 0; } }
        session_set_save_handler(new H, true); ob_start(); session_start(); $_SESSION['a'] = 1; echo 'end';";
    let fpm = daemon().file("t.php", handler).start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "end write a|i:1; close");
    Ok(())
}
