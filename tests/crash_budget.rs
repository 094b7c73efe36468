//! `pm.crash_budget`, which only fpmd has: a pool whose workers crash again and again costs the machine little.

use fpmd_tests::{Daemon, Fpm, Result, control};

/// Two workers, two of which may crash in half a minute; `/crash.php` ends its worker.
fn start() -> Result<Option<Fpm>> {
    let daemon = Daemon::echo()
        .workers(2)
        .pool("pm.crash_budget = 2/30s\nrlimit_core = 0")
        .other_pool("calm", "pm = static\npm.max_children = 1")
        .file("crash.php", "<?php posix_kill(getmypid(), SIGSEGV);");
    control::start(daemon)
}

/// Has so many workers crash.
fn crash(fpm: &Fpm, times: usize) -> Result {
    for _ in 0..times {
        let mut client = fpm.begin(&fpm.request("/crash.php"))?;
        client.wait_for_close()?;
    }
    Ok(())
}

#[test]
fn pool_whose_workers_crash_rests_and_recovers() -> Result {
    let Some(fpm) = start()? else {
        return Ok(());
    };
    crash(&fpm, 2)?;
    fpm.wait_for_processes("php-fpm: pool www", 2)?;
    assert!(fpm.log().lines_with("pm.crash_budget").is_empty());
    crash(&fpm, 1)?;
    let line = fpm.log().wait_for("pm.crash_budget")?;
    let cause = "ERROR: [pool www] more than 2 children crashed in 30 sec (pm.crash_budget), the last on signal 11 (SIGSEGV";
    assert!(
        line.contains(cause) && line.ends_with(": no new ones for 1 sec"),
        "{line}"
    );
    // The other worker serves on, and so does the other pool.
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    assert_eq!(
        fpm.send_to("calm", &fpm.request("/t.php"))?.text(),
        "served -"
    );
    crash(&fpm, 1)?;
    // Who comes now waits for the end of the rest.
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fpm.log().wait_for("[pool www] gets new children again")?;
    fpm.wait_for_processes("php-fpm: pool www", 2)?;
    crash(&fpm, 1)?;
    let status = control::status_when(&fpm, |status| status["pools"][0]["resting"] == true)?;
    assert_eq!(status["pools"][0]["rests"], 2, "{status:#}");
    assert_eq!(status["pools"][1]["resting"], false, "{status:#}");
    let (_, text, _) = control::run(&fpm, "status")?;
    assert!(text.contains("www   resting"), "{text}");
    Ok(())
}
