//! Stops that come while a reload is under way, and stops that are hurried.

use std::fs;

use fpmd_tests::{Daemon, Gate, Result, Subject, Under, under};
use nix::sys::signal::Signal;

fn daemon() -> Daemon {
    Daemon::echo().file("wait.php", Gate::SCRIPT)
}

#[test]
fn stop_does_not_wait_for_php_that_is_starting() -> Result {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    for signal in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGINT] {
        let mut fpm = daemon()
            .file("../preload.php", "<?php")
            .php_ini(&format!("zend_extension = {}", opcache.display()))
            .php_ini("opcache.preload_user = www-data\nopcache.preload = {dir}/preload.php")
            .start()?;
        if under()? == Under::Original {
            // It has no master at that moment, only PHP that starts.
            fpm.reload()?;
        } else {
            let preload = Gate::new(fpm.site(), "preload")?;
            fs::write(
                fpm.site().path("preload.php"),
                "<?php fgets(fopen(__DIR__ . '/var/preload', 'r'));",
            )?;
            fpm.signal(Signal::SIGUSR2)?;
            fpm.log().wait_for("reloading: generation 2")?;
            assert_eq!(fpm.get("/t.php")?.text(), "served -");
            drop(preload);
        }
        fpm.signal(signal)?;
        assert_eq!(fpm.wait()?.code(), Some(0), "{signal}");
        fpm.log().wait_for_end()?;
    }
    Ok(())
}

#[test]
fn graceful_stop_waits_for_the_requests_of_all_generations() -> Result {
    let mut fpm = daemon()
        .workers(2)
        .global("process_control_timeout = 60s")
        .start()?;
    if under()? == Under::Original {
        fpm.signal(Signal::SIGQUIT)?;
        assert_eq!(fpm.wait()?.code(), Some(0));
        return Ok(());
    }
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.reload()?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    assert_eq!(fpm.wait()?.code(), Some(0));
    let log = fpm.log().wait_for_end()?.join("\n");
    assert!(log.ends_with("NOTICE: exiting, bye-bye!"), "{log}");
    Ok(())
}

#[test]
fn quick_stop_ends_the_requests_of_all_generations() -> Result {
    let mut fpm = daemon().workers(2).start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.reload()?;
    fpm.signal(Signal::SIGTERM)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert!(running.answer().is_err());
    fpm.log().wait_for_end()?;
    Ok(())
}

#[test]
fn reload_is_not_begun_when_the_daemon_is_stopping() -> Result {
    let mut fpm = daemon().global("process_control_timeout = 60s").start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log().wait_for("NOTICE: Reloading in progress ...")?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    drop(running);
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert_eq!(fpm.log().lines_with("reloading: "), Vec::<String>::new());
    Ok(())
}

#[test]
fn containers_stop_gracefully_and_a_second_signal_hurries() -> Result {
    let daemon = daemon().global("shutdown_on_term = graceful");
    if under()? == Under::Original {
        assert_eq!(daemon.start_in_vain()?.code, Some(78));
        return Ok(());
    }
    let mut fpm = daemon.start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.signal(Signal::SIGTERM)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    assert_eq!(fpm.wait()?.code(), Some(0));

    let mut fpm = daemon.start()?;
    let _gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.signal(Signal::SIGTERM)?;
    fpm.log().wait_for("NOTICE: Finishing ...")?;
    fpm.signal(Signal::SIGTERM)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    assert!(running.answer().is_err());
    Ok(())
}
