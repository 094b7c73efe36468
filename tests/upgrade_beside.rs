//! Two masters at the same sockets (`fpmd upgrade --beside`): which one has which name, and the choice between them, which loses
//! nobody anything. As nginx does it with USR2, which to php-fpm means something else.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use fpmd_tests::control::{self, at};
use fpmd_tests::{
    Daemon, Fpm, Load, Process, Programs, Result, Running, Under, operator, under, wait_for,
    wait_until,
};
use nix::sys::signal::Signal;

/// How often one of two masters is chosen under load.
const CHOICES: usize = 20;

/// The titles of those who serve.
const WORKERS: &str = "php-fpm: pool www";

/// A daemon, perhaps of two masters.
struct Two {
    fpm: Fpm,
    programs: Programs,
}

impl Two {
    /// One master, of a daemon that has names.
    fn start(daemon: Daemon) -> Result<Option<Two>> {
        if under()? == Under::Original {
            return Ok(None);
        }
        let programs = Programs::new()?;
        let names = "pid = {dir}/pid\ncontrol.listen = {dir}/control";
        let fpm = programs.start(daemon.global(names))?;
        Ok(Some(Two { fpm, programs }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.fpm.site().path(name)
    }

    /// The master that a pid file names.
    fn named(&self, name: &str) -> Result<Option<i32>> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text.parse()?)),
            Err(_) => Ok(None),
        }
    }

    /// The master that says of itself that it takes orders there.
    fn answering(&self, control: &str) -> Result<Option<i32>> {
        let (code, text, _) = at(&self.path(control), "status --json")?;
        if code != 0 {
            return Ok(None);
        }
        let status: serde_json::Value = serde_json::from_str(&text)?;
        Ok(Some(status["pid"].as_i64().context("no pid")?.try_into()?))
    }

    /// Makes sure that these two have the names.
    fn check_names(&self, new: i32, old: Option<i32>) -> Result {
        let names = [self.named("pid")?, self.named("pid.oldbin")?];
        ensure!(names == [Some(new), old], "{names:?}: not {new}, {old:?}");
        let answers = [
            self.answering("control")?,
            self.answering("control.oldbin")?,
        ];
        ensure!(
            answers == [Some(new), old],
            "{answers:?}: not {new}, {old:?}"
        );
        Ok(())
    }

    /// Waits until this master is alone and has its names.
    fn wait_for_alone(&self, pid: i32) -> Result {
        let names = ["pid.oldbin", "control.oldbin"];
        wait_until("one master has the names", || {
            let is_gone = names.iter().all(|name| !self.path(name).exists());
            Ok(is_gone && self.named("pid")? == Some(pid))
        })?;
        self.check_names(pid, None)
    }

    /// Starts another master and returns it.
    fn begin(&self) -> Result<Process> {
        let old = self.named("pid")?.context("no master")?;
        let (code, text, complaint) = control::run(&self.fpm, "upgrade --beside")?;
        ensure!(code == 0, "{complaint}");
        let new = self.named("pid")?.context("no new master")?;
        let said = format!(" serves as process {new} beside process {old}. ");
        ensure!(text.contains(&said), "{text}");
        self.check_names(new, Some(old))?;
        Process::of(new)
    }

    /// Ends the master that takes orders there when its requests are done.
    fn quit(&self, control: &str) -> Result {
        let (code, _, complaint) = at(&self.path(control), "quit")?;
        ensure!(code == 0, "{complaint}");
        Ok(())
    }

    /// Asks all the time beside what is done, and has no request fail.
    fn under_load(&self, work: impl FnOnce(&Running<'_>) -> Result) -> Result {
        let load = Load::direct(&self.fpm, &self.fpm.request("/t.php"), "served -").clients(4);
        let ((), report) = load.during(work)?;
        report.all_good()?;
        Ok(())
    }

    /// The workers of a master.
    fn workers_of(&self, master: i32) -> Result<Vec<i32>> {
        let control = match self.named("pid")? == Some(master) {
            true => "control",
            false => "control.oldbin",
        };
        let (_, text, complaint) = at(&self.path(control), "status --json --workers")?;
        let status: serde_json::Value = serde_json::from_str(&text).context(complaint)?;
        let workers = status["pools"][0]["workers"].as_array();
        let pids = workers.into_iter().flatten();
        pids.map(|worker| Ok(worker["pid"].as_i64().context("no pid")?.try_into()?))
            .collect()
    }

    /// Waits until a master has so many workers; each is there some time after its birth.
    fn wait_for_workers_of(&self, master: i32, count: usize) -> Result<Vec<i32>> {
        wait_for("workers of a master", || {
            let workers = self.workers_of(master)?;
            Ok((workers.len() == count).then_some(workers))
        })
    }
}

