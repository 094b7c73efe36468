//! Starts that the machine is against: disks that take nothing, folders in the place of files, addresses that are taken.
//!
//! What a configuration's text may get wrong is in config_corpus; here the daemon is really started.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use fpmd_tests::{
    Address, Connection, Daemon, Refusal, Result, Site, SmallDisk, Subject, Under, under,
    write_program,
};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

#[track_caller]
fn check(refusal: &Refusal, expected: &str) {
    assert_eq!(refusal.code, Some(78), "{}", refusal.output);
    assert!(
        refusal.output.contains(expected),
        "no {expected:?} in {}",
        refusal.output
    );
    assert!(
        refusal.output.ends_with("ERROR: FPM initialization failed"),
        "{}",
        refusal.output
    );
}

/// A line that names one of the daemon's files.
struct FileLine {
    /// Puts it where it belongs: [`Daemon::global`] or [`Daemon::pool`].
    put: fn(Daemon, &str) -> Daemon,
    line: String,
    /// What is said when the file cannot be created.
    complaint: String,
}

/// The lines that put the daemon's files on a disk: the pid file, then the logs.
fn files_on(disk: &Path) -> [FileLine; 4] {
    let disk = disk.display();
    let file = |put, line, complaint| FileLine {
        put,
        line,
        complaint,
    };
    [
        file(
            Daemon::global,
            format!("pid = {disk}/pid"),
            format!("ERROR: Unable to create the PID file ({disk}/pid)."),
        ),
        file(
            Daemon::global,
            format!("error_log = {disk}/error.log"),
            format!("ERROR: failed to open error_log ({disk}/error.log)"),
        ),
        file(
            Daemon::pool,
            format!("access.log = {disk}/access.log"),
            format!("ERROR: failed to open access log ({disk}/access.log)"),
        ),
        file(
            Daemon::pool,
            format!("request_slowlog_timeout = 1\nslowlog = {disk}/slow.log"),
            format!("ERROR: Unable to create or open slowlog({disk}/slow.log)"),
        ),
    ]
}

#[test]
fn read_only_disk_takes_no_file_of_the_daemon() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let disk = SmallDisk::new()?;
    disk.protect()?;
    for file in files_on(disk.path()) {
        check(
            &(file.put)(Daemon::echo(), &file.line).start_in_vain()?,
            &format!("{}: Read-only file system (30)", file.complaint),
        );
    }
    let socket = disk.path().join("s");
    check(
        &Daemon::echo()
            .pool(&format!("listen = {}", socket.display()))
            .start_in_vain()?,
        &format!(
            "ERROR: unable to bind listening socket for address '{}': Read-only file system (30)",
            socket.display()
        ),
    );
    Ok(())
}

#[test]
fn full_disk_takes_no_pid() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let disk = SmallDisk::new()?;
    disk.fill()?;
    let pid = disk.path().join("pid");
    let refusal = Daemon::echo()
        .global(&format!("pid = {}", pid.display()))
        .start_in_vain()?;
    check(
        &refusal,
        "ERROR: Unable to write to the PID file.: No space left on device (28)",
    );
    Ok(())
}

#[test]
fn full_disk_for_the_logs_keeps_nobody_from_serving() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let disk = SmallDisk::new()?;
    disk.fill()?;
    let [_, logs @ ..] = files_on(disk.path());
    let daemon = logs
        .iter()
        .fold(Daemon::echo(), |daemon, log| (log.put)(daemon, &log.line));
    let fpm = daemon.start()?;
    fpm.serves_on()
}

