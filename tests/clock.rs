//! The wall clock jumps while the daemon runs: nothing that is measured in seconds may notice.
//!
//! Only the daemon sees it jump (libfaketime, with a file that says how far its clock is off). The monotonic clock goes on as it does
//! on a machine whose clock is set.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, Gate, Process, Result, Under, under};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Where Debian has it; this one is for programs with threads.
const FAKETIME: &str = "faketime/libfaketimeMT.so.1";

/// The clock of a daemon.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let clock = Self { folder };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Has the clock so many seconds fast or slow.
    fn set(&self, seconds: &str) -> Result {
        let next = self.folder.path().join("next");
        fs::write(&next, seconds)?;
        Ok(fs::rename(next, self.folder.path().join("clock"))?)
    }

    /// A daemon that goes by this clock.
    fn daemon(&self) -> Result<Daemon> {
        let file = self.folder.path().join("clock").display().to_string();
        Ok(Daemon::echo()
            .file("time.php", "<?php echo time();")
            .file("pid.php", "<?php echo getmypid();")
            .file("wait.php", Gate::SCRIPT)
            // The library looks for the file whenever it is asked for the time.
            .pool("clear_env = no")
            .environment("LD_PRELOAD", &library()?)
            .environment("FAKETIME_TIMESTAMP_FILE", &file)
            .environment("FAKETIME_NO_CACHE", "1")
            .environment("FAKETIME_DISABLE_SHM", "1")
            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .environment("DONT_FAKE_MONOTONIC", "1"))
    }
}

fn library() -> Result<String> {
    let folders = fs::read_dir("/usr/lib")?;
    let mut found = folders
        .filter_map(|folder| Some(folder.ok()?.path().join(FAKETIME)))
        .filter(|library| Path::is_file(library));
    let library = found.next().context("apt-get install libfaketime")?;
    Ok(library.display().to_string())
}

/// What scripts take for the time.
fn time(fpm: &Fpm) -> Result<i64> {
    Ok(fpm.get("/time.php")?.text().parse()?)
}

/// Has the clock so many seconds fast from now on, and makes sure that the daemon goes by it.
fn jump(fpm: &Fpm, clock: &Clock, seconds: i64) -> Result {
    clock.set(&format!("{seconds:+}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let fast = time(fpm)? - i64::try_from(now.as_secs())?;
    ensure!((fast - seconds).abs() < 1800, "{fast} seconds fast");
    Ok(())
}

#[test]
fn request_outlives_a_clock_that_is_put_forward() -> Result {
    let clock = Clock::new()?;
    let fpm = clock
        .daemon()?
        .workers(2)
        .pool("request_terminate_timeout = 600\nrequest_slowlog_timeout = 600\nslowlog = {dir}/slow.log")
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    jump(&fpm, &clock, 3600)?;
    // The master looks at its workers again.
    Process::of(fpm.get("/pid.php")?.text().parse()?)?.signal(Signal::SIGKILL)?;
    fpm.log().wait_for("exited on signal 9")?;
    fpm.wait_for_processes("php-fpm: pool www", 2)?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    for said in ["timed out", "too slow"] {
        assert_eq!(fpm.log().lines_with(said), [""; 0]);
    }
    Ok(())
}

#[test]
fn request_is_ended_in_time_though_the_clock_is_put_back() -> Result {
    let clock = Clock::new()?;
    let fpm = clock
        .daemon()?
        .workers(2)
        .pool(
            "request_terminate_timeout = 2\nrequest_slowlog_timeout = 1\nslowlog = {dir}/slow.log",
        )
        .start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    jump(&fpm, &clock, -3600)?;
    fpm.log().wait_for("executing too slow")?;
    fpm.log().wait_for("execution timed out")?;
    assert!(running.answer().is_err());
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn idle_worker_ends_in_time_though_the_clock_is_put_back() -> Result {
    let clock = Clock::new()?;
    let fpm = clock
        .daemon()?
        .global("log_level = debug")
        .pool("pm = ondemand\npm.max_children = 1\npm.process_idle_timeout = 1s")
        .start()?;
    jump(&fpm, &clock, -3600)?;
    // Until its master knows, the original takes the worker that has ended for one that will serve the next request.
    fpm.log()
        .wait_for("has been killed by the process management")?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn reload_does_not_depend_on_the_wall_clock() -> Result {
    let clock = Clock::new()?;
    let daemon = clock.daemon()?.workers(2);
    let fpm = daemon.global("process_control_timeout = 600s").start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    if under()? == Under::Original {
        // It waits for the request.
        gate.open()?;
        assert_eq!(running.answer()?.body, b"done");
        drop(running);
        jump(&fpm, &clock, 3600)?;
        fpm.reload()?;
        return fpm.get("/t.php").map(drop);
    }
    for seconds in [3600, -3600] {
        fpm.reload()?;
        jump(&fpm, &clock, seconds)?;
    }
    fpm.reload()?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    Ok(())
}

#[test]
fn status_page_counts_no_seconds_below_zero() -> Result {
    let clock = Clock::new()?;
    let fpm = clock.daemon()?.pool("pm.status_path = /status").start()?;
    jump(&fpm, &clock, -3600)?;
    let status = fpm.status_page("?json&full")?.text();
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let since = [
        &status["start since"],
        &status["processes"][0]["start since"],
    ];
    println!("{:?}: {since:?}", under()?);
    if under()? == Under::Fpmd {
        for since in since {
            assert!(since.as_u64().is_some_and(|since| since < 7200), "{since}");
        }
    }
    Ok(())
}

#[test]
fn access_log_and_daemon_go_on_when_the_clock_jumps_to_and_fro() -> Result {
    let clock = Clock::new()?;
    let daemon = clock.daemon()?.pool(
        "access.log = {dir}/access.log\naccess.format = \"%d\"\npm = dynamic\npm.max_children = 4\npm.start_servers = 1\npm.min_spare_servers = 1\npm.max_spare_servers = 2",
    );
    let fpm = daemon.start()?;
    for seconds in [3600, -3600, 86_400, 0] {
        jump(&fpm, &clock, seconds)?;
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
    }
    let durations = fs::read_to_string(fpm.site().path("access.log"))?;
    for duration in durations.lines() {
        let seconds: f64 = duration.parse()?;
        assert!((0.0..60.0).contains(&seconds), "{durations}");
    }
    Ok(())
}
