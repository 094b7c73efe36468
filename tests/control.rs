//! The control socket and the commands that use it, which only fpmd has.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::thread;

use fpmd_tests::control::{done, run, start, status, status_when};
use fpmd_tests::{Daemon, Fpm, Gate, Load, Process, Result, Subject, Under, under};
use nix::sys::signal::Signal;
use serde_json::Value;

/// What each side of a conversation says first, in the version of this build.
const GREETING: &[u8] = b"fpmd\x06\0\0\0";

/// A request for the status, with workers, and a length before it.
const STATUS: &[u8] = b"\x02\0\0\0\0\x01";

fn connect(fpm: &Fpm) -> Result<UnixStream> {
    let socket = UnixStream::connect(fpm.site().path("control"))?;
    socket.set_read_timeout(Some(fpmd_tests::PATIENCE))?;
    Ok(socket)
}

/// Says something and returns all that comes until the daemon hangs up.
fn say(fpm: &Fpm, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut socket = connect(fpm)?;
    // The daemon may have heard enough before the end.
    let _ = socket.write_all(bytes);
    let mut said = Vec::new();
    // With something unread at the other end the connection is reset.
    let _ = socket.read_to_end(&mut said);
    Ok(said)
}

#[test]
fn status_tells_of_pools_and_workers() -> Result {
    let daemon = Daemon::echo()
        .file(
            "wait.php",
            "<?php echo 'begun'; flush(); fgets(fopen(__DIR__ . '/../var/gate', 'r'));",
        )
        .workers(2)
        .other_pool("api", "pm = ondemand");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    fpm.get("/t.php")?;
    let mut running = fpm.begin(&fpm.request("/wait.php?a=b"))?;
    running.output_until("begun")?;

    // A worker may be on its way, and one that has answered not yet at rest.
    let status = status_when(&fpm, |status| {
        let www = &status["pools"][0];
        (&www["active"], &www["idle"]) == (&1.into(), &1.into())
    })?;
    assert_eq!(status["pid"], fpm.process().pid());
    assert_eq!(status["state"], "serving");
    let pools = &status["pools"];
    assert_eq!(pools[0]["name"], "www");
    assert_eq!(pools[0]["requests"], 2);
    assert_eq!(pools[1]["pm"], "ondemand");
    assert_eq!(pools[1]["workers"], Value::Array(Vec::new()));
    let workers = pools[0]["workers"].as_array().map(Vec::as_slice);
    let busy = workers
        .unwrap_or_default()
        .iter()
        .find(|worker| worker["stage"] == "running");
    assert_eq!(
        busy.map(|worker| &worker["uri"]),
        Some(&"/wait.php?a=b".into())
    );

    let (code, text, _) = run(&fpm, "status")?;
    assert_eq!(code, 0);
    assert!(
        text.contains("\nPOOL  PM  ") && text.contains("\nwww   static "),
        "{text}"
    );
    let (_, text, _) = run(&fpm, "status --workers")?;
    assert!(text.contains("GET /wait.php?a=b\n"), "{text}");
    gate.open()?;
    running.answer()?;
    Ok(())
}

