//! Standard error that is a stream socket, as with journald: each line is a message.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, PATIENCE, Result, Site, Subject, Under, under, write_program};
use nix::sys::signal::Signal;

/// Starts the daemon with one end of a socket pair as its standard error; returns the other end.
fn start(daemon: Daemon, site: &Site) -> Result<(Fpm, BufReader<UnixStream>)> {
    let subject = Subject::from_environment()?;
    let script = format!(
        "#!/bin/bash\nexec {} \"$@\" 2>&3 3>&-\n",
        subject.program().display()
    );
    let program = site.path("php-fpm");
    write_program(&program, &script)?;
    let (journal, stderr) = UnixStream::pair()?;
    journal.set_read_timeout(Some(PATIENCE))?;
    let fpm = daemon
        .subject(&subject.called(&program))
        .descriptor(stderr)
        .start_unheard()?;
    Ok((fpm, BufReader::new(journal)))
}

/// Reads until a line contains `text` and returns that.
fn wait_for(journal: &mut BufReader<UnixStream>, text: &str) -> Result<String> {
    loop {
        let mut line = String::new();
        let count = journal
            .read_line(&mut line)
            .with_context(|| format!("no {text:?} in the journal"))?;
        ensure!(count > 0, "the journal ends before {text:?}");
        if line.contains(text) {
            return Ok(line);
        }
    }
}

/// Has the daemon and its worker say something.
fn check(fpm: &Fpm, journal: &mut BufReader<UnixStream>) -> Result {
    let ready = wait_for(journal, "ready to handle connections")?;
    assert!(
        ready.ends_with("] NOTICE: ready to handle connections\n"),
        "{ready}"
    );
    assert_eq!(ready.find("] NOTICE"), Some("[21-Nov-2026 12:00:00".len()));
    assert_eq!(fpm.get("/say.php")?.text(), "said");
    let said = wait_for(journal, "aloud")?;
    assert!(
        said.ends_with(" said into stderr: \"NOTICE: PHP message: aloud\"\n"),
        "{said}"
    );
    fpm.signal(Signal::SIGUSR1)?;
    wait_for(journal, "error log file re-opened")?;
    Ok(())
}

/// As [`check`], with an access log in the same place.
fn check_access(fpm: &Fpm, journal: &mut BufReader<UnixStream>) -> Result {
    check(fpm, journal)?;
    fpm.get("/say.php")?;
    assert_eq!(wait_for(journal, "access /")?, "access /say.php\n");
    Ok(())
}

fn daemon() -> Daemon {
    Daemon::new()
        .pool("catch_workers_output = yes")
        .file("say.php", "<?php echo 'said'; error_log('aloud');")
}

#[test]
fn lines_go_to_the_socket() -> Result {
    let site = Site::new()?;
    let (fpm, mut journal) = start(daemon(), &site)?;
    check(&fpm, &mut journal)
}

#[test]
fn socket_may_be_named_as_a_log_of_fpmd() -> Result {
    let access = "access.log = /dev/stderr\naccess.format = 'access %r'";
    for logs in [
        daemon().pool(access),
        daemon()
            .pool(access)
            .logging_to_pipe(Path::new("/proc/self/fd/2")),
    ] {
        let site = Site::new()?;
        let (fpm, mut journal) = start(logs, &site)?;
        if under()? == Under::Original {
            // It cannot open a socket by name.
            wait_for(&mut journal, "No such device or address (6)")?;
            continue;
        }
        check_access(&fpm, &mut journal)?;
    }
    Ok(())
}