#[test]
fn twenty_choices_between_two_masters_lose_no_request() -> Result {
    for daemon in [Daemon::echo(), Daemon::echo().tcp()] {
        let Some(two) = Two::start(daemon.workers(3))? else {
            return Ok(());
        };
        let mut master = two.fpm.process().pid();
        two.under_load(|running| {
            for (round, program) in (1..=CHOICES).zip(["two", "one"].iter().cycle()) {
                two.programs.put(program)?;
                let new = two.begin()?;
                ensure!(new.program()?.ends_with(program), "round {round}");
                running.wait_for_answers(10)?;
                if round % 2 == 1 {
                    two.quit("control.oldbin")?;
                    master = new.pid();
                } else {
                    two.quit("control")?;
                    new.wait_for_end()?;
                }
                two.wait_for_alone(master)?;
                running.wait_for_answers(10)?;
            }
            Ok(())
        })?;
        // The last one takes everything along.
        two.quit("control")?;
        for name in ["pid", "control", "www.sock"] {
            wait_until(name, || Ok(!two.path(name).exists()))?;
        }
        assert_eq!(two.fpm.log().lines_with("ERROR"), [""; 0]);
    }
    Ok(())
}

#[test]
fn master_that_is_killed_leaves_the_sockets_to_the_other_one() -> Result {
    let Some(two) = Two::start(Daemon::echo().workers(3))? else {
        return Ok(());
    };
    let old = two.fpm.process();
    two.under_load(|running| {
        for _ in 0..3 {
            let new = two.begin()?;
            let zygotes = two.fpm.wait_for_processes("php-fpm: zygote", 2)?;
            new.signal(Signal::SIGKILL)?;
            two.wait_for_alone(old.pid())?;
            // With its zygote, whichever that is, its last worker has ended.
            wait_until("a zygote ends", || {
                Ok(two.fpm.processes("php-fpm: zygote")?.len() < zygotes.len())
            })?;
            running.wait_for_answers(30)?;
        }
        let new = two.begin()?;
        old.signal(Signal::SIGKILL)?;
        two.wait_for_alone(new.pid())?;
        two.fpm.wait_for_processes("php-fpm: zygote", 1)?;
        running.wait_for_answers(30)?;
        // It is like any other master now.
        let next = two.begin()?;
        two.quit("control.oldbin")?;
        two.wait_for_alone(next.pid())?;
        running.wait_for_answers(30)
    })?;
    two.quit("control")?;
    wait_until("no socket", || Ok(!two.path("www.sock").exists()))
}