#[test]
fn the_configuration_file_tells_where_the_socket_is_even_when_it_is_broken() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let file = fpm.site().path("fpm.conf").display().to_string();
    let run = |file: &str| -> Result<(i32, String, String)> {
        done(&Subject::from_environment()?.run(&["status", "-y", file])?)
    };
    let (code, text, _) = run(&file)?;
    assert!(code == 0 && text.contains("configuration "), "{text}");
    fpm.edit("pm = static", "pm = nonsense")?;
    assert_eq!(run(&file)?.0, 0);
    fpm.edit("pm = nonsense", "pm = static")?;
    fpm.edit("control.listen", ";control.listen")?;
    let (code, _, complaint) = run(&file)?;
    assert!(
        code == 2 && complaint.contains("no control.listen"),
        "{complaint}"
    );
    let (code, _, complaint) = run("/nowhere/fpm.conf")?;
    assert!(
        code == 2 && complaint.contains("/nowhere/fpm.conf"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn the_socket_is_its_owners_and_goes_with_the_daemon() -> Result {
    let Some(mut fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let socket = fpm.site().path("control");
    let file = fs::metadata(&socket)?;
    assert_eq!(file.permissions().mode() & 0o7777, 0o600);
    assert_eq!(file.uid(), nix::unistd::geteuid().as_raw());

    // Another daemon does not take it away.
    let other = Daemon::echo().global(&format!("control.listen = {}", socket.display()));
    let refusal = other.start_in_vain()?;
    assert_eq!(refusal.code, Some(78), "{}", refusal.output);
    assert!(refusal.output.contains("control"), "{}", refusal.output);
    assert_eq!(run(&fpm, "status")?.0, 0);

    fpm.signal(Signal::SIGQUIT)?;
    fpm.wait()?;
    assert!(!socket.exists());
    let (code, _, complaint) = run(&fpm, "status")?;
    assert!(
        code == 2 && complaint.contains("no daemon takes orders at"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn what_a_killed_daemon_left_behind_is_no_obstacle() -> Result {
    let Some(mut fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let socket = fpm.site().path("control");
    fpm.signal(Signal::SIGKILL)?;
    fpm.wait()?;
    assert!(socket.exists());
    let heir = Daemon::echo().global(&format!("control.listen = {}", socket.display()));
    let _heir = heir.start()?;
    assert_eq!(run(&fpm, "status")?.0, 0);
    Ok(())
}

#[test]
fn a_reload_is_waited_for_and_loses_nothing() -> Result {
    let Some(fpm) = start(Daemon::echo().workers(2))? else {
        return Ok(());
    };
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|running| {
        running.wait_for_answers(20)?;
        fpm.edit("pm.max_children = 2", "pm.max_children = 3")?;
        let (code, text, complaint) = run(&fpm, "reload")?;
        assert_eq!(
            (code, text.as_str()),
            (0, "generation 2 serves\n"),
            "{complaint}"
        );
        let status = status(&fpm)?;
        assert_eq!(status["pools"][0]["max_children"], 3);
        assert_eq!(status["pools"][0]["generation"], 2);
        running.wait_for_answers(20)
    })?;
    report.all_good()?;
    let line = fpm.log().wait_for("reload, as process ")?;
    assert!(line.contains(" of user "), "{line}");
    Ok(())
}

#[test]
fn many_who_ask_at_once_all_get_their_answer() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let codes: Result<Vec<i32>> = thread::scope(|scope| {
        let asks = [(); 6].map(|()| scope.spawn(|| run(&fpm, "reload").map(|(code, _, _)| code)));
        let ends = asks
            .into_iter()
            .map(|ask| ask.join().expect("no panic in there"));
        ends.collect()
    });
    assert_eq!(codes?, [0; 6]);
    // The first one, and one more for all who came during it, or few more than that.
    let generation = status(&fpm)?["pools"][0]["generation"].as_u64();
    assert!(matches!(generation, Some(2..=7)), "{generation:?}");
    Ok(())
}

#[test]
fn a_reload_that_fails_says_why() -> Result {
    let daemon = Daemon::echo()
        .file("preload.php", "<?php")
        .php_ini("opcache.enable = 1\nopcache.preload = {dir}/www/preload.php\nopcache.preload_user = www-data");
    let extension = Subject::from_environment()?.extension("opcache")?;
    let daemon = daemon.ini(&format!("zend_extension={}", extension.display()));
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    fpm.edit("pm = static", "pm = sometimes")?;
    let (code, _, complaint) = run(&fpm, "reload")?;
    assert_eq!(code, 1);
    assert!(
        complaint.starts_with("fpmd reload: the configuration cannot be used\n"),
        "{complaint}"
    );
    assert!(
        complaint.contains("invalid process manager (static, dynamic or ondemand)"),
        "{complaint}"
    );
    let (code, _, complaint) = run(&fpm, "reload --dry-run")?;
    assert!(
        code == 1 && complaint.contains("invalid process manager"),
        "{complaint}"
    );

    fpm.edit("pm = sometimes", "pm = static")?;
    fs::write(
        fpm.site().root().join("preload.php"),
        "<?php throw new Exception('not today');",
    )?;
    let (code, _, complaint) = run(&fpm, "reload")?;
    assert_eq!(code, 1, "{complaint}");
    assert!(status(&fpm)?["reload_failure"].is_string());
    fpm.serves_on()?;

    fs::write(fpm.site().root().join("preload.php"), "<?php")?;
    assert_eq!(run(&fpm, "reload")?.0, 0);
    assert!(status(&fpm)?["reload_failure"].is_null());
    Ok(())
}

#[test]
fn a_dry_run_tells_what_would_change_and_changes_nothing() -> Result {
    let daemon = Daemon::echo().other_pool("api", "pm.max_children = 2");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    assert_eq!(
        (code, text.as_str()),
        (0, "nothing would change but the processes\n")
    );
    fpm.edit("pm.max_children = 2", "pm.max_children = 4\nenv[A] = b")?;
    fpm.edit("[global]\n", "[global]\nprocess.max = 7\n")?;
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    let expected = "[global]\n  process.max: 0 -> 7\n[www] unchanged\n[api] changed\n  \
                    pm.max_children: 2 -> 4\n  env[A]: (not set) -> b\n";
    assert_eq!((code, text.as_str()), (0, expected));
    // Not even a log is made.
    let log = fpm.site().path("new.log");
    fpm.edit(
        "[api]\n",
        &format!("[api]\naccess.log = {}\n", log.display()),
    )?;
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    assert!(
        code == 0 && text.contains("access.log: (not set) -> /"),
        "{text}"
    );
    assert!(!log.exists());
    let status = status(&fpm)?;
    assert_eq!(status["generations"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["pools"][1]["max_children"], 2);
    fpm.serves_on()
}

#[test]
fn the_socket_moves_with_the_configuration() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let folder = fpm.site().folder().display().to_string();
    let (before, after) = (format!("{folder}/control"), format!("{folder}/moved"));
    fpm.edit(&before, &after)?;
    assert_eq!(run(&fpm, "reload")?.0, 0);
    let at = |path: &str| -> Result<i32> {
        let run = Subject::from_environment()?.run(&["reload", "--control", path])?;
        Ok(run.status.code().unwrap_or(-1))
    };
    assert_eq!(at(&after)?, 0);
    assert_eq!(at(&before)?, 2);
    fpm.edit("control.listen", ";control.listen")?;
    assert_eq!(at(&after)?, 0);
    assert_eq!(at(&after)?, 2);
    let left: Vec<_> = [&before, &after]
        .into_iter()
        .filter(|path| fs::exists(path).unwrap_or(true))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    fpm.serves_on()
}

#[test]
fn a_socket_that_cannot_be_made_fails_the_reload_only() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    fpm.edit("/control\n", "/nowhere/control\n")?;
    let (code, _, complaint) = run(&fpm, "reload")?;
    assert!(
        code == 1 && complaint.contains("/nowhere/control"),
        "{complaint}"
    );
    assert_eq!(run(&fpm, "status")?.0, 0);
    fpm.serves_on()
}

#[test]
fn nonsense_is_hung_up_on() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let mut long = GREETING.to_vec();
    long.extend([0xff; 4]);
    let garbage = [GREETING, b"\x02\0\0\0\xff\xff"].concat();
    let flood = [GREETING, &[0; 1 << 20]].concat();
    for nonsense in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"fpmd\xff\0\0\0",
        &long,
        &garbage,
        &flood,
    ] {
        assert!(say(&fpm, nonsense)?.starts_with(GREETING));
    }
    assert_eq!(run(&fpm, "status")?.0, 0);
    fpm.serves_on()
}

#[test]
fn who_says_nothing_or_never_listens_is_hung_up_on_and_holds_nobody_up() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let mut silent = connect(&fpm)?;
    // Asks without end and reads nothing.
    let mut deaf = connect(&fpm)?;
    deaf.set_nonblocking(true)?;
    deaf.write_all(GREETING)?;
    while deaf.write_all(STATUS).is_ok() {}
    assert_eq!(run(&fpm, "status")?.0, 0);
    let mut said = Vec::new();
    silent.read_to_end(&mut said)?;
    assert_eq!(said, GREETING);
    fpm.serves_on()
}

#[test]
fn there_is_a_limit_to_who_is_listened_to() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let mut connected: Vec<UnixStream> = Vec::new();
    for _ in 0..16 {
        let mut socket = connect(&fpm)?;
        socket.read_exact(&mut [0; GREETING.len()])?;
        connected.push(socket);
    }
    let (code, _, complaint) = run(&fpm, "status")?;
    assert!(
        code == 1 && complaint.contains("too many commands"),
        "{complaint}"
    );
    connected[0].write_all(&[GREETING, STATUS].concat())?;
    connected[0].read_exact(&mut [0; 4])?;
    connected.pop();
    // The daemon learns of the end of a connection before it looks at the next one.
    let (code, _, complaint) = run(&fpm, "status")?;
    assert_eq!(code, 0, "{complaint}");
    fpm.serves_on()
}

