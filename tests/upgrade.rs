//! Another program on disk: a reload puts it in the place of the running master, which keeps its process id, its sockets and its
//! workers, or refuses it and says why.

use std::fs;

use anyhow::ensure;
use fpmd_tests::{
    Daemon, Fpm, Gate, Load, Nginx, Process, Programs, Result, Under, control, operator, under,
};
use nix::sys::signal::Signal;

/// How often a program is replaced under load.
const UPGRADES: usize = 20;

/// Starts a daemon whose program can be replaced; `None` when it is the original.
fn start(daemon: Daemon) -> Result<Option<(Programs, Fpm)>> {
    if under()? == Under::Original {
        return Ok(None);
    }
    let programs = Programs::new()?;
    let fpm = programs.start(daemon)?;
    Ok(Some((programs, fpm)))
}

/// Reloads and waits until the other program serves with workers of its own.
fn upgrade(fpm: &Fpm) -> Result {
    let before = fpm.log().lines_with("ready to handle connections").len();
    let taken = fpm.log().lines_with("taken over").len();
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log().wait_for_nth("taken over: ", taken + 1)?;
    fpm.log()
        .wait_for_nth("ready to handle connections", before + 1)?;
    Ok(())
}

#[test]
fn twenty_upgrades_lose_no_request() -> Result {
    for daemon in [Daemon::echo(), Daemon::echo().tcp()] {
        let daemon = daemon.workers(4).pool("catch_workers_output = yes");
        let Some((programs, fpm)) = start(daemon)? else {
            return Ok(());
        };
        let master = fpm.process().pid();
        let once = fpm.request("/t.php").post("text/plain", "body");
        let load = Load::direct(&fpm, &once, "served -body").clients(6);
        let ((), report) = load.during(|running| {
            for (round, name) in (1..=UPGRADES).zip(["two", "one"].iter().cycle()) {
                programs.put(name)?;
                upgrade(&fpm)?;
                assert!(fpm.process().program()?.ends_with(name), "round {round}");
                running.wait_for_answers(20)?;
            }
            Ok(())
        })?;
        report.all_good()?;
        assert_eq!(fpm.processes("php-fpm: master process")?[0].pid(), master);
        assert_eq!(fpm.log().lines_with("ERROR"), [""; 0]);
    }
    Ok(())
}

#[test]
fn kept_connections_and_those_of_nginx_outlive_an_upgrade() -> Result {
    let Some((programs, fpm)) = start(Daemon::echo().workers(8).pool("listen.mode = 0666"))? else {
        return Ok(());
    };
    let nginx = Nginx::start(&fpm, "location ~ \\.php$ { {pass} }")?;
    let kept = fpm.request("/t.php").keep_connection();
    for load in [
        Load::direct(&fpm, &kept, "served -").clients(2),
        Load::through(&nginx, "/t.php", "served -").clients(4),
    ] {
        let ((), report) = load.during(|running| {
            for name in ["two", "one", "two", "one"] {
                programs.put(name)?;
                upgrade(&fpm)?;
                running.wait_for_answers(20)?;
            }
            Ok(())
        })?;
        report.all_good()?;
    }
    Ok(())
}

#[test]
fn client_whose_worker_has_left_is_served_after_upgrades() -> Result {
    let daemon = Daemon::new().file("pid.php", "<?php echo getmypid();");
    let Some((programs, fpm)) = start(daemon)? else {
        return Ok(());
    };
    let request = fpm.request("/pid.php").keep_connection();
    let mut kept = fpm.begin(&request)?;
    let worker = kept.answer()?.text();
    fpm.reload()?;
    Process::of(worker.parse()?).map_or(Ok(()), |worker| worker.wait_for_end())?;
    // From here on only the master has it.
    for name in ["two", "one"] {
        programs.put(name)?;
        upgrade(&fpm)?;
    }
    kept.send(&request)?;
    assert_ne!(kept.answer()?.text(), worker);
    Ok(())
}

#[test]
fn request_that_runs_during_an_upgrade_ends_in_full() -> Result {
    let daemon = Daemon::new()
        .file("t.php", Gate::SCRIPT)
        .file("quick.php", "<?php echo 'quick';")
        .global("log_level = debug");
    let Some((programs, fpm)) = start(daemon.workers(2))? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    for name in ["two", "one"] {
        programs.put(name)?;
        upgrade(&fpm)?;
        assert_eq!(fpm.get("/quick.php")?.text(), "quick");
    }
    gate.open()?;
    assert_eq!(connection.answer()?.body, b"done");
    // Its end is told to a master that has not started it, by a zygote that it has not started either.
    fpm.log().wait_for("generation 1 has ended")?;
    Ok(())
}

