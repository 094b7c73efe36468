//! SIGUSR1: logs that were moved away are opened anew.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, Gate, Result, Site, Subject, Under, under};
use nix::sys::signal::Signal;

fn daemon() -> Daemon {
    Daemon::echo()
        .logging_to_file()
        .pool("access.log = {dir}/access.log\naccess.format = '%{X}e'")
}

/// Requests `/t.php` with a word that is the line of the access log.
fn log_access(fpm: &Fpm, word: &str) -> Result {
    let answer = fpm.send(&fpm.request("/t.php").param("X", word))?;
    ensure!(answer.text() == format!("served {word}"), "{answer:?}");
    Ok(())
}

/// Moves a log away, as logrotate does.
fn rotate(fpm: &Fpm, name: &str) -> Result {
    let path = fpm.site().path(name);
    Ok(fs::rename(&path, path.with_extension("log.1"))?)
}

fn read(fpm: &Fpm, name: &str) -> Result<String> {
    fs::read_to_string(fpm.site().path(name)).context(name.to_owned())
}

/// Sends the signal and waits until the logs are in use. The original's workers end for that.
fn reopen(fpm: &Fpm, workers: usize) -> Result {
    fpm.signal(Signal::SIGUSR1)?;
    fpm.log().wait_for("NOTICE: error log file re-opened")?;
    fpm.log().wait_for("NOTICE: access log file re-opened")?;
    match under()? {
        Under::Fpmd => assert_eq!(fpm.log().lines_with("exited"), [""; 0]),
        Under::Original => drop(fpm.log().wait_for_nth("started", workers)?),
    }
    Ok(())
}

#[test]
fn new_files_take_the_lines_and_workers_of_fpmd_live_on() -> Result {
    let fpm = daemon().workers(2).start()?;
    log_access(&fpm, "before")?;
    rotate(&fpm, "fpm.log")?;
    rotate(&fpm, "access.log")?;
    log_access(&fpm, "between")?;
    reopen(&fpm, 2)?;
    log_access(&fpm, "after")?;
    assert_eq!(read(&fpm, "access.log.1")?, "before\nbetween\n");
    assert_eq!(read(&fpm, "access.log")?, "after\n");
    assert!(!read(&fpm, "fpm.log.1")?.contains("re-opened"));
    assert!(read(&fpm, "fpm.log")?.contains("access log file re-opened"));
    for process in fpm.processes("php-fpm")? {
        let files = process.open_files()?;
        assert!(!files.iter().any(|file| file.ends_with(".1")), "{files:?}");
    }
    Ok(())
}

#[test]
fn running_request_is_not_disturbed() -> Result {
    let fpm = daemon()
        .file(
            "slow.php",
            "<?php fgets(fopen(__DIR__ . '/../var/gate', 'r')); echo getmypid();",
        )
        .file("pid.php", "<?php echo getmypid();")
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let before = fpm.get("/pid.php")?.text();
    let mut connection = fpm.begin(&fpm.request("/slow.php"))?;
    rotate(&fpm, "access.log")?;
    fpm.signal(Signal::SIGUSR1)?;
    fpm.log().wait_for("NOTICE: access log file re-opened")?;
    gate.open()?;
    assert_eq!(connection.answer()?.text(), before);
    drop(connection);
    let after = fpm.get("/pid.php")?.text();
    assert_eq!(after == before, under()? == Under::Fpmd);
    Ok(())
}

#[test]
fn worker_that_is_born_later_writes_to_the_new_file() -> Result {
    let fpm = daemon()
        .file("die.php", "<?php posix_kill(getmypid(), SIGKILL);")
        .start()?;
    rotate(&fpm, "access.log")?;
    reopen(&fpm, 1)?;
    assert!(fpm.get("/die.php").is_err());
    fpm.log().wait_for("exited on signal 9")?;
    log_access(&fpm, "newborn")?;
    assert_eq!(read(&fpm, "access.log")?, "newborn\n");
    assert_eq!(read(&fpm, "access.log.1")?, "");
    Ok(())
}