#[test]
fn workers_of_the_old_master_go_and_come_back() -> Result {
    let Some(two) = Two::start(Daemon::echo().workers(2).pool("env[X] = old"))? else {
        return Ok(());
    };
    let old = two.fpm.process();
    let of_old = two.wait_for_workers_of(old.pid(), 2)?;
    two.fpm.edit("env[X] = old", "env[X] = new")?;
    let new = two.begin()?;
    old.signal(Signal::SIGWINCH)?;
    for worker in of_old {
        if let Ok(worker) = Process::of(worker) {
            worker.wait_for_end()?;
        }
    }
    for _ in 0..10 {
        assert_eq!(two.fpm.get("/t.php")?.text(), "served new");
    }
    // With what it has read itself, whatever there is now.
    two.fpm.edit("pm = static", "pm = sometimes")?;
    old.signal(Signal::SIGHUP)?;
    two.wait_for_workers_of(old.pid(), 2)?;
    two.quit("control")?;
    two.wait_for_alone(old.pid())?;
    assert_eq!(two.fpm.get("/t.php")?.text(), "served old");
    // The end of the new one is enough.
    two.fpm.edit("pm = sometimes", "pm = static")?;
    drop(new);
    let new = two.begin()?;
    old.signal(Signal::SIGWINCH)?;
    two.wait_for_workers_of(old.pid(), 0)?;
    new.signal(Signal::SIGKILL)?;
    two.wait_for_alone(old.pid())?;
    two.wait_for_workers_of(old.pid(), 2)?;
    for _ in 0..10 {
        assert_eq!(two.fpm.get("/t.php")?.text(), "served old");
    }
    Ok(())
}

