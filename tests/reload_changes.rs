//! Reloads that change something: pools, sockets, users, process managers, values; and what stays over a reload.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use fpmd_tests::{
    Address, Connection, Daemon, Fpm, Gate, Process, Request, Result, Subject, Under, under,
};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

fn daemon() -> Daemon {
    Daemon::echo()
        .file("value.php", "<?php echo ini_get('user_agent');")
        .file("user.php", "<?php echo posix_geteuid();")
        .file("pid.php", "<?php echo getmypid();")
        .file("wait.php", Gate::SCRIPT)
}

/// A request that runs until its gate is opened.
fn long_request(fpm: &Fpm, gate: &str) -> Result<(Connection, Gate)> {
    let opened = Gate::new(fpm.site(), gate)?;
    Ok((fpm.running(&format!("/wait.php?gate={gate}"))?, opened))
}

fn ask(address: &Address, request: &Request) -> Result<String> {
    let mut connection = Connection::open(address)?;
    connection.send(request)?;
    Ok(connection.answer()?.text())
}

#[test]
fn values_and_numbers_are_others_afterwards() -> Result {
    let fpm = daemon()
        .workers(2)
        .pool("php_admin_value[user_agent] = before")
        .start()?;
    assert_eq!(fpm.get("/value.php")?.text(), "before");
    fpm.edit("= before", "= after")?;
    fpm.edit("pm.max_children = 2", "pm.max_children = 5")?;
    fpm.reload()?;
    for _ in 0..20 {
        assert_eq!(fpm.get("/value.php")?.text(), "after");
    }
    fpm.log().wait_for("NOTICE: reloading: ")?;
    let inherited = fpm.log().lines_with("NOTICE: using inherited socket fd=");
    assert_eq!(inherited.len(), 1, "{inherited:?}");
    fpm.wait_for_processes("php-fpm: pool www", 5)?;
    Ok(())
}

#[test]
fn process_manager_may_be_another_one() -> Result {
    let fpm = daemon().workers(3).start()?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 3)?;
    fpm.edit("pm = static", "pm = ondemand")?;
    fpm.reload()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    workers.iter().try_for_each(Process::wait_for_end)?;
    fpm.edit("pm = ondemand", "pm = static")?;
    fpm.reload()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn pools_come_and_go() -> Result {
    let fpm = daemon().other_pool("gone", "").start()?;
    let socket = fs::metadata(fpm.site().path("www.sock"))?.ino();
    let gone = fpm.wait_for_processes("php-fpm: pool gone", 1)?;
    for _ in 0..2 {
        fpm.edit("gone", "come")?;
    }
    fpm.reload()?;
    let request = fpm.request("/t.php");
    let came = Address::Unix(fpm.site().path("come.sock"));
    assert_eq!(ask(&came, &request)?, "served -");
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    gone.iter().try_for_each(Process::wait_for_end)?;
    assert!(!fpm.site().path("gone.sock").exists());
    // Nobody was refused meanwhile.
    assert_eq!(fs::metadata(fpm.site().path("www.sock"))?.ino(), socket);
    Ok(())
}

#[test]
fn pool_that_goes_finishes_what_it_has() -> Result {
    let fpm = daemon().global("process_control_timeout = 60s").start()?;
    let (mut running, gate) = long_request(&fpm, "gate")?;
    fpm.edit("[www]", "[new]")?;
    fpm.edit("www.sock", "new.sock")?;
    fpm.signal(Signal::SIGUSR2)?;
    let new = Address::Unix(fpm.site().path("new.sock"));
    if under()? == Under::Fpmd {
        fpm.log().wait_for_nth("ready to handle connections", 2)?;
        assert_eq!(ask(&new, &fpm.request("/t.php"))?, "served -");
        assert!(fpm.connect().is_err());
    }
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    // The original waits for its client to close.
    drop(running);
    fpm.log().wait_for_nth("ready to handle connections", 2)?;
    assert_eq!(ask(&new, &fpm.request("/t.php"))?, "served -");
    Ok(())
}

#[test]
fn pool_may_move_to_another_socket() -> Result {
    let fpm = daemon().workers(2).start()?;
    fpm.edit("www.sock", "moved.sock")?;
    fpm.reload()?;
    let moved = Address::Unix(fpm.site().path("moved.sock"));
    assert_eq!(ask(&moved, &fpm.request("/t.php"))?, "served -");
    assert!(fpm.connect().is_err());
    assert!(!fpm.site().path("www.sock").exists());
    Ok(())
}

