//! What a service manager hears of the daemon, at a notification socket as systemd has one (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::Context;
use fpmd_tests::{Daemon, Fpm, PATIENCE, Process, Result, Site, Under, control, under};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` says.
    address: String,
    _folder: Option<tempfile::TempDir>,
}

impl Manager {
    fn at_a_path() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        Self::new(socket, path.display().to_string(), Some(folder))
    }

    fn at_an_abstract_name(name: &str) -> Result<Self> {
        let name = format!("fpmd-tests-{name}-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Self::new(socket, format!("@{name}"), None)
    }

    fn new(
        socket: UnixDatagram,
        address: String,
        folder: Option<tempfile::TempDir>,
    ) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            address,
            _folder: folder,
        })
    }

    fn next(&self) -> Result<String> {
        let mut buffer = [0; 4096];
        let len = self.socket.recv(&mut buffer).context("no notification")?;
        Ok(String::from_utf8(buffer[..len].to_vec())?)
    }

    fn daemon(&self) -> Daemon {
        Daemon::new()
            .environment("NOTIFY_SOCKET", &self.address)
            .file("t.php", "<?php echo 1;")
    }
}

fn ready(fpm: &Fpm) -> String {
    format!(
        "READY=1\nSTATUS=Ready to handle connections\nMAINPID={}",
        fpm.process().pid()
    )
}

/// The kernel's monotonic clock.
fn now_in_microseconds() -> Result<i64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() * 1_000_000 + now.tv_nsec() / 1_000)
}

#[test]
fn start_is_told_to_a_socket_with_a_path() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager.daemon().start()?;
    assert_eq!(manager.next()?, ready(&fpm));
    fpm.log()
        .wait_for("NOTICE: systemd monitor interval set to 10000ms")?;
    Ok(())
}

#[test]
fn start_is_told_to_a_socket_with_an_abstract_name() -> Result {
    let manager = Manager::at_an_abstract_name("start")?;
    let fpm = manager.daemon().start()?;
    assert_eq!(manager.next()?, ready(&fpm));
    Ok(())
}

#[test]
fn reports_count_the_requests_of_all_pools() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager
        .daemon()
        .global("systemd_interval = 1")
        .workers(2)
        .other_pool("b", "")
        .start()?;
    fpm.log()
        .wait_for("NOTICE: systemd monitor interval set to 1000ms")?;
    assert_eq!(manager.next()?, ready(&fpm));
    fpm.get("/t.php")?;
    fpm.send_to("b", &fpm.request("/t.php"))?;
    let expected =
        "READY=1\nSTATUS=Processes active: 0, idle: 3, Requests: 2, slow: 0, Traffic: 0.00req/sec";
    // The first reports may come before the requests, and the next counts them as traffic.
    while manager.next()? != expected {}
    Ok(())
}

#[test]
fn reports_can_be_switched_off() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager.daemon().global("systemd_interval = 0").start()?;
    fpm.log().wait_for("NOTICE: systemd monitor disabled")?;
    Ok(())
}

#[test]
fn watchdog_hears_at_half_its_time() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager
        .daemon()
        .environment("WATCHDOG_USEC", "2200000")
        .start()?;
    fpm.log()
        .wait_for("NOTICE: systemd watchdog configured to 1.1sec")?;
    assert_eq!(manager.next()?, ready(&fpm));
    let expected = "READY=1\nWATCHDOG=1\nSTATUS=Processes active: ";
    let report = manager.next()?;
    assert!(report.starts_with(expected), "{report}");
    Ok(())
}

#[test]
fn watchdog_comes_before_the_interval() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager
        .daemon()
        .global("systemd_interval = 5")
        .environment("WATCHDOG_USEC", "60000000")
        .start()?;
    let log = fpm.log();
    log.wait_for("WARNING: systemd_interval option ignored")?;
    log.wait_for("NOTICE: systemd watchdog configured to 30sec")?;
    log.wait_for("NOTICE: systemd monitor interval set to 30000ms")?;
    Ok(())
}

#[test]
fn daemon_in_the_background_tells_its_own_pid() -> Result {
    let manager = Manager::at_a_path()?;
    let site = Site::new()?;
    let pid_file = site.path("pid");
    let parent = manager
        .daemon()
        .global(&format!("error_log = {}", site.path("log").display()))
        .pool(&format!("listen = {}", site.path("s").display()))
        .argument("-D")
        .argument("-g")
        .argument(&pid_file.to_string_lossy())
        .start_in_vain()?;
    assert_eq!(parent.code, Some(0), "{}", parent.output);
    let daemon = Process::of(std::fs::read_to_string(&pid_file)?.parse()?)?;
    let told = manager.next();
    daemon.signal(Signal::SIGTERM)?;
    daemon.wait_for_end()?;
    let expected = format!("MAINPID={}", daemon.pid());
    assert!(told?.ends_with(&expected), "no {expected}");
    Ok(())
}

#[test]
fn stop_is_told_by_fpmd() -> Result {
    let manager = Manager::at_a_path()?;
    let mut fpm = manager.daemon().start()?;
    manager.next()?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.wait()?;
    manager.socket.set_nonblocking(true)?;
    match under()? {
        Under::Fpmd => assert_eq!(manager.next()?, "STOPPING=1\nSTATUS=Finishing ..."),
        Under::Original => assert!(manager.next().is_err()),
    }
    Ok(())
}

#[test]
fn reload_is_told_from_its_begin_to_its_end() -> Result {
    let manager = Manager::at_a_path()?;
    let fpm = manager.daemon().start()?;
    assert_eq!(manager.next()?, ready(&fpm));
    fpm.reload()?;
    if under()? == Under::Fpmd {
        let told = manager.next()?;
        let begun = told
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .and_then(|rest| rest.strip_suffix("\nSTATUS=Reloading in progress ..."))
            .with_context(|| told.clone())?;
        // What systemd compares with the moment at which it asked.
        assert!(begun.parse::<i64>()? <= now_in_microseconds()?, "{told}");
    }
    assert_eq!(manager.next()?, ready(&fpm));
    Ok(())
}

#[test]
fn failed_reload_is_told_and_the_daemon_is_ready_all_the_same() -> Result {
    let manager = Manager::at_a_path()?;
    let mut fpm = manager.daemon().start()?;
    assert_eq!(manager.next()?, ready(&fpm));
    fpm.edit("pm = static", "pm = sttic")?;
    match under()? {
        Under::Fpmd => {
            fpm.reload_in_vain()?;
            assert!(manager.next()?.starts_with("RELOADING=1\n"));
            assert_eq!(
                manager.next()?,
                "READY=1\nSTATUS=reload failed, generation 1 goes on"
            );
        }
        Under::Original => {
            fpm.signal(Signal::SIGUSR2)?;
            assert_eq!(fpm.wait()?.code(), Some(78));
        }
    }
    Ok(())
}

#[test]
fn manager_that_is_not_there_is_a_warning() -> Result {
    let fpm = Daemon::new()
        .environment("NOTIFY_SOCKET", "{dir}/nobody")
        .start()?;
    fpm.log()
        .wait_for("WARNING: failed to notify start to systemd")?;
    Ok(())
}

#[test]
fn service_goes_to_the_other_master_when_the_first_one_leaves() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let manager = Manager::at_a_path()?;
    let daemon = manager.daemon().global("control.listen = {dir}/control");
    let fpm = daemon.global("pid = {dir}/pid").start()?;
    assert_eq!(manager.next()?, ready(&fpm));
    let (code, _, complaint) = control::run(&fpm, "upgrade --beside")?;
    assert_eq!(code, 0, "{complaint}");
    let new: i32 = std::fs::read_to_string(fpm.site().path("pid"))?.parse()?;
    let (code, _, complaint) = control::at(&fpm.site().path("control.oldbin"), "quit")?;
    assert_eq!(code, 0, "{complaint}");
    // systemd listens to the main process only: the new one is silent until it is that.
    let reports = |text: &String| text.contains("STATUS=Processes");
    let heard = || loop {
        let text = manager.next()?;
        if !reports(&text) {
            return anyhow::Ok(text);
        }
    };
    assert_eq!(heard()?, format!("MAINPID={new}"));
    let ready = "READY=1\nSTATUS=Ready to handle connections\nMAINPID=";
    assert_eq!(heard()?, format!("{ready}{new}"));
    Ok(())
}

#[test]
fn stop_of_the_service_ends_both_masters() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let manager = Manager::at_a_path()?;
    let daemon = manager.daemon().global("control.listen = {dir}/control");
    let mut fpm = daemon.global("pid = {dir}/pid").start()?;
    let (code, _, complaint) = control::run(&fpm, "upgrade --beside")?;
    assert_eq!(code, 0, "{complaint}");
    let new: i32 = std::fs::read_to_string(fpm.site().path("pid"))?.parse()?;
    let new = Process::of(new)?;
    // The test has started it, as systemd would have.
    fpm.signal(Signal::SIGQUIT)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert!(
        new.ends_within(std::time::Duration::ZERO)?,
        "the main process ends last"
    );
    for name in ["pid", "pid.oldbin", "control", "control.oldbin", "www.sock"] {
        assert!(!fpm.site().path(name).exists(), "{name}");
    }
    Ok(())
}
