//! What nobody asked for: a master that is killed, a machine without room for processes, being the first process.

use std::fs;

use anyhow::Context;
use fpmd_tests::{
    Daemon, Fpm, Gate, Process, Result, Subject, Under, find_tool, under, wait_until, write_program,
};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Uid;

fn daemon() -> Daemon {
    Daemon::echo()
        .file("pid.php", "<?php echo getmypid();")
        .file("wait.php", Gate::SCRIPT)
}

/// The process that answers now.
fn worker(fpm: &Fpm) -> Result<Process> {
    Process::of(fpm.get("/pid.php")?.text().parse()?)
}

#[test]
fn restart_takes_over_the_socket_of_a_master_that_was_killed() -> Result {
    let folder = tempfile::tempdir()?;
    let daemon = daemon()
        .workers(2)
        .pool(&format!("listen = {}/sock", folder.path().display()));
    let mut killed = daemon.start()?;
    let socket = fpmd_tests::Address::Unix(folder.path().join("sock"));
    let ask = |fpm: &Fpm, uri: &str| -> Result<_> {
        let mut connection = fpmd_tests::Connection::open(&socket)?;
        connection.send(&fpm.request(uri))?;
        Ok(connection)
    };
    let gate = Gate::new(killed.site(), "gate")?;
    let mut running = ask(&killed, "/wait.php")?;
    running.output_until("begun")?;
    let workers = killed.wait_for_processes("php-fpm: pool www", 2)?;
    killed.signal(Signal::SIGKILL)?;
    killed.wait()?;
    if under()? == Under::Original {
        // Its workers go on, and a new master takes them for one.
        assert_eq!(daemon.start_in_vain()?.code, Some(78));
        gate.open()?;
        assert_eq!(running.answer()?.body, b"done");
        return Ok(());
    }
    let next = daemon.start()?;
    assert_eq!(ask(&next, "/t.php")?.answer()?.text(), "served -");
    gate.open()?;
    assert_eq!(running.answer()?.body, b"done");
    workers.iter().try_for_each(Process::wait_for_end)?;
    assert_eq!(ask(&next, "/t.php")?.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn master_killed_in_the_middle_of_a_reload_leaves_nobody_behind() -> Result {
    let mut fpm = daemon().workers(2).start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut running = fpm.running("/wait.php")?;
    fpm.signal(Signal::SIGUSR2)?;
    let begun = match under()? {
        Under::Fpmd => "reloading: generation 2",
        Under::Original => "Reloading in progress ...",
    };
    fpm.log().wait_for(begun)?;
    fpm.signal(Signal::SIGKILL)?;
    fpm.wait()?;
    if under()? == Under::Fpmd {
        gate.open()?;
        assert_eq!(running.answer()?.body, b"done");
        // Whoever is left would hold the log.
        fpm.log().wait_for_end()?;
    }
    Ok(())
}

/// Lets the parent of the workers, and what it forks from now on, have so many processes, all of its user's counted; `max`
/// lifts that. A worker does it, for it is the same user.
const LIMIT: &str = "<?php
    $most = $_GET['most'] == 'max' ? posix_getrlimit()['hard maxproc'] : $_GET['most'];
    system('prlimit --pid ' . posix_getppid() . \" --nproc=$most: && echo done\");";

#[test]
fn machine_without_room_for_processes_is_served_with_what_there_is() -> Result {
    let fpm = daemon().workers(2).file("limit.php", LIMIT).start()?;
    if under()? == Under::Original {
        // Its workers' parent is root, for whom there is always room, or has to go on without.
        return fpm.serves_on();
    }
    assert_eq!(fpm.get("/limit.php?most=1")?.text(), "done\n");
    worker(&fpm)?.signal(Signal::SIGKILL)?;
    fpm.log()
        .wait_for_nth("fork() failed: Resource temporarily unavailable (11)", 2)?;
    for _ in 0..10 {
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
    }
    assert_eq!(fpm.get("/limit.php?most=max")?.text(), "done\n");
    fpm.wait_for_processes("php-fpm: pool www", 2)?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn reload_without_room_for_its_processes_changes_nothing() -> Result {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let fpm = daemon()
        .workers(2)
        .file("../preload.php", "<?php")
        .php_ini(&format!("zend_extension = {}", opcache.display()))
        .php_ini("opcache.preload_user = www-data\nopcache.preload = {dir}/preload.php")
        .start()?;
    if under()? == Under::Original {
        return fpm.reload();
    }
    let preload = fpm.site().path("preload.php");
    fs::write(
        &preload,
        "<?php
            $most = posix_getrlimit()['hard maxproc'];
            posix_setrlimit(POSIX_RLIMIT_NPROC, 1, $most == 'unlimited' ? -1 : $most);",
    )?;
    fpm.reload_in_vain()?;
    fpm.log()
        .wait_for("fork() failed: Resource temporarily unavailable (11)")?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fs::write(&preload, "<?php")?;
    fpm.reload()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

/// Lets the parent of the workers, and what it forks from now on, have no more memory than it has; with an argument lifts that.
const MEMORY: &str = "<?php
    $zygote = posix_getppid();
    preg_match('/VmSize:\\s+(\\d+)/', file_get_contents(\"/proc/$zygote/status\"), $size);
    $most = isset($_GET['lift']) ? posix_getrlimit()['hard totalmem'] : $size[1] * 1024;
    system(\"prlimit --pid $zygote --as=$most: && echo done\");";

#[test]
fn machine_without_memory_for_processes_is_served_with_what_there_is() -> Result {
    let fpm = daemon().workers(2).file("memory.php", MEMORY).start()?;
    if under()? == Under::Original {
        // Its workers' parent is root, whom a worker cannot limit.
        return fpm.serves_on();
    }
    let zygote = worker(&fpm)?.parent()?;
    assert_eq!(fpm.get("/memory.php")?.text(), "done\n");
    worker(&fpm)?.signal(Signal::SIGKILL)?;
    fpm.log().wait_for("next attempt")?;
    for _ in 0..10 {
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
    }
    assert_eq!(fpm.get("/memory.php?lift")?.text(), "done\n");
    fpm.wait_for_processes("php-fpm: pool www", 2)?;
    assert_eq!(worker(&fpm)?.parent()?, zygote);
    Ok(())
}

/// The daemon as the first process of a pid namespace.
struct Container {
    /// The program that made the namespace.
    fpm: Fpm,
    /// The master.
    init: Process,
    _folder: tempfile::TempDir,
}

impl Container {
    fn start(daemon: &Daemon) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let subject = Subject::from_environment()?;
        let script = folder.path().join("run");
        let text = format!(
            "#!/bin/sh\nexec {} --pid --mount-proc --fork --kill-child {} \"$@\"\n",
            find_tool("unshare", "util-linux")?.display(),
            subject.program().display()
        );
        write_program(&script, &text)?;
        let fpm = daemon.clone().subject(&subject.called(&script)).start()?;
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", fpm.process().pid()))?;
        let init = children.split_whitespace().next().context("no child")?;
        let init = Process::of(init.parse()?)?;
        Ok(Self {
            fpm,
            init,
            _folder: folder,
        })
    }
}

#[test]
fn first_process_of_a_container_obeys_and_reaps() -> Result {
    let daemon = daemon().workers(2).file(
        "leave.php",
        // Its parent has ended when it does.
        "<?php exec('(read x < ' . __DIR__ . '/../var/gate; exit 3) > /dev/null 2>&1 & echo $!', $out); echo $out[0];",
    );
    if !Uid::effective().is_root() {
        // Only root may make a namespace for sure.
        return daemon.start()?.serves_on();
    }
    for (signal, said) in [
        (Signal::SIGTERM, "Terminating ..."),
        (Signal::SIGINT, "Terminating ..."),
        (Signal::SIGQUIT, "Finishing ..."),
    ] {
        let Container {
            mut fpm,
            init,
            _folder,
        } = Container::start(&daemon)?;
        fpm.log().wait_for("fpm is running, pid 1")?;
        let gate = Gate::new(fpm.site(), "gate")?;
        let orphan = fpm.get("/leave.php")?.text();
        init.signal(Signal::SIGUSR2)?;
        fpm.log().wait_for_nth("ready to handle connections", 2)?;
        assert_eq!(fpm.get("/t.php")?.text(), "served -");
        gate.open()?;
        let status = format!("/proc/{}/root/proc/{orphan}/status", init.pid());
        // A process that nobody reaps keeps its entry.
        wait_until("it is reaped", || match fs::exists(&status) {
            // It went while it was looked at.
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(true),
            there => Ok(!there?),
        })?;
        init.signal(signal)?;
        assert_eq!(fpm.wait()?.code(), Some(0), "{signal}");
        fpm.log().wait_for(said)?;
    }
    Ok(())
}