#[test]
fn pool_may_belong_to_another_user() -> Result {
    let fpm = daemon().pool("listen.mode = 0666").start()?;
    let before = fpm.get("/user.php")?.text();
    if !Uid::effective().is_root() {
        assert_eq!(before, Uid::effective().to_string());
        return fpm.reload();
    }
    fpm.edit("user = www-data", "user = nobody")?;
    fpm.reload()?;
    let after = fpm.get("/user.php")?.text();
    assert_ne!(after, before);
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn requests_for_reloads_that_come_while_php_starts_are_one() -> Result {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let fpm = daemon()
        .file("../preload.php", "<?php")
        .php_ini(&format!("zend_extension = {}", opcache.display()))
        .php_ini("opcache.preload_user = www-data\nopcache.preload = {dir}/preload.php")
        .pool("php_admin_value[user_agent] = value0")
        .start()?;
    let (begun, go_on) = (
        Gate::new(fpm.site(), "begun")?,
        Gate::new(fpm.site(), "go")?,
    );
    let preload = format!(
        "<?php file_put_contents('{}', 'here'); fgets(fopen('{}', 'r'));",
        begun.path().display(),
        go_on.path().display()
    );
    fs::write(fpm.site().path("preload.php"), preload)?;
    fpm.signal(Signal::SIGUSR2)?;
    begun.wait()?;
    for round in 1..=3 {
        fpm.edit(&format!("= value{}", round - 1), &format!("= value{round}"))?;
        fpm.signal(Signal::SIGUSR2)?;
    }
    go_on.open()?;
    begun.wait()?;
    go_on.open()?;
    fpm.log().wait_for_nth("ready to handle connections", 3)?;
    assert_eq!(fpm.get("/value.php")?.text(), "value3");
    assert_eq!(fpm.log().lines_with("NOTICE: reloading: ").len(), 2);
    Ok(())
}

#[test]
fn requests_for_reloads_are_merged_and_none_is_lost_by_fpmd() -> Result {
    if under()? == Under::Original {
        // One that it has heard of and not looked at when it executes itself is lost: that is for chance to say.
        return Ok(());
    }
    let fpm = daemon()
        .pool("php_admin_value[user_agent] = value0")
        .start()?;
    for round in 1..=10 {
        fpm.edit(&format!("= value{}", round - 1), &format!("= value{round}"))?;
        fpm.signal(Signal::SIGUSR2)?;
    }
    let mut ready = 2;
    while fpm.get("/value.php")?.text() != "value10" {
        fpm.log()
            .wait_for_nth("ready to handle connections", ready)?;
        ready += 1;
    }
    let begun = fpm.log().lines_with("NOTICE: reloading: ").len();
    assert!((1..=10).contains(&begun), "{begun}");
    Ok(())
}

#[test]
fn patience_with_the_generation_before_ends() -> Result {
    let fpm = daemon()
        .workers(2)
        .global("process_control_timeout = 1s")
        .start()?;
    let (mut running, _gate) = long_request(&fpm, "gate")?;
    fpm.reload()?;
    assert!(running.answer().is_err());
    if under()? == Under::Fpmd {
        let line = fpm.log().wait_for("have not finished in time")?;
        assert!(line.contains("1 child(ren) of generation 1"), "{line}");
    }
    Ok(())
}

#[test]
fn generations_do_not_pile_up() -> Result {
    let fpm = daemon().workers(8).start()?;
    if under()? == Under::Original {
        // It has only one, at the price of what runs.
        let (mut running, _gate) = long_request(&fpm, "gate")?;
        fpm.reload()?;
        assert!(running.answer().is_err());
        return Ok(());
    }
    let mut running = Vec::new();
    for name in ["a", "b", "c", "d"] {
        running.push(long_request(&fpm, name)?);
        fpm.reload()?;
    }
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log().wait_for(
        "4 earlier generations have requests to finish, the reload waits for generation 1 to end",
    )?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    for (connection, gate) in &mut running {
        gate.open()?;
        assert_eq!(connection.answer()?.body, b"done");
    }
    fpm.log().wait_for_nth("ready to handle connections", 6)?;
    Ok(())
}

#[test]
fn winch_lets_all_workers_go_and_hup_brings_them_back() -> Result {
    if under()? == Under::Original {
        let fpm = daemon().start()?;
        fpm.signal(Signal::SIGWINCH)?;
        return fpm.serves_on();
    }
    let fpm = daemon().workers(2).start()?;
    let (mut running, gate) = long_request(&fpm, "gate")?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 2)?;
    fpm.signal(Signal::SIGWINCH)?;
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    workers.iter().try_for_each(Process::wait_for_end)?;
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    assert!(waiting.is_silent_for(Duration::from_millis(100))?);
    fpm.signal(Signal::SIGHUP)?;
    assert_eq!(waiting.answer()?.text(), "served -");
    Ok(())
}