#[test]
fn while_there_are_two_masters_some_orders_are_refused() -> Result {
    let Some(two) = Two::start(Daemon::echo())? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let new = two.begin()?;
    for (control, command, other) in [
        ("control.oldbin", "reload", new.pid()),
        ("control.oldbin", "upgrade", new.pid()),
        ("control.oldbin", "upgrade --beside", new.pid()),
        ("control", "upgrade", old),
        ("control", "upgrade --beside", old),
    ] {
        let (code, _, complaint) = at(&two.path(control), command)?;
        let refusal = format!("process {other} is a master beside this one");
        assert!(
            code == 1 && complaint.contains(&refusal),
            "{command}: {complaint}"
        );
    }
    two.fpm.signal(Signal::SIGUSR2)?;
    two.fpm.log().wait_for("WARNING: not reloading: process ")?;
    // The new one reads what it likes.
    let (code, text, complaint) = at(&two.path("control"), "reload")?;
    assert_eq!((code, &*text), (0, "generation 2 serves\n"), "{complaint}");
    two.check_names(new.pid(), Some(old))?;
    two.quit("control.oldbin")?;
    two.wait_for_alone(new.pid())?;
    assert_eq!(two.fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn new_master_that_does_not_start_changes_nothing_and_says_why() -> Result {
    let Some(two) = Two::start(Daemon::echo().workers(2))? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let in_vain = |reason: &str| {
        let (code, _, complaint) = control::run(&two.fpm, "upgrade --beside")?;
        let refused = "the other master did not start, this one goes on";
        ensure!(
            code == 1 && complaint.contains(refused) && complaint.contains(reason),
            "{complaint}"
        );
        two.check_names(old, None)
    };
    two.under_load(|running| {
        for (script, reason) in [
            ("no program at all\n", "Exec format error (8)"),
            (
                "#!/bin/sh\necho it cannot >&2\nexit 3\n",
                "it cannot\n  it exited with code 3",
            ),
            ("#!/bin/sh\nkill -9 $$\n", "it exited on signal 9 (SIGKILL)"),
        ] {
            two.programs.put_script(script)?;
            in_vain(reason)?;
            running.wait_for_answers(10)?;
        }
        two.programs.put("two")?;
        two.fpm.edit("pm = static", "pm = sometimes")?;
        in_vain("invalid process manager")?;
        two.fpm
            .edit("pm = sometimes", "pm = static\naccess.log = /nowhere/log")?;
        in_vain("/nowhere/log")?;
        two.fpm.edit("access.log = /nowhere/log\n", "")?;
        running.wait_for_answers(10)?;
        let new = two.begin()?;
        two.quit("control.oldbin")?;
        two.wait_for_alone(new.pid())
    })
}

#[test]
fn pools_that_fork_on_demand_are_served_by_who_is_not_resting() -> Result {
    let daemon = Daemon::echo().pool("pm = ondemand\npm.max_children = 3");
    let Some(two) = Two::start(daemon)? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let new = two.begin()?;
    two.fpm.signal(Signal::SIGWINCH)?;
    two.fpm
        .log()
        .wait_for("all children end gracefully, the sockets stay open until SIGHUP")?;
    two.under_load(|running| {
        running.wait_for_answers(50)?;
        let workers = two.workers_of(old)?;
        ensure!(workers.is_empty(), "{workers:?}");
        ensure!(!two.workers_of(new.pid())?.is_empty(), "nobody serves");
        Ok(())
    })?;
    ensure!(!two.fpm.processes(WORKERS)?.is_empty(), "nobody serves");
    Ok(())
}

#[test]
fn sockets_that_only_one_of_two_wants_go_with_it() -> Result {
    let Some(two) = Two::start(Daemon::echo().other_pool("api", ""))? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let exist = |names: [&str; 2]| names.map(|name| two.path(name).exists());
    let files = ["api.sock", "new.sock"];
    two.fpm.edit("[api]", "[new]")?;
    two.fpm.edit("/api.sock", "/new.sock")?;
    two.begin()?;
    assert_eq!(exist(files), [true, true]);
    two.quit("control")?;
    two.wait_for_alone(old)?;
    assert_eq!(exist(files), [true, false]);
    let new = two.begin()?;
    two.quit("control.oldbin")?;
    two.wait_for_alone(new.pid())?;
    wait_until("the old socket goes", || Ok(!two.path("api.sock").exists()))?;
    assert_eq!(exist(files), [false, true]);
    assert_eq!(two.fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn operator_is_that_of_who_has_the_names() -> Result {
    let daemon = Daemon::echo().global("operator.listen = {dir}/operator");
    let Some(two) = Two::start(daemon)? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let operators = || two.fpm.wait_for_processes("fpmd: operator", 1);
    for control in ["control", "control.oldbin"] {
        let before = operators()?;
        let new = two.begin()?;
        ensure!(
            operators()?[0].parent()? == new.pid(),
            "it is the old one's"
        );
        before[0].wait_for_end()?;
        two.quit(control)?;
        let left = match control {
            "control" => old,
            _ => new.pid(),
        };
        two.wait_for_alone(left)?;
        ensure!(operators()?[0].parent()? == left, "it is another one's");
        ensure!(two.path("operator").exists(), "no socket");
    }
    assert_eq!(two.fpm.log().lines_with("ERROR"), [""; 0]);
    Ok(())
}

#[test]
fn operator_comes_back_when_that_of_the_other_master_leaves_its_address_late() -> Result {
    let Some(two) = Two::start(Daemon::echo().global("operator.listen = {dir}/operator"))? else {
        return Ok(());
    };
    let old = two.fpm.process().pid();
    let new = two.begin()?;
    let late = operator::process(&two.fpm)?;
    late.signal(Signal::SIGSTOP)?;
    new.signal(Signal::SIGKILL)?;
    two.wait_for_alone(old)?;
    let told = "no operator process until its address is free";
    let line = two.fpm.log().wait_for(told)?;
    ensure!(line.contains("WARNING"), "{line}");
    // It is asked for several times, and nobody is told of that.
    ensure!(!late.ends_within(Duration::from_millis(400))?);
    late.signal(Signal::SIGKILL)?;
    late.wait_for_end()?;
    let healthy = operator::get_when(&two.fpm, "/healthz", |told| told.code == 200);
    healthy.context("nobody is there")?;
    ensure!(operator::process(&two.fpm)?.parent()? == old);
    assert_eq!(two.fpm.log().lines_with(told).len(), 1);
    Ok(())
}
