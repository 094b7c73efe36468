//! Who the processes are and what they inherit: titles, users, environment, limits, directories, files.

use std::fs;
use std::os::unix::fs::MetadataExt;

use fpmd_tests::{Daemon, Fpm, Process, Result, Site, Subject, Under, under, write_program};
use nix::unistd::{Group, Uid, User};

/// What a script prints.
fn printed(daemon: Daemon, statements: &str) -> Result<String> {
    Ok(daemon
        .file("t.php", format!("<?php {statements}"))
        .start()?
        .get("/t.php")?
        .text())
}

fn worker(fpm: &Fpm) -> Result<Process> {
    Process::of(fpm.get("/pid.php")?.text().parse()?)
}

fn daemon() -> Daemon {
    Daemon::new().file("pid.php", "<?php echo getmypid();")
}

#[test]
fn processes_are_titled_by_their_roles() -> Result {
    let fpm = daemon()
        .other_pool("second", "pm.max_children = 2")
        .start()?;
    assert_eq!(
        fpm.process().title()?,
        format!(
            "php-fpm: master process ({})",
            fpm.site().path("fpm.conf").display()
        )
    );
    assert_eq!(worker(&fpm)?.title()?, "php-fpm: pool www");
    let second = Process::of(
        fpm.send_to("second", &fpm.request("/pid.php"))?
            .text()
            .parse()?,
    )?;
    assert_eq!(second.title()?, "php-fpm: pool second");
    match under()? {
        Under::Original => assert_eq!(second.parent()?, fpm.process().pid()),
        Under::Fpmd => {
            let parent = Process::of(second.parent()?)?;
            assert_eq!(parent.title()?, "php-fpm: zygote process (generation 1)");
            assert_eq!(parent.parent()?, fpm.process().pid());
        }
    }
    Ok(())
}

#[test]
fn pool_has_as_many_workers_as_it_says() -> Result {
    let fpm = daemon().workers(3).start()?;
    worker(&fpm)?;
    let others = if under()? == Under::Fpmd { 2 } else { 1 };
    fpm.wait_for_processes("php-fpm: ", 3 + others)?;
    Ok(())
}

#[test]
fn worker_is_its_pools_user_and_no_more() -> Result {
    let fpm = daemon().file("make.php", "<?php file_put_contents(__DIR__ . '/../var/made', ''); echo get_current_user() !== '' && posix_geteuid() === posix_getuid();").start()?;
    let expected = if Uid::effective().is_root() {
        User::from_name("www-data")?.map_or(Uid::effective(), |user| user.uid)
    } else {
        Uid::effective()
    };
    assert_eq!(
        worker(&fpm)?.status("Uid")?,
        format!("{expected} {expected} {expected} {expected}")
    );
    assert_eq!(fpm.get("/make.php")?.text(), "1");
    assert_eq!(
        fs::metadata(fpm.site().path("var/made"))?.uid(),
        expected.as_raw()
    );
    assert_eq!(
        fpm.process().status("Uid")?.split(' ').next(),
        Some(&*Uid::effective().to_string())
    );
    Ok(())
}

#[test]
fn worker_has_its_groups() -> Result {
    if !Uid::effective().is_root() {
        let fpm = daemon().pool("user = root\ngroup = root").start()?;
        fpm.log().wait_for(
            "NOTICE: [pool www] 'user' directive is ignored when FPM is not running as root",
        )?;
        fpm.log().wait_for(
            "NOTICE: [pool www] 'group' directive is ignored when FPM is not running as root",
        )?;
        return Ok(());
    }
    let group = |name: &str| -> Result<u32> {
        Ok(Group::from_name(name)?.map_or(0, |group| group.gid.as_raw()))
    };
    let fpm = daemon().pool("user = www-data\ngroup = games").start()?;
    let worker = worker(&fpm)?;
    let games = group("games")?;
    assert_eq!(
        worker.status("Gid")?,
        format!("{games} {games} {games} {games}")
    );
    assert_eq!(worker.status("Groups")?, games.to_string());
    assert_eq!(worker.status("CapEff")?, "0000000000000000");
    Ok(())
}

#[test]
fn user_may_be_a_number() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let fpm = daemon().pool("user = 12345\ngroup = 54321").start()?;
    let worker = worker(&fpm)?;
    assert_eq!(worker.status("Uid")?, "12345 12345 12345 12345");
    assert_eq!(worker.status("Gid")?, "54321 54321 54321 54321");
    Ok(())
}

#[test]
fn root_pools_need_permission() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let refusal = daemon().pool("user = root\ngroup = root").start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    assert!(
        refusal
            .output
            .contains("ERROR: [pool www] please specify user and group other than root"),
        "{}",
        refusal.output
    );
    let fpm = daemon()
        .pool("user = root\ngroup = root")
        .argument("-R")
        .start()?;
    assert_eq!(worker(&fpm)?.status("Uid")?, "0 0 0 0");
    Ok(())
}

