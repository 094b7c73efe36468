//! The systemd units in conf/, read by systemd itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use fpmd_tests::{Result, Subject};

/// Where the unit expects the daemon.
const INSTALLED: &str = "/usr/sbin/fpmd";

/// Copies both units to `folder`, with the daemon under test for the installed one, `change` made to the service.
fn install(folder: &Path, change: impl Fn(String) -> String) -> Result {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    let program = Subject::from_environment()?.program().display().to_string();
    let service = fs::read_to_string(conf.join("fpmd.service"))?.replace(INSTALLED, &program);
    fs::write(folder.join("fpmd.service"), change(service))?;
    fs::copy(conf.join("fpmd.socket"), folder.join("fpmd.socket"))?;
    Ok(())
}

/// What systemd says about the units in `folder`; units of the machine that they refer to may have faults of their own.
fn complaints(folder: &Path) -> Result<Vec<String>> {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(["fpmd.service", "fpmd.socket"].map(|unit| folder.join(unit)))
        .output()
        .context("systemd-analyze is not installed: apt-get install systemd")?;
    let text = String::from_utf8(output.stderr)?;
    let ours = text.lines().filter(|line| line.contains("fpmd"));
    Ok(ours.map(str::to_owned).collect())
}

#[test]
fn units_are_understood_by_systemd() -> Result {
    let folder = tempfile::tempdir()?;
    install(folder.path(), |service| service)?;
    assert_eq!(complaints(folder.path())?, [""; 0]);
    Ok(())
}

#[test]
fn mistake_in_a_unit_is_found() -> Result {
    let folder = tempfile::tempdir()?;
    install(folder.path(), |service| {
        service.replace("OOMPolicy=continue", "OOMPolicy=go-on")
    })?;
    let complaints = complaints(folder.path())?;
    assert!(
        complaints
            .iter()
            .any(|line| line.contains("Failed to parse OOM policy")),
        "{complaints:?}"
    );
    Ok(())
}

#[test]
fn command_line_of_the_unit_is_understood() -> Result {
    let folder = tempfile::tempdir()?;
    install(folder.path(), |service| service)?;
    let service = fs::read_to_string(folder.path().join("fpmd.service"))?;
    let command = service
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .context("the unit starts nothing")?;
    let config = folder.path().join("none.conf");
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    let (last, options) = arguments.split_last().context("no arguments")?;
    assert_eq!(*last, "/etc/php/8.2/fpm/php-fpm.conf");
    let config = config.to_string_lossy();
    let output = Subject::from_environment()?.run(&[options, &[&config, "-t"]].concat())?;
    // 78: a file that is not there; 64 would be an option that is not.
    assert_eq!(output.status.code(), Some(78));
    Ok(())
}
