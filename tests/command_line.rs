//! The command line: what it prints, its exit codes, the ways to spell options.

use std::process::Output;

use fpmd_tests::{PhpVersion, Result, Site, Subject, Under, under};
use nix::unistd::Uid;

/// Runs the daemon with these arguments to its end; `{dir}` stands for the site's directory.
fn run(site: &Site, arguments: &[&str]) -> Result<Output> {
    let folder = site.folder().to_string_lossy();
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| argument.replace("{dir}", &folder))
        .collect();
    Subject::from_environment()?.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A site with a good and a bad configuration.
fn site() -> Result<Site> {
    let site = Site::new()?;
    let user = if Uid::effective().is_root() {
        "user = www-data"
    } else {
        ""
    };
    let log = site.path("fpm.log");
    let pool = format!(
        "[www]\n{user}\nlisten = {}\npm = static\npm.max_children = 1\n",
        site.path("s").display()
    );
    std::fs::write(
        site.path("good.conf"),
        format!("[global]\nerror_log = {}\n{pool}", log.display()),
    )?;
    std::fs::write(
        site.path("bad.conf"),
        format!(
            "[global]\nerror_log = {}\n{pool}nonsense = 1\n",
            log.display()
        ),
    )?;
    Ok(site)
}

#[test]
fn version_names_php_and_the_sapi() -> Result {
    let subject = Subject::from_environment()?;
    for option in ["-v", "--version", "-nv"] {
        let output = run(&site()?, &[option])?;
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.first().copied().unwrap_or_default();
        assert!(
            first.starts_with(&format!(
                "PHP {} (fpm-fcgi) (built: ",
                subject.full_version()
            )),
            "{text}"
        );
        if subject.php() >= PhpVersion(8, 4) {
            assert!(first.ends_with(" (NTS)"), "{text}");
        } else {
            assert!(first.ends_with(')') && !first.contains("NTS"), "{text}");
        }
        assert_eq!(lines.get(1), Some(&"Copyright (c) The PHP Group"));
        assert!(
            lines
                .last()
                .is_some_and(|line| line.starts_with("Zend Engine v4.")
                    && line.ends_with(", Copyright (c) Zend Technologies")),
            "{text}"
        );
        assert!(text.ends_with('\n'));
    }
    Ok(())
}

#[test]
fn version_names_loaded_zend_extensions() -> Result {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let output = run(
        &site()?,
        &[
            "-n",
            "-d",
            &format!("zend_extension={}", opcache.display()),
            "-v",
        ],
    )?;
    assert!(
        stdout(&output).contains("\n    with Zend OPcache v8."),
        "{}",
        stdout(&output)
    );
    Ok(())
}

#[test]
fn modules_are_listed_in_order() -> Result {
    let output = run(&site()?, &["-n", "-m"])?;
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let (modules, zend) = text.split_once("\n\n[Zend Modules]\n").unwrap_or_default();
    assert_eq!(zend, "\n");
    let mut lines = modules.lines();
    assert_eq!(lines.next(), Some("[PHP Modules]"));
    let names: Vec<String> = lines.map(str::to_lowercase).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in ["cgi-fcgi", "core", "date", "mysqli", "session", "standard"] {
        assert!(
            names.iter().any(|known| known == name),
            "{name} is missing in {names:?}"
        );
    }
    Ok(())
}

#[test]
fn info_is_phpinfo_as_text() -> Result {
    let output = run(&site()?, &["-n", "-d", "precision=3", "-i"])?;
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for part in [
        "phpinfo()\nPHP Version => 8.",
        "\nServer API => FPM/FastCGI\n",
        "\ncgi-fcgi\n\nphp-fpm => active\n",
        "\nprecision => 3 => 3\n",
        "\n$_SERVER['PHP_SELF'] => \n",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("<html"));
    Ok(())
}