#[test]
fn unknown_user_keeps_the_daemon_from_starting() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let refusal = daemon().pool("user = no-such-user").start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    assert!(
        refusal
            .output
            .contains("ERROR: [pool www] cannot get uid for user 'no-such-user'"),
        "{}",
        refusal.output
    );
    Ok(())
}

#[test]
fn environment_is_cleared_but_for_the_pools_own() -> Result {
    let daemon = Daemon::new()
        .environment("SECRET", "1")
        .pool("env[ONE] = 1\nenv[TWO] = two words\nenv[FROM] = $SECRET\nenv[NONE] = $NO_SUCH");
    let user = User::from_uid(Uid::effective())?;
    let text = printed(
        daemon,
        "$env = proc_open(['/usr/bin/env'], [1 => ['pipe', 'w']], $pipes); echo stream_get_contents($pipes[1]);",
    )?;
    let (name, home) = if Uid::effective().is_root() {
        ("www-data".to_owned(), "/var/www".to_owned())
    } else {
        user.map_or_else(Default::default, |user| {
            (user.name, user.dir.to_string_lossy().into_owned())
        })
    };
    let expected = format!("NONE=\nFROM=1\nTWO=two words\nONE=1\nUSER={name}\nHOME={home}\n");
    assert_eq!(text, expected);
    Ok(())
}

#[test]
fn environment_can_be_kept() -> Result {
    let daemon = Daemon::new()
        .environment("SECRET", "1")
        .pool("clear_env = no\nenv[ONE] = 1");
    let text = printed(
        daemon,
        "echo getenv('SECRET'), getenv('ONE'), $_SERVER['SECRET'], getenv('PATH') !== false, ' ', count(preg_grep('/FPM|ZYGOTE|FPMD/', array_keys(getenv())));",
    )?;
    assert_eq!(text, "1111 0");
    Ok(())
}

#[test]
fn pool_may_set_user_and_home() -> Result {
    let text = printed(
        Daemon::new().pool("env[USER] = me\nenv[HOME] = /here"),
        "echo getenv('USER'), getenv('HOME');",
    )?;
    assert_eq!(text, "me/here");
    Ok(())
}

#[test]
fn worker_starts_in_its_directory() -> Result {
    let fpm = Daemon::new().pool("chdir = /usr").file("t.php", "<?php register_shutdown_function(fn() => print(getcwd() . ' ' . readlink('/proc/self/cwd'))); chdir('/tmp'); ").start()?;
    for _ in 0..2 {
        assert_eq!(fpm.get("/t.php")?.text(), "/usr /usr");
    }
    Ok(())
}

#[test]
fn worker_may_live_in_a_chroot() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let fpm = Daemon::new()
        .pool("chroot = {dir}/www\nchdir = /sub")
        .file("sub/t.php", "<?php echo __FILE__, ' ', getcwd(), ' ', json_encode(file_exists('/etc/passwd')), ' ', implode(' ', array_diff(scandir('/'), ['.', '..']));")
        .start()?;
    let request = fpm
        .request("/sub/t.php")
        .param("SCRIPT_FILENAME", "/sub/t.php")
        .param("DOCUMENT_ROOT", "/");
    assert_eq!(fpm.send(&request)?.text(), "/sub/t.php /sub false sub");
    Ok(())
}

#[test]
fn limits_of_the_pool_are_the_workers() -> Result {
    let fpm = daemon()
        .pool("rlimit_files = 200\nrlimit_core = 1000")
        .start()?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", worker(&fpm)?.pid()))?;
    let line = |name: &str| {
        limits
            .lines()
            .find(|line| line.starts_with(name))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    assert_eq!(line("Max open files"), "Max open files 200 200 files");
    assert_eq!(
        line("Max core file size"),
        "Max core file size 1000 1000 bytes"
    );
    Ok(())
}

#[test]
fn pool_has_its_own_priority() -> Result {
    if !Uid::effective().is_root() {
        let fpm = daemon().pool("process.priority = 5").start()?;
        fpm.log().wait_for("NOTICE: [pool www] 'process.priority' directive is ignored when FPM is not running as root")?;
        return Ok(());
    }
    let fpm = daemon()
        .pool("process.priority = 5")
        .other_pool("b", "")
        .start()?;
    let nice = |pid: i32| -> Result<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(16))
            .unwrap_or_default()
            .to_owned())
    };
    assert_eq!(nice(worker(&fpm)?.pid())?, "5");
    assert_eq!(
        nice(fpm.send_to("b", &fpm.request("/pid.php"))?.text().parse()?)?,
        nice(fpm.process().pid())?
    );
    Ok(())
}

