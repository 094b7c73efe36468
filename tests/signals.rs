//! Stopping: what signals do to the master and to workers, and what becomes of running requests.

use fpmd_tests::{Daemon, Fpm, Gate, Process, Result, Under, under};
use nix::sys::signal::Signal;

/// Serves `t.php`, which waits for the test between its two words, and `pid.php`.
fn daemon() -> Daemon {
    Daemon::new()
        .file("t.php", Gate::SCRIPT)
        .file("pid.php", "<?php echo getmypid();")
}

/// The process that answers now.
fn worker(fpm: &Fpm) -> Result<Process> {
    Process::of(fpm.get("/pid.php")?.text().parse()?)
}

#[test]
fn term_and_int_stop_the_daemon_and_tidy_up() -> Result {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut fpm = daemon().workers(2).global("pid = {dir}/fpm.pid").start()?;
        assert_eq!(
            std::fs::read_to_string(fpm.site().path("fpm.pid"))?,
            fpm.process().pid().to_string()
        );
        let worker = worker(&fpm)?;
        fpm.signal(signal)?;
        assert_eq!(fpm.wait()?.code(), Some(0), "{signal}");
        let log = fpm.log().wait_for_end()?.join("\n");
        assert!(
            log.contains("NOTICE: Terminating ...") && log.ends_with("NOTICE: exiting, bye-bye!"),
            "{log}"
        );
        worker.wait_for_end()?;
        assert!(!fpm.site().path("fpm.pid").exists());
        assert!(!fpm.site().path("www.sock").exists());
    }
    Ok(())
}

#[test]
fn term_does_not_wait_for_running_requests() -> Result {
    let mut fpm = daemon().start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    fpm.signal(Signal::SIGTERM)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert!(connection.answer().is_err());
    Ok(())
}

#[test]
fn quit_waits_for_running_requests() -> Result {
    let mut fpm = daemon()
        .workers(2)
        .global("process_control_timeout = 20s")
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    gate.open()?;
    assert_eq!(connection.answer()?.body, b"done");
    drop(connection);
    assert_eq!(fpm.wait()?.code(), Some(0));
    fpm.log().wait_for("NOTICE: exiting, bye-bye!")?;
    assert!(!fpm.site().path("www.sock").exists());
    Ok(())
}

#[test]
fn quit_gives_up_waiting_after_the_control_timeout() -> Result {
    let mut fpm = daemon().global("process_control_timeout = 1s").start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert!(connection.answer().is_err());
    Ok(())
}

#[test]
fn quit_without_a_control_timeout_cuts_no_request_of_fpmd() -> Result {
    let mut fpm = daemon().start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    match under()? {
        Under::Fpmd => {
            gate.open()?;
            assert_eq!(connection.answer()?.body, b"done");
            drop(connection);
        }
        // The script has had SIGTERM right after SIGQUIT.
        Under::Original => assert!(connection.answer().is_err()),
    }
    assert_eq!(fpm.wait()?.code(), Some(0));
    Ok(())
}

#[test]
fn term_hastens_a_quit() -> Result {
    let mut fpm = daemon().global("process_control_timeout = 60s").start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let _connection = fpm.running("/t.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    fpm.signal(Signal::SIGTERM)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    fpm.log().wait_for("NOTICE: Terminating ...")?;
    Ok(())
}

#[test]
fn worker_told_to_quit_finishes_its_request_and_is_replaced() -> Result {
    // The first request of a worker and the later ones take different ways through PHP's own signal handling.
    for earlier_requests in [0, 1, 5] {
        let fpm = daemon().start()?;
        let gate = Gate::new(fpm.site(), "gate")?;
        for _ in 0..earlier_requests {
            worker(&fpm)?;
        }
        let mut connection = fpm.running("/t.php")?;
        let workers = fpm.processes("php-fpm: pool www")?;
        let [busy] = &workers[..] else {
            panic!("{workers:?}")
        };
        busy.signal(Signal::SIGQUIT)?;
        gate.open()?;
        assert_eq!(
            connection.answer()?.body,
            b"done",
            "after {earlier_requests} requests"
        );
        drop(connection);
        let line = fpm.log().wait_for(&format!(
            "[pool www] child {} exited with code 0 after ",
            busy.pid()
        ))?;
        assert!(line.contains("NOTICE: "), "{line}");
        assert_ne!(worker(&fpm)?.pid(), busy.pid());
    }
    Ok(())
}

#[test]
fn idle_worker_told_to_quit_leaves_at_once() -> Result {
    let fpm = daemon().start()?;
    let idle = worker(&fpm)?;
    idle.signal(Signal::SIGQUIT)?;
    fpm.log()
        .wait_for(&format!("child {} exited with code 0 after ", idle.pid()))?;
    let line = fpm.log().wait_for(" started")?;
    assert!(line.contains("NOTICE: [pool www] child "), "{line}");
    assert_ne!(worker(&fpm)?.pid(), idle.pid());
    Ok(())
}

#[test]
fn worker_told_to_terminate_drops_its_request() -> Result {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        let fpm = daemon().start()?;
        let _gate = Gate::new(fpm.site(), "gate")?;
        let victim = worker(&fpm)?;
        let mut connection = fpm.running("/t.php")?;
        victim.signal(signal)?;
        let line = fpm.log().wait_for(&format!(
            "child {} exited on signal {} ({signal})",
            victim.pid(),
            signal as i32
        ))?;
        assert!(
            line.contains("WARNING: [pool www] ") && line.ends_with(" seconds from start"),
            "{line}"
        );
        assert!(connection.answer().is_err());
        assert_ne!(worker(&fpm)?.pid(), victim.pid());
    }
    Ok(())
}

#[test]
fn master_ignores_a_broken_pipe_and_survives_nonsense() -> Result {
    let fpm = daemon().start()?;
    fpm.signal(Signal::SIGPIPE)?;
    fpm.signal(Signal::SIGCHLD)?;
    worker(&fpm)?;
    assert!(!fpm.process().ends_within(std::time::Duration::ZERO)?);
    Ok(())
}