#[test]
fn log_that_cannot_be_opened_stays_in_use() -> Result {
    let fpm = daemon().pool("access.log = {dir}/var/log/access.log");
    let fpm = fpm.folder("var/log").start()?;
    let folder = fpm.site().path("var/log");
    fs::rename(&folder, folder.with_extension("old"))?;
    fpm.signal(Signal::SIGUSR1)?;
    fpm.log().wait_for("NOTICE: error log file re-opened")?;
    let reason = fpm.log().wait_for("ERROR: failed to open access log")?;
    assert!(
        reason.ends_with("No such file or directory (2)"),
        "{reason}"
    );
    fpm.log()
        .wait_for("ERROR: unable to re-opened access log file")?;
    log_access(&fpm, "kept")?;
    assert_eq!(read(&fpm, "var/log.old/access.log")?, "kept\n");
    assert_eq!(fpm.log().lines_with("exited"), [""; 0]);
    Ok(())
}

#[test]
fn worker_in_a_chroot_gets_the_new_file() -> Result {
    let fpm = daemon();
    let fpm = match nix::unistd::Uid::effective().is_root() {
        true => fpm.pool("chroot = {dir}/www\nchdir = /"),
        false => fpm,
    };
    let fpm = fpm.start()?;
    let request = fpm.request("/t.php").param("SCRIPT_FILENAME", "/t.php");
    rotate(&fpm, "access.log")?;
    reopen(&fpm, 1)?;
    fpm.send(&request.param("X", "after"))?;
    assert_eq!(read(&fpm, "access.log")?, "after\n");
    Ok(())
}

#[test]
fn unprivileged_daemon_opens_its_logs_anew() -> Result {
    let site = Site::new()?;
    let fpm = Daemon::echo()
        .subject(&Subject::from_environment()?.unprivileged(&site)?)
        .tcp()
        .logging_to(&site.var().join("fpm.log"))
        .pool(&format!("access.log = {}/access.log", site.var().display()))
        .pool("access.format = '%{X}e'")
        .start()?;
    log_access(&fpm, "before")?;
    for name in ["fpm.log", "access.log"] {
        let path = site.var().join(name);
        fs::rename(&path, path.with_extension("log.1"))?;
    }
    reopen(&fpm, 1)?;
    log_access(&fpm, "after")?;
    let read = |name: &str| fs::read_to_string(site.var().join(name));
    assert_eq!(read("access.log.1")?, "before\n");
    assert_eq!(read("access.log")?, "after\n");
    assert!(read("fpm.log")?.contains("access log file re-opened"));
    Ok(())
}

#[test]
fn stopped_worker_gets_the_new_file_when_it_goes_on() -> Result {
    let fpm = daemon().workers(2).start()?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 2)?;
    for worker in &workers {
        worker.signal(Signal::SIGSTOP)?;
    }
    rotate(&fpm, "access.log")?;
    fpm.signal(Signal::SIGUSR1)?;
    fpm.log().wait_for("NOTICE: access log file re-opened")?;
    for worker in &workers {
        worker.signal(Signal::SIGCONT)?;
    }
    if under()? == Under::Original {
        fpm.log().wait_for_nth("started", 2)?;
    }
    log_access(&fpm, "after")?;
    assert_eq!(read(&fpm, "access.log")?, "after\n");
    Ok(())
}

#[test]
fn logrotate_rotates_with_the_recipe_in_conf() -> Result {
    let fpm = daemon().global("pid = {dir}/fpm.pid").start()?;
    log_access(&fpm, "before")?;
    let folder = fpm.site().folder().to_string_lossy().into_owned();
    let recipe = include_str!("../conf/logrotate")
        .replace(
            "/usr/local/var/log/php-fpm.log",
            &format!("{folder}/fpm.log"),
        )
        .replace(
            "/usr/local/var/log/*.access.log",
            &format!("{folder}/access.log"),
        )
        .replace(
            "/usr/local/var/run/php-fpm.pid",
            &format!("{folder}/fpm.pid"),
        );
    ensure!(!recipe.contains("/usr/local"), "{recipe}");
    let recipe_file = fpm.site().path("logrotate.conf");
    fs::write(&recipe_file, recipe)?;
    let output = Command::new(fpmd_tests::find_tool("logrotate", "logrotate")?)
        .args(["--force", "--state"])
        .arg(fpm.site().path("logrotate.state"))
        .arg(&recipe_file)
        .output()?;
    ensure!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    fpm.log().wait_for("NOTICE: access log file re-opened")?;
    if under()? == Under::Original {
        fpm.log().wait_for("started")?;
    }
    log_access(&fpm, "after")?;
    assert_eq!(read(&fpm, "access.log.1")?, "before\n");
    assert_eq!(read(&fpm, "access.log")?, "after\n");
    assert!(!read(&fpm, "fpm.log.1")?.contains("re-opened"));
    Ok(())
}