#[test]
fn worker_can_be_made_dumpable() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let owner = |daemon: Daemon| -> Result<u32> {
        let fpm = daemon.start()?;
        Ok(fs::metadata(format!("/proc/{}/mem", worker(&fpm)?.pid()))?.uid())
    };
    assert_eq!(owner(daemon())?, 0);
    assert_ne!(owner(daemon().pool("process.dumpable = yes"))?, 0);
    Ok(())
}

#[test]
fn umask_is_the_callers_but_for_sockets() -> Result {
    let site = Site::new()?;
    let script = site.path("fpmd-with-umask");
    let program = Subject::from_environment()?.program();
    let text = format!("#!/bin/sh\numask 027\nexec {} \"$@\"\n", program.display());
    write_program(&script, &text)?;
    let fpm = daemon()
        .subject(&Subject::from_environment()?.called(&script))
        .global("pid = {dir}/pid")
        .start()?;
    assert_eq!(worker(&fpm)?.status("Umask")?, "0027");
    assert_eq!(fs::metadata(fpm.site().path("pid"))?.mode() & 0o777, 0o640);
    let socket = fs::metadata(fpm.site().path("www.sock"))?;
    assert_eq!(socket.mode() & 0o777, 0o660);
    Ok(())
}

#[test]
fn worker_blocks_no_signals_and_its_children_neither() -> Result {
    let fpm = daemon()
        .file(
            "child.php",
            "<?php echo preg_replace('/\\s+/', ' ', shell_exec('grep ^SigBlk /proc/self/status'));",
        )
        .start()?;
    assert_eq!(worker(&fpm)?.status("SigBlk")?, "0000000000000000");
    assert_eq!(fpm.get("/child.php")?.text(), "SigBlk: 0000000000000000 ");
    Ok(())
}

#[test]
fn programs_that_a_script_starts_get_no_sockets() -> Result {
    let fpm = daemon()
        .file("child.php", "<?php echo shell_exec('ls -l /proc/self/fd');")
        .other_pool("b", "")
        .start()?;
    let text = fpm.get("/child.php")?.text();
    let subject = Subject::from_environment()?;
    let leaks = text.contains("socket:") || text.contains("memfd:") || text.contains("anon_inode:");
    if subject.under() == Under::Original {
        // PHP 8.4 closes the connection and its pool's socket, 8.2 nothing.
        assert!(text.contains("/proc/"), "{text}");
    } else {
        assert!(!leaks, "{text}");
    }
    Ok(())
}

#[test]
fn worker_holds_only_its_own_pools_files() -> Result {
    let fpm = daemon().other_pool("b", "").other_pool("c", "").start()?;
    // A kept connection is there for certain; one that is being closed may be.
    let mut kept = fpm.begin(&fpm.request("/pid.php").keep_connection())?;
    let files = Process::of(kept.answer()?.text().parse()?)?.open_files()?;
    let sockets = files
        .iter()
        .filter(|file| file.starts_with("socket:"))
        .count();
    match under()? {
        Under::Fpmd => {
            // The pool's address and its relay, the connection, and the line to the master.
            assert_eq!(sockets, 4, "{files:?}");
            assert!(
                !files.iter().any(|file| file.contains("fpm.log")),
                "{files:?}"
            );
        }
        // It keeps the other pools' sockets until they are cleaned up after start.
        Under::Original => assert!(sockets >= 1, "{files:?}"),
    }
    Ok(())
}

#[test]
fn scripts_programs_end_when_the_script_waits_for_them() -> Result {
    let text = printed(
        Daemon::new(),
        "$p = proc_open(['sh', '-c', 'cat; exit 3'], [['pipe', 'r'], ['pipe', 'w']], $pipes); fwrite($pipes[0], 'in'); fclose($pipes[0]);
         echo stream_get_contents($pipes[1]), proc_close($p), ' ', exec('exit 5', $out, $code), $code;",
    )?;
    assert_eq!(text, "in3 5");
    Ok(())
}

#[test]
fn worker_without_its_apparmor_hat_does_not_start() -> Result {
    let daemon = daemon().pool("apparmor_hat = no-such-hat\ncatch_workers_output = yes");
    match under()? {
        Under::Fpmd => {
            let fpm = daemon.start()?;
            fpm.log().wait_for("child failed to initialize")?;
            fpm.log().wait_for("exited with code 70 ")?;
        }
        // Debian's php-fpm does the same; the one that is built here knows no AppArmor.
        Under::Original => {
            let refusal = daemon.start_in_vain()?;
            assert!(
                refusal.output.contains("unknown entry 'apparmor_hat'"),
                "{}",
                refusal.output
            );
        }
    }
    Ok(())
}
