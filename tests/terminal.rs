//! What the log looks like to people at a terminal, and to nobody else.

use std::process::Command;

use anyhow::ensure;
use fpmd_tests::{Result, Site, Subject, Under, find_tool, under};

/// Lets the daemon test a configuration with a terminal as its standard error; returns what is shown there.
fn shown(environment: &[(&str, &str)]) -> Result<String> {
    let site = Site::new()?;
    let config = site.path("fpm.conf");
    let text = "[global]\nerror_log = /dev/null\n[www]\nlisten = /nowhere/www.sock\nuser = www-data\npm = static\npm.max_children = 1\n";
    std::fs::write(&config, text)?;
    let program = Subject::from_environment()?.program();
    // A terminal of its own for one command.
    let output = Command::new(find_tool("script", "bsdutils")?)
        .args(["--quiet", "--return", "--command"])
        .arg(format!(
            "{} -n -t -y {}",
            program.display(),
            config.display()
        ))
        .arg("/dev/null")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .envs(environment.iter().copied())
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a line is php-fpm's: `[21-Nov-2026 12:00:00] NOTICE: …`.
fn is_plain(line: &str) -> bool {
    line.starts_with('[') && line[21..].starts_with("] NOTICE: ") && !line.contains('\x1b')
}

#[test]
fn levels_have_colours_and_times_are_relative_in_fpmd() -> Result {
    let shown = shown(&[])?;
    let line = shown.lines().find(|line| line.contains("NOTICE"));
    let line = line.unwrap_or_default();
    assert!(line.ends_with("test is successful"), "{shown}");
    match under()? {
        Under::Fpmd => {
            let (time, rest) = line
                .split_once(" \x1b[32mNOTICE\x1b[0m: ")
                .unwrap_or_default();
            assert!(time.trim().parse::<f64>().is_ok(), "{line:?}");
            assert!(rest.starts_with("configuration file"), "{line:?}");
        }
        Under::Original => assert!(is_plain(line), "{line:?}"),
    }
    Ok(())
}

#[test]
fn who_wants_no_colours_gets_php_fpms_lines() -> Result {
    let shown = shown(&[("NO_COLOR", "1")])?;
    let line = shown.lines().find(|line| line.contains("NOTICE"));
    assert!(is_plain(line.unwrap_or_default()), "{shown:?}");
    Ok(())
}
