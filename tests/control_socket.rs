//! The control socket: where it is, whose it is, and who comes there with something else than a command. Only fpmd has it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use fpmd_tests::control::{done, run, start, status};
use fpmd_tests::{Daemon, Fpm, Process, Result, Subject, Under, under};
use nix::sys::signal::Signal;

/// What each side of a conversation says first, in the version of this build.
const GREETING: &[u8] = b"fpmd\x08\0\0\0";

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