#[test]
fn what_a_worker_says_across_an_upgrade_is_one_line() -> Result {
    let daemon = Daemon::new()
        .file(
            "t.php",
            "<?php $e = fopen('php://stderr', 'w'); fwrite($e, 'one half '); echo 'begun'; flush();
                 fgets(fopen(__DIR__ . '/../var/gate', 'r')); fwrite($e, \"and the other\\n\");",
        )
        .pool("catch_workers_output = yes");
    let Some((programs, fpm)) = start(daemon.workers(2))? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.running("/t.php")?;
    programs.put("two")?;
    upgrade(&fpm)?;
    gate.open()?;
    connection.answer()?;
    fpm.log().wait_for("\"one half and the other\"")?;
    Ok(())
}

#[test]
fn program_that_is_no_good_is_refused_and_everything_goes_on() -> Result {
    let daemon = Daemon::echo().file("pid.php", "<?php echo getmypid();");
    let Some((programs, fpm)) = start(daemon.workers(2))? else {
        return Ok(());
    };
    let worker: i32 = fpm.get("/pid.php")?.text().parse()?;
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let cases = [
        ("no program at all\n", "Exec format error (8)"),
        (
            "#!/bin/sh\nexit 1\n",
            "it exited with code 1 without a word",
        ),
        (
            "#!/bin/sh\nexit 0\n",
            "it exited with code 0 without a word",
        ),
        (
            "#!/bin/sh\nkill -9 $$\n",
            "it exited on signal 9 (SIGKILL) without a word",
        ),
        (
            "#!/bin/sh\necho 'fpmd state 99' >&3\n",
            "it reads state 99, the running program writes 1",
        ),
        (
            "#!/bin/sh\necho 'fpmd state 1' >&3\necho 'this is why' >&2\nexit 78\n",
            "it does not pass the test of the configuration and exited with code 78",
        ),
        (
            "#!/bin/sh\nexec sleep 1000\n",
            "it does not say within 10 seconds that it can take over from a running program",
        ),
    ];
    let ((), report) = load.during(|running| {
        for (round, (script, cause)) in (1..).zip(cases) {
            programs.put_script(script)?;
            fpm.signal(Signal::SIGUSR2)?;
            let refused = "the program on disk is not put to work: ";
            let line = fpm.log().wait_for_nth(refused, round)?;
            assert!(line.ends_with(cause), "{line}");
            fpm.log()
                .wait_for_nth("reload failed, generation 1 goes on", round)?;
            running.wait_for_answers(20)?;
        }
        Ok(())
    })?;
    report.all_good()?;
    fpm.log().wait_for("this is why")?;
    let workers = fpm.processes("php-fpm: pool www")?;
    assert!(workers.iter().any(|process| process.pid() == worker));
    assert!(fpm.process().program()?.ends_with("one"));
    // A good one follows.
    programs.put("two")?;
    upgrade(&fpm)?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn configuration_that_fails_the_test_keeps_the_program() -> Result {
    let Some((programs, fpm)) = start(Daemon::echo())? else {
        return Ok(());
    };
    let file = fpm.site().path("fpm.conf");
    let good = fs::read_to_string(&file)?;
    fs::write(&file, format!("{good}\nno_such_directive = 1\n"))?;
    programs.put("two")?;
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log().wait_for("unknown entry 'no_such_directive'")?;
    fpm.log()
        .wait_for("it does not pass the test of the configuration and exited with code 78")?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fs::write(&file, good)?;
    upgrade(&fpm)?;
    assert!(fpm.process().program()?.ends_with("two"));
    Ok(())
}

#[test]
fn command_that_asks_for_a_reload_is_answered_by_the_other_program() -> Result {
    let Some((programs, fpm)) = start(Daemon::echo().global("control.listen = {dir}/control"))?
    else {
        return Ok(());
    };
    fpm.get("/t.php")?;
    programs.put("two")?;
    let (code, text, complaint) = control::run(&fpm, "reload")?;
    assert_eq!(
        (code, text.as_str()),
        (0, "generation 2 serves\n"),
        "{complaint}"
    );
    assert!(fpm.process().program()?.ends_with("two"));
    let status = control::status_when(&fpm, |status| {
        // What was measured is the other program's now.
        status["pools"][0]["measured"]["answers"]["2xx"] == 1
    })?;
    assert_eq!(status["pid"], fpm.process().pid());
    programs.put_script("#!/bin/sh\nexit 1\n")?;
    let (code, _, complaint) = control::run(&fpm, "reload")?;
    assert_eq!(code, 1);
    let cause = "the program on disk is not put to work: it cannot take over";
    assert!(complaint.contains(cause), "{complaint}");
    Ok(())
}

#[test]
fn an_operator_of_the_other_program_takes_the_place_of_the_one_before() -> Result {
    let Some((programs, fpm)) = start(Daemon::echo().global("operator.listen = {dir}/operator"))?
    else {
        return Ok(());
    };
    let before = operator::process(&fpm)?;
    programs.put("two")?;
    upgrade(&fpm)?;
    before.wait_for_end()?;
    assert_eq!(operator::get(&fpm, "/readyz")?.code, 200);
    let after = operator::process(&fpm)?;
    assert!(after.program()?.ends_with("two"));
    // Where hardly anything is handed over, the address is bound anew.
    let program = programs.folder().join("one").display().to_string();
    let script = STRANGER
        .replace("{program}", &program)
        .replace("{edit}", OTHER_RELEASE);
    programs.put_script(&script)?;
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log()
        .wait_for("starting anew with the sockets of the program before")?;
    after.wait_for_end()?;
    operator::get_when(&fpm, "/readyz", |told| told.code == 200)?;
    assert_eq!(fpm.log().lines_with("ERROR"), [""; 0]);
    Ok(())
}

/// A program that takes over a state after it has been changed: `{edit}` does so to the bytes `state`.
const STRANGER: &str = "#!/usr/bin/env python3
import fcntl, os, sys
program, args = '{program}', sys.argv
if args[1] == '--take-over':
    number = int(args[2])
    state = os.pread(number, os.fstat(number).st_size, 0)
    {edit}
    other = os.memfd_create('state', os.MFD_ALLOW_SEALING)
    os.write(other, state)
    fcntl.fcntl(other, 1033, 15)
    os.set_inheritable(other, True)
    os.close(number)
    args[2] = str(other)
args[0] = program
os.execv(program, args)
";

/// The edit of a program of another release.
const OTHER_RELEASE: &str = "state = state.replace(b'\"release\":\"', b'\"release\":\"0.0.0-', 1)";

/// Puts a program there that does so.
fn put_stranger(programs: &Programs, edit: &str) -> Result {
    let program = programs.folder().join("two");
    let script = STRANGER.replace("{program}", &program.display().to_string());
    programs.put_script(&script.replace("{edit}", edit))
}

#[test]
fn upgrade_that_is_ordered_tells_who_serves_and_that_there_is_nothing_to_upgrade() -> Result {
    let Some((programs, fpm)) = start(Daemon::echo().global("control.listen = {dir}/control"))?
    else {
        return Ok(());
    };
    let (code, _, complaint) = control::run(&fpm, "upgrade")?;
    assert_eq!(code, 5, "{complaint}");
    let same = "the program on disk is the one that runs; ";
    assert!(complaint.contains(same), "{complaint}");
    let (version, pid) = (&control::status(&fpm)?["version"], fpm.process().pid());
    let version = version.as_str().unwrap_or_default();
    let serves = format!("fpmd {version} serves, process {pid}\n");
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|running| {
        programs.put_script("#!/bin/sh\nexit 1\n")?;
        let (code, _, complaint) = control::run(&fpm, "upgrade")?;
        let cause = "the program on disk is not put to work: it cannot take over";
        ensure!(code == 1 && complaint.contains(cause), "{complaint}");
        programs.put("two")?;
        let other_release = || put_stranger(&programs, OTHER_RELEASE);
        for put in [None, Some(other_release)] {
            put.map_or(Ok(()), |put| put())?;
            let (code, text, complaint) = control::run(&fpm, "upgrade")?;
            ensure!((code, &text) == (0, &serves), "{text}{complaint}");
            running.wait_for_answers(20)?;
        }
        Ok(())
    })?;
    report.all_good()?;
    fs::remove_file(programs.folder().join("two"))?;
    let (code, _, complaint) = control::run(&fpm, "upgrade")?;
    assert!(
        code == 1 && complaint.contains("there is no program at "),
        "{complaint}"
    );
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn program_that_does_not_understand_the_processes_takes_the_sockets_and_lets_them_finish() -> Result
{
    for (edit, cause) in [
        (OTHER_RELEASE, "it comes from another release, 0.0.0-"),
        ("state = b'rubbish\\n'", "it is no state of a master"),
        ("state = state[:len(state) // 2]", "EOF while parsing"),
    ] {
        let daemon = Daemon::echo().file("long.php", Gate::SCRIPT);
        let Some((programs, fpm)) = start(daemon.workers(4))? else {
            return Ok(());
        };
        let gate = Gate::new(fpm.site(), "gate")?;
        let mut long = fpm.running("/long.php")?;
        let old = fpm.processes("php-fpm: ")?;
        let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(4);
        put_stranger(&programs, edit)?;
        let ((), report) = load.during(|running| {
            fpm.signal(Signal::SIGUSR2)?;
            let warning = "WARNING: starting anew with the sockets of the program before";
            let line = fpm.log().wait_for(warning)?;
            assert!(line.contains(cause), "{line}");
            fpm.log()
                .wait_for_nth("NOTICE: ready to handle connections", 2)?;
            running.wait_for_answers(50)
        })?;
        report.all_good()?;
        gate.open()?;
        assert_eq!(long.answer()?.body, b"done");
        for process in old {
            if process.pid() != fpm.process().pid() {
                process.wait_for_end()?;
            }
        }
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
    }
    Ok(())
}