#[test]
fn another_user_is_not_obeyed() -> Result {
    if !nix::unistd::geteuid().is_root() {
        // Nobody else can be tried.
        return Ok(());
    }
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let socket = fpm.site().path("control");
    let ask = || -> Result<(i32, String, String)> {
        let subject = Subject::from_environment()?;
        let mut command =
            std::process::Command::new(fpmd_tests::find_tool("setpriv", "util-linux")?);
        command.args(["--reuid=www-data", "--regid=www-data", "--clear-groups"]);
        command
            .arg(subject.program())
            .arg("reload")
            .arg("--control")
            .arg(&socket);
        done(&command.output()?)
    };
    let (code, _, complaint) = ask()?;
    assert!(
        code == 2 && complaint.contains("Permission denied"),
        "{complaint}"
    );
    // Even if somebody has opened the door.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
    let (code, _, complaint) = ask()?;
    assert!(
        code == 1 && complaint.contains("does not take orders of user"),
        "{complaint}"
    );
    fpm.log().wait_for("is not obeyed")?;
    assert_eq!(status(&fpm)?["generations"][0]["number"], 1);
    fpm.serves_on()
}

#[test]
fn nothing_new_appears_unless_asked_for() -> Result {
    let fpm = Daemon::echo().start()?;
    let listens = |process: &Process| -> Result<usize> {
        let files = process.open_files()?;
        Ok(files.iter().filter(|file| file.contains("control")).count())
    };
    assert_eq!(listens(fpm.process())?, 0);
    if under()? == Under::Fpmd {
        let file = fpm.site().path("fpm.conf").display().to_string();
        let output = Subject::from_environment()?.run(&["status", "-y", &file])?;
        assert_eq!(output.status.code(), Some(2));
    }
    Ok(())
}

#[test]
fn bash_completes_commands_and_their_options() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let program = Subject::from_environment()?.program().display().to_string();
    let script = format!("{program} completions bash");
    let complete = |words: &str, last: &str| -> Result<String> {
        let ask = format!(
            "source <({script}); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _fpmd fpmd {last} ''; echo \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &ask])
            .output()?;
        Ok(done(&output)?.1)
    };
    let commands = complete("fpmd re", "re")?;
    for command in ["reload", "reopen", "resume", "request"] {
        assert!(commands.contains(command), "{commands}");
    }
    let options = complete("fpmd reload --d", "--d")?;
    assert_eq!(options.trim(), "--dry-run");
    Ok(())
}