#[test]
fn folders_are_no_files() -> Result {
    let site = Site::new()?;
    let folder = site.folder().display();
    for (line, expected) in [
        (
            format!("error_log = {folder}"),
            format!("ERROR: failed to open error_log ({folder}): Is a directory (21)"),
        ),
        (
            format!("pid = {folder}"),
            format!("ERROR: Unable to create the PID file ({folder}).: Is a directory (21)"),
        ),
    ] {
        check(&Daemon::echo().global(&line).start_in_vain()?, &expected);
    }
    for (line, expected) in [
        (
            format!("access.log = {folder}"),
            format!("ERROR: failed to open access log ({folder}): Is a directory (21)"),
        ),
        (
            format!("slowlog = {folder}\nrequest_slowlog_timeout = 1"),
            format!("ERROR: Unable to create or open slowlog({folder}): Is a directory (21)"),
        ),
        (
            format!("listen = {folder}"),
            format!(
                "ERROR: unable to bind listening socket for address '{folder}': Address already in use (98)"
            ),
        ),
    ] {
        check(&Daemon::echo().pool(&line).start_in_vain()?, &expected);
    }
    Ok(())
}

#[test]
fn socket_file_by_another_name_is_not_taken_twice() -> Result {
    let refusal = Daemon::echo()
        .other_pool("b", "listen = {dir}/./www.sock")
        .start_in_vain()?;
    check(
        &refusal,
        "ERROR: Another FPM instance seems to already listen on /",
    );
    Ok(())
}

#[test]
fn port_that_another_pool_has_on_all_addresses_is_taken() -> Result {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let refusal = Daemon::echo()
        .pool(&format!("listen = {port}"))
        .other_pool("b", &format!("listen = 0.0.0.0:{port}"))
        .start_in_vain()?;
    let expected = format!(
        "ERROR: unable to bind listening socket for address '0.0.0.0:{port}': Address already in use (98)"
    );
    check(&refusal, &expected);
    Ok(())
}

#[test]
fn port_in_two_spellings_is_one_socket_for_two_pools() -> Result {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = Address::Tcp(([127, 0, 0, 1], port).into());
    let fpm = Daemon::new()
        .file("t.php", "<?php echo 'served ', $_SERVER['POOL'];")
        .pool(&format!("listen = 127.0.0.1:{port}\nenv[POOL] = www"))
        .other_pool("b", &format!("listen = 127.1:{port}\nenv[POOL] = b"))
        .start()?;
    let mut connection = Connection::open(&address)?;
    connection.send(&fpm.request("/t.php"))?;
    let answer = connection.answer()?.text();
    assert!(["served www", "served b"].contains(&&*answer), "{answer}");
    Ok(())
}

#[test]
fn pid_file_that_cannot_be_removed_is_told() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let disk = SmallDisk::new()?;
    let pid = disk.path().join("pid");
    let mut fpm = Daemon::echo()
        .global(&format!("pid = {}", pid.display()))
        .start()?;
    disk.protect()?;
    fpm.signal(Signal::SIGTERM)?;
    assert_eq!(fpm.wait()?.code(), Some(0));
    let expected = format!(
        "ERROR: Unable to remove the PID file ({}).: Read-only file system (30)",
        pid.display()
    );
    fpm.log().wait_for(&expected)?;
    Ok(())
}

#[test]
fn standard_streams_that_are_closed_keep_fpmd_from_nothing() -> Result {
    let site = Site::new()?;
    let subject = Subject::from_environment()?;
    let script = site.path("fpmd-without-streams");
    let text = format!(
        "#!/bin/sh\nexec {} \"$@\" <&- >&- 2>&-\n",
        subject.program().display()
    );
    write_program(&script, &text)?;
    let subject = subject.called(&script);
    if under()? == Under::Original {
        let file = site.path("fpm.conf");
        let pool = "user = www-data\nlisten = 9000\npm = static\npm.max_children = 1";
        let text = format!("[global]\nerror_log = /dev/null\n[www]\n{pool}\n");
        fs::write(&file, text)?;
        let output = subject.run(&["-n", "-F", "-t", "-y", &file.to_string_lossy()])?;
        assert_eq!(output.status.code(), Some(78));
        return Ok(());
    }
    let fpm = Daemon::echo().subject(&subject).logging_to_file().start()?;
    fpm.serves_on()
}
