//! Logs that take nothing: nobody waits for them, and what is lost is counted.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fpmd_tests::{Daemon, Gate, Result, Site, SmallDisk, Under, under};
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

/// Reads what a pipe holds now.
fn drain(path: &Path) -> Result<String> {
    let mut text = Vec::new();
    let mut pipe = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().try_into()?)
        .open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        text.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8(text)?)
}

#[test]
fn access_log_that_nobody_reads_stops_no_worker_of_fpmd() -> Result {
    // A pipe holds 64 KiB.
    const REQUESTS: usize = 150;
    let site = Site::new()?;
    let pipe = Gate::new(&site, "access.log")?;
    let fpm = Daemon::echo()
        .pool(&format!("access.log = {}", pipe.path().display()))
        .pool("access.format = '%{X}e'")
        .start()?;
    let line = "x".repeat(999);
    let request = fpm.request("/t.php").param("X", &line);
    let requests = match under()? {
        Under::Fpmd => REQUESTS,
        // More would leave its worker waiting for a reader.
        Under::Original => 50,
    };
    for _ in 0..requests {
        fpm.send(&request)?;
    }
    let written = drain(pipe.path())?;
    assert!(written.lines().all(|written| written == line));
    let lost = requests - written.lines().count();
    assert_eq!(lost > 0, under()? == Under::Fpmd);
    fpm.send(&request)?;
    assert_eq!(drain(pipe.path())?.lines().count(), 1);
    if under()? == Under::Fpmd {
        let report = format!("could not write {lost} line(s) of the access log");
        fpm.log().wait_for(&report)?;
    }
    Ok(())
}

#[test]
fn logs_without_a_reader_keep_fpmd_from_nothing() -> Result {
    let site = Site::new()?;
    let logs = ["error.log", "access.log"].map(|name| site.path(name));
    for log in &logs {
        mkfifo(log, Mode::S_IRWXU)?;
    }
    let [error_log, access_log] = &logs;
    let daemon = Daemon::echo()
        .global(&format!("error_log = {}", error_log.display()))
        .pool(&format!("access.log = {}", access_log.display()));
    if under()? == Under::Original {
        // It waits for a reader of the one, then of the other.
        let _fpm = daemon.start_unheard()?;
        OpenOptions::new().read(true).open(error_log)?;
        return Ok(());
    }
    let fpm = daemon.start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

/// Writes to a pipe until it is full.
fn fill(path: &Path) -> Result {
    let mut pipe = OpenOptions::new()
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().try_into()?)
        .open(path)?;
    loop {
        match pipe.write(&[0; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[test]
fn slow_log_that_takes_nothing_stops_nothing_in_fpmd() -> Result {
    let site = Site::new()?;
    let pipe = Gate::new(&site, "slow.log")?;
    if under()? == Under::Fpmd {
        // The original's master would wait.
        fill(pipe.path())?;
    }
    for (path, reason) in [
        (pipe.path(), "Resource temporarily unavailable (11)"),
        (Path::new("/dev/full"), "No space left on device (28)"),
    ] {
        let fpm = Daemon::echo()
            .workers(2)
            .file("slow.php", "<?php sleep(600);")
            .pool("request_slowlog_timeout = 1s")
            .pool(&format!("slowlog = {}", path.display()))
            .start()?;
        let _client = fpm.begin(&fpm.request("/slow.php"))?;
        fpm.log().wait_for("executing too slow")?;
        if under()? == Under::Fpmd {
            let told = fpm.log().wait_for("ERROR: unable to open slowlog")?;
            assert!(told.ends_with(reason), "{told}");
        }
        fpm.log().wait_for("finished trace of")?;
        fpm.serves_on()?;
    }
    Ok(())
}

/// How often `talk.php` speaks: more than is kept for a log that takes nothing.
const LINES: usize = 3000;

/// Serves `talk.php`, which has the log take so many lines of a kilobyte, and says so.
fn talkative() -> Daemon {
    Daemon::echo()
        .pool("catch_workers_output = yes\ndecorate_workers_output = no")
        .file(
            "talk.php",
            format!(
                "<?php for ($i = 0; $i < {LINES}; $i++) {{
                    file_put_contents('php://stderr', sprintf('%06d', $i) . str_repeat('x', 900) . \"\\n\");
                }}
                echo 'said';"
            ),
        )
}

/// Checks that a log holds lines in their order, and the number of those that are missing.
fn check_gap(log: &str) -> Result {
    let said: Vec<usize> = log
        .lines()
        .filter(|line| line.ends_with("xxx"))
        .map(|line| Ok(line[..6].parse()?))
        .collect::<Result<_>>()?;
    assert!(said.is_sorted_by(|one, next| one < next), "{said:?}");
    assert_eq!(said.first(), Some(&0));
    let lost: usize = log
        .lines()
        .filter_map(|line| {
            let (before, _) = line.split_once(" line(s) of this log are lost")?;
            before.rsplit(' ').next()?.parse::<usize>().ok()
        })
        .sum();
    assert!(lost > 0);
    // Among them may be lines of the daemon's own.
    assert!(said.len() + lost >= LINES, "{} and {lost}", said.len());
    Ok(())
}

#[test]
fn error_log_that_nobody_reads_stops_nothing_in_fpmd() -> Result {
    let site = Site::new()?;
    let pipe = Gate::new(&site, "error.log")?;
    let fpm = talkative().logging_to_pipe(pipe.path()).start_unheard()?;
    pipe.read_until("ready to handle connections")?;
    if under()? == Under::Original {
        // More than a few lines, and its master is stuck in a write, its worker soon after.
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
        return Ok(());
    }
    assert_eq!(fpm.get("/talk.php")?.text(), "said");
    fpm.kill_worker()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    check_gap(&pipe.read_until("of this log are lost")?)
}

#[test]
fn error_log_that_is_read_gets_everything_however_much_is_said_at_once() -> Result {
    let site = Site::new()?;
    let pipe = Gate::new(&site, "error.log")?;
    let fpm = talkative().logging_to_pipe(pipe.path()).start_unheard()?;
    pipe.read_until("ready to handle connections")?;
    let mut connection = fpm.begin(&fpm.request("/talk.php"))?;
    let log = pipe.read_until(&format!("{:06}x", LINES - 1))?;
    let said = log
        .lines()
        .filter_map(|line| line.get(..6)?.parse::<usize>().ok());
    assert!(said.eq(0..LINES), "lines are missing");
    assert!(!log.contains("are lost"));
    assert_eq!(connection.answer()?.text(), "said");
    Ok(())
}

#[test]
fn full_disk_stops_nothing_and_what_it_did_not_take_is_counted() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let disk = SmallDisk::new()?;
    let [error_log, access_log] = ["error.log", "access.log"].map(|name| disk.path().join(name));
    let fpm = talkative()
        .logging_to(&error_log)
        .pool(&format!("access.log = {}", access_log.display()))
        .pool("access.format = '%r'")
        .start()?;
    let filler = disk.fill()?;
    assert_eq!(fpm.get("/talk.php")?.text(), "said");
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fs::remove_file(filler)?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    assert_eq!(fs::read_to_string(access_log)?, "/t.php\n");
    if under()? == Under::Original {
        return Ok(());
    }
    fpm.log()
        .wait_for("could not write 2 line(s) of the access log")?;
    fpm.kill_worker()?;
    fpm.log().wait_for("exited on signal 9")?;
    check_gap(&fs::read_to_string(error_log)?)
}
