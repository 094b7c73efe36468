//! `fpmd top` on a terminal, and where there is none.

use std::process::Command;

use fpmd_tests::control::{done, run, start, status_when};
use fpmd_tests::{Connection, Daemon, Fpm, Gate, Result, Screen, Subject};

/// A daemon whose workers can be asked, with a request that runs until the gate opens.
fn busy(directives: &str) -> Result<Option<(Fpm, Gate, Connection)>> {
    let daemon = Daemon::echo().workers(2).pool(directives).file(
        "wait.php",
        "<?php\nfunction wait($gate) {\n echo 'begun'; flush();\n return fgets(fopen($gate, 'r'));\n}\n\
         echo wait($_GET['gate']);",
    );
    let Some(fpm) = start(daemon.other_pool("api", "pm.max_children = 1"))? else {
        return Ok(None);
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let running = fpm.running("/wait.php?gate=../var/gate")?;
    // The last one may still be on its way.
    status_when(&fpm, |status| {
        status["pools"][0]["idle"] == 1 && status["pools"][1]["idle"] == 1
    })?;
    Ok(Some((fpm, gate, running)))
}

fn command(fpm: &Fpm) -> Result<Command> {
    let mut command = Command::new(Subject::from_environment()?.program());
    command.args(["top", "--interval", "1", "--control"]);
    command.arg(fpm.site().path("control"));
    Ok(command)
}

#[test]
fn a_running_request_and_its_stack_are_shown() -> Result {
    let Some((fpm, gate, mut running)) = busy("request_stack = yes")? else {
        return Ok(());
    };
    let mut screen = Screen::start(&command(&fpm)?, (24, 120))?;
    let is_running =
        |line: &str| line.contains(" running ") && line.contains("GET /wait.php?gate=");
    let shown = screen.when(|text| text.lines().any(is_running))?;
    assert!(
        shown.contains("Pools (2)") && shown.contains("Workers (3)"),
        "{shown}"
    );
    assert!(screen.is_alternate() && screen.has_colours());

    // The first worker is the one that runs.
    screen.type_keys("j\r")?;
    let script = fpm.site().root().join("wait.php").display().to_string();
    let call = format!("wait() {script}:6");
    let shown = screen.when(|text| text.contains("fgets()") && text.contains(&call))?;
    assert!(shown.contains("Stack of "), "{shown}");

    screen.type_keys("\u{1b}")?;
    screen.when(|text| text.contains("Workers (3)"))?;
    screen.type_keys("/api\r")?;
    let of_api = |text: &str| text.contains("only \"api\"") && text.contains("Pools (1)");
    screen
        .when(|text| of_api(text) && text.contains("Workers (1)") && text.contains("REQUESTS"))?;
    screen.resize((10, 60))?;
    screen.when(|text| of_api(text) && !text.contains("REQUESTS"))?;

    gate.open()?;
    running.answer()?;
    screen.type_keys("q")?;
    assert_eq!(screen.wait()?.code(), Some(0));
    assert!(!screen.is_alternate(), "the screen is as it was");
    Ok(())
}

#[test]
fn a_pool_that_cannot_be_asked_says_so_and_a_daemon_that_is_gone_is_missed() -> Result {
    let Some((fpm, _gate, _running)) = busy("")? else {
        return Ok(());
    };
    let mut plain = command(&fpm)?;
    let mut screen = Screen::start(plain.env("NO_COLOR", "1"), (24, 100))?;
    screen.when(|text| text.contains("/wait.php"))?;
    assert!(!screen.has_colours());
    screen.type_keys("j\r")?;
    screen.when(|text| text.contains("it has neither request_stack = yes"))?;
    screen.type_keys("\u{1b}")?;
    drop(fpm);
    let shown = screen.when(|text| text.contains("no news: no daemon takes orders at "))?;
    assert!(shown.contains("Workers (3)"), "the last news stay: {shown}");
    screen.type_keys("\u{3}")?;
    assert_eq!(screen.wait()?.code(), Some(0));
    Ok(())
}

#[test]
fn without_a_terminal_it_is_said_once() -> Result {
    let Some((fpm, _gate, _running)) = busy("")? else {
        return Ok(());
    };
    let (code, text, complaint) = done(&command(&fpm)?.output()?)?;
    assert_eq!((code, &*complaint), (0, ""));
    let (_, status, _) = run(&fpm, "status --workers")?;
    for line in status.lines().filter(|line| line.contains(" www ")) {
        // Some of it is as of now.
        let begin = line.split("  ").next().unwrap_or_default();
        assert!(text.contains(begin), "{begin} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("GET /wait.php?gate="), "{text}");
    drop(fpm);
    Ok(())
}