#[test]
fn help_is_the_usage() -> Result {
    for option in ["-h", "-?", "--help", "--usage"] {
        let output = run(&site()?, &[option])?;
        assert_eq!(output.status.code(), Some(0), "{option}");
        let text = stdout(&output);
        let first = text.lines().next().unwrap_or_default();
        let name = Subject::from_environment()?
            .program()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        assert_eq!(
            first,
            format!(
                "Usage: {name} [-n] [-e] [-h] [-i] [-m] [-v] [-t] [-p <prefix>] [-g <pid>] [-c <file>] [-d foo[=bar]] [-y <file>] [-D] [-F [-O]]"
            )
        );
        for option in [
            "-c", "-n", "-d", "-e", "-h", "-i", "-m", "-v", "-p", "-g", "-y", "-t", "-D", "-F",
            "-O", "-R",
        ] {
            assert!(
                text.contains(&format!("\n  {option}")),
                "no {option} in {text}"
            );
        }
        for option in [
            "--prefix",
            "--pid",
            "--fpm-config",
            "--test",
            "--daemonize",
            "--nodaemonize",
            "--force-stderr",
            "--allow-to-run-as-root",
        ] {
            assert!(text.contains(option), "no {option} in {text}");
        }
    }
    Ok(())
}

#[test]
fn misuse_is_answered_with_the_usage_and_64() -> Result {
    for arguments in [
        &["--no-such-option"][..],
        &["-Z"],
        &["word"],
        &["-n", "-y"],
        &["-F", "--", "word"],
        &["-"],
    ] {
        let output = run(&site()?, arguments)?;
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(
            stdout(&output).starts_with("Usage: "),
            "{arguments:?}: {}",
            stdout(&output)
        );
    }
    Ok(())
}

#[test]
fn options_act_in_their_order() -> Result {
    let site = site()?;
    assert!(stdout(&run(&site, &["-v", "--no-such-option"])?).starts_with("PHP "));
    assert!(
        stdout(&run(&site, &["-n", "-d", "precision=3", "-m", "-v"])?).starts_with("[PHP Modules]")
    );
    assert!(stdout(&run(&site, &["-i", "-h"])?).starts_with("Usage: "));
    Ok(())
}

