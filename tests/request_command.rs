//! `fpmd request`: the FastCGI client in the binary, against a daemon of ours. The original has no such command.

use std::process::Output;

use fpmd_tests::{Address, Daemon, Fpm, Gate, Result, Subject, Under, under};

/// Runs `request` with these arguments; `{address}` and `{root}` are the daemon's.
fn run(fpm: &Fpm, arguments: &[&str]) -> Result<Output> {
    let address = fpm.address().to_string();
    let root = fpm.site().root().to_string_lossy().into_owned();
    let arguments: Vec<String> = ["request"]
        .iter()
        .chain(arguments)
        .map(|argument| {
            argument
                .replace("{address}", &address)
                .replace("{root}", &root)
        })
        .collect();
    Subject::from_environment()?.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether the program under test has the command at all; the original takes it for a mistake.
fn has_command(fpm: &Fpm) -> Result<bool> {
    if under()? == Under::Fpmd {
        return Ok(true);
    }
    let output = run(fpm, &["{address}", "{root}/t.php"])?;
    assert_eq!(output.status.code(), Some(64));
    Ok(false)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn answer_is_printed_and_the_exit_code_tells_success() -> Result {
    for daemon in [Daemon::new(), Daemon::new().tcp()] {
        let fpm = daemon.file("t.php", "<?php header('A: 1'); error_log('aside'); echo 'hello ', $_SERVER['REQUEST_METHOD'];").start()?;
        if !has_command(&fpm)? {
            return Ok(());
        }
        let output = run(&fpm, &["{address}", "{root}/t.php"])?;
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(
            text.contains("\r\nA: 1\r\n") && text.ends_with("\r\n\r\nhello GET"),
            "{text}"
        );
        assert!(String::from_utf8_lossy(&output.stderr).contains("PHP message: aside"));
        assert!(stdout(&run(&fpm, &["-n", "{address}", "{root}/t.php"])?) == "hello GET");
        assert!(matches!(fpm.address(), Address::Unix(_) | Address::Tcp(_)));
    }
    Ok(())
}

#[test]
fn body_and_variables_are_sent() -> Result {
    let fpm = Daemon::new().file("t.php", "<?php echo $_SERVER['REQUEST_METHOD'], $_SERVER['X'], $_GET['q'], file_get_contents('php://input');").start()?;
    if !has_command(&fpm)? {
        return Ok(());
    }
    let output = run(
        &fpm,
        &[
            "{address}",
            "{root}/t.php",
            "-n",
            "-e",
            "X=1",
            "-e",
            "QUERY_STRING=q=2",
            "-b",
            "three",
        ],
    )?;
    assert_eq!(
        (stdout(&output), output.status.code()),
        ("POST12three".to_owned(), Some(0))
    );
    Ok(())
}

#[test]
fn failures_have_their_exit_codes() -> Result {
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php fgets(fopen(__DIR__ . '/../var/gate', 'r'));",
        )
        .file("crash.php", "<?php posix_kill(getmypid(), SIGKILL);")
        .file("error.php", "<?php http_response_code(500);")
        .workers(2)
        .start()?;
    if !has_command(&fpm)? {
        return Ok(());
    }
    let gate = Gate::new(fpm.site(), "gate")?;
    let code =
        |arguments: &[&str]| -> Result<Option<i32>> { Ok(run(&fpm, arguments)?.status.code()) };
    assert_eq!(code(&["{address}", "{root}/none.php"])?, Some(1));
    assert_eq!(code(&["{address}", "{root}/error.php"])?, Some(1));
    assert_eq!(code(&["{root}/no.sock", "{root}/t.php"])?, Some(2));
    assert_eq!(code(&["{address}", "{root}/crash.php"])?, Some(3));
    assert_eq!(code(&["-t", "1", "{address}", "{root}/t.php"])?, Some(4));
    assert_eq!(code(&["{address}"])?, Some(64));
    gate.open()?;
    Ok(())
}
