//! Logs that take nothing: nobody waits for them, and what is lost is counted.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fpmd_tests::{Daemon, Gate, Result, Site, Under, under};

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