#[test]
fn good_configuration_passes_the_test() -> Result {
    let site = site()?;
    for arguments in [
        &["-t", "-y", "{dir}/good.conf"][..],
        &["-ny{dir}/good.conf", "-t"],
        &["--test", "--fpm-config={dir}/good.conf"],
        &["-nt", "-y={dir}/good.conf"],
        &["--fpm-config", "{dir}/good.conf", "-t"],
    ] {
        let output = run(&site, arguments)?;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        let expected = format!(
            "NOTICE: configuration file {} test is successful",
            site.path("good.conf").display()
        );
        assert!(
            stderr(&output).contains(&expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    assert!(!site.path("s").exists());
    Ok(())
}

#[test]
fn every_option_is_taken_in_all_its_forms() -> Result {
    let site = site()?;
    std::fs::write(site.path("php.ini"), "")?;
    for option in [
        &["-e"][..],
        &["--profile-info"],
        &["-n"],
        &["--no-php-ini"],
        &["-c", "{dir}/php.ini"],
        &["-c{dir}"],
        &["--php-ini={dir}/php.ini"],
        &["-d", "a=b"],
        &["-da"],
        &["--define", "a"],
        &["-p", "{dir}"],
        &["--prefix={dir}"],
        &["-g", "pid"],
        &["-g=pid"],
        &["--pid", "pid"],
        &["-R"],
        &["--allow-to-run-as-root"],
        &["-D"],
        &["--daemonize"],
        &["-F"],
        &["--nodaemonize"],
        &["-O"],
        &["--force-stderr"],
        &["-eRDFO"],
        &["--"],
    ] {
        let arguments = [&["-y", "{dir}/good.conf", "-t"], option].concat();
        let output = run(&site, &arguments)?;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{option:?}: {}",
            stdout(&output)
        );
    }
    for arguments in [
        &["-t", "--fpm-conf={dir}/good.conf"][..],
        &["-t", "--prefix", "{dir}/none", "-y", "{dir}/good.conf"],
    ] {
        assert_ne!(run(&site, arguments)?.status.code(), Some(0));
    }
    Ok(())
}

#[test]
fn info_is_what_the_original_says() -> Result {
    let subject = Subject::from_environment()?;
    if subject.under() == Under::Original {
        return Ok(());
    }
    // Each says when it was built, and how it was called.
    let own = ["Build Date => ", "_ => ", "$_SERVER['"];
    let said = |subject: &Subject| -> Result<Vec<String>> {
        let text = stdout(&subject.run(&["-n", "-i"])?);
        let lines = text
            .lines()
            .filter(|line| !own.iter().any(|own| line.starts_with(own)));
        Ok(lines.map(str::to_owned).collect())
    };
    let (ours, theirs) = (said(subject)?, said(&subject.original())?);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    Ok(())
}

#[test]
fn bad_configuration_fails_with_its_line_and_78() -> Result {
    let site = site()?;
    for arguments in [
        &["-n", "-t", "-y", "{dir}/bad.conf"][..],
        &["-n", "-F", "-y", "{dir}/bad.conf"],
    ] {
        let output = run(&site, arguments)?;
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
        let text = stderr(&output);
        let line = 3 + 5;
        assert!(
            text.contains(&format!(
                "ERROR: [{}:{line}] unknown entry 'nonsense'",
                site.path("bad.conf").display()
            )),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "ERROR: failed to load configuration file '{}'",
                site.path("bad.conf").display()
            )),
            "{text}"
        );
        assert!(
            text.ends_with("ERROR: FPM initialization failed\n"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn missing_configuration_is_78() -> Result {
    let output = run(&site()?, &["-n", "-F", "-y", "{dir}/none.conf"])?;
    assert_eq!(output.status.code(), Some(78));
    let text = stderr(&output);
    assert!(
        text.contains("ERROR: failed to open configuration file '")
            && text.contains("none.conf': No such file or directory (2)"),
        "{text}"
    );
    Ok(())
}

#[test]
fn start_of_php_is_tested_by_fpmd() -> Result {
    let site = site()?;
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let opcache = format!("zend_extension={}", opcache.display());
    std::fs::write(site.path("preload.php"), "<?php undefined();")?;
    let preload = "opcache.preload={dir}/preload.php";
    let test = ["-n", "-t", "--test-php", "-y", "{dir}/good.conf"];
    let cases = [
        (&[][..], 0, "NOTICE: PHP 8."),
        (
            &["-d", "extension=no_such"],
            0,
            "Unable to load dynamic library 'no_such'",
        ),
        (
            &["-d", &opcache, "-d", preload],
            78,
            "ERROR: PHP failed to start\n",
        ),
        (
            &["-d", &opcache, "-d", preload],
            78,
            "Call to undefined function undefined()",
        ),
    ];
    for (arguments, code, said) in cases {
        let output = run(&site, &[&test[..], arguments].concat())?;
        if under()? == Under::Original {
            assert_eq!(output.status.code(), Some(64));
            continue;
        }
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert_eq!(
            text.contains("ERROR: FPM initialization failed\n"),
            code != 0,
            "{text}"
        );
    }
    assert!(!site.path("s").exists());
    Ok(())
}

#[test]
fn error_log_that_is_stderr_shows_lines_once() -> Result {
    let site = site()?;
    let good = std::fs::read_to_string(site.path("good.conf"))?;
    let log = site.path("fpm.log").to_string_lossy().into_owned();
    std::fs::write(site.path("stderr.conf"), good.replace(&log, "/dev/stderr"))?;
    let output = run(&site, &["-n", "-t", "-y", "{dir}/stderr.conf"])?;
    let text = stderr(&output);
    let newer = Subject::from_environment()?.php() >= PhpVersion(8, 4);
    let times = match under()? {
        Under::Original if !newer => 2,
        _ => 1,
    };
    assert_eq!(text.matches("test is successful").count(), times, "{text}");
    Ok(())
}
