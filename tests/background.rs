//! The daemon in the background: who says that it is ready, with which exit code, and where its pid is found.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use fpmd_tests::control::at;
use fpmd_tests::{
    Address, Connection, Daemon, Gate, Process, Request, Result, Site, Subject, Under, under,
    wait_until,
};
use nix::sys::signal::Signal;
use nix::unistd::Uid;

/// A place that outlives the process that was started: socket, pid file and log of a daemon that goes into the background.
struct Home {
    site: Site,
}

impl Home {
    fn new() -> Result<Self> {
        let site = Site::new()?;
        site.write("t.php", "<?php echo 'served';")?;
        Ok(Self { site })
    }

    fn path(&self, name: &str) -> String {
        self.site.path(name).display().to_string()
    }

    fn pid_file(&self) -> PathBuf {
        self.site.path("pid")
    }

    /// A daemon that lives here and is told to go into the background after it was told to stay.
    fn daemon(&self) -> Daemon {
        Daemon::new()
            .global(&format!("error_log = {}", self.path("log")))
            .pool(&format!("listen = {}", self.path("s")))
            .argument("-D")
            .argument("--pid")
            .argument(&self.path("pid"))
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.site.path("log"))?)
    }

    fn served(&self) -> Result<String> {
        let mut connection = Connection::open(&Address::Unix(self.site.path("s")))?;
        connection.send(&Request::get(&self.site, "/t.php"))?;
        Ok(connection.answer()?.text())
    }

    /// The daemon that the pid file names; it is killed in the end.
    fn running(&self) -> Result<Running> {
        let text = fs::read_to_string(self.pid_file()).context("no pid file")?;
        Ok(Running(Process::of(text.parse()?)?))
    }
}

/// A daemon that is nobody's child.
struct Running(Process);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::SIGTERM);
        let _ = self.0.wait_for_end();
    }
}

/// The pipes of a process that neither a child of it nor this one, which it may have inherited some from, has open too.
fn lonely_pipes(process: &Process) -> Result<Vec<String>> {
    let pid = process.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    let mut others = vec![Process::of(std::process::id().try_into()?)?];
    for child in children {
        others.push(Process::of(child?)?);
    }
    let mut known = Vec::new();
    for other in others {
        // Descriptors of a process that is at work come and go.
        known.extend(other.open_files().unwrap_or_default());
    }
    let mut files = process.open_files()?;
    files.retain(|file| file.starts_with("pipe:") && !known.contains(file));
    Ok(files)
}

#[test]
fn parent_ends_well_when_the_daemon_serves() -> Result {
    let home = Home::new()?;
    let parent = home.daemon().start_in_vain()?;
    let daemon = home.running()?;
    assert_eq!(parent.code, Some(0), "{}", parent.output);
    assert_eq!(home.served()?, "served");
    assert!(daemon.0.title()?.starts_with("php-fpm: master process ("));
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0.pid()))?;
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .context("no stat")?
        .split(' ')
        .collect();
    let pid = daemon.0.pid().to_string();
    assert_eq!(fields[3], pid, "the daemon leads a session of its own");
    for number in 0..2 {
        let stream = fs::read_link(format!("/proc/{pid}/fd/{number}"))?;
        assert_eq!(stream.to_string_lossy(), "/dev/null");
    }
    wait_until("it has neither end of the pipe to its parent", || {
        // A look fails when a descriptor is closed in the middle of it.
        Ok(lonely_pipes(&daemon.0).is_ok_and(|pipes| pipes.is_empty()))
    })?;
    let log = home.log()?;
    assert!(
        log.contains(&format!("NOTICE: fpm is running, pid {pid}\n")),
        "{log}"
    );
    Ok(())
}

#[test]
fn pid_file_is_there_when_the_daemon_is_and_gone_afterwards() -> Result {
    let home = Home::new()?;
    fs::write(home.pid_file(), "an older one, and longer")?;
    home.daemon().start_in_vain()?;
    let daemon = home.running()?;
    let data = fs::metadata(home.pid_file())?;
    assert_eq!(data.mode() & 0o133, 0, "{:o}", data.mode());
    drop(daemon);
    assert!(!home.pid_file().exists());
    assert!(!home.site.path("s").exists());
    let log = home.log()?;
    assert!(log.ends_with("NOTICE: exiting, bye-bye!\n"), "{log}");
    Ok(())
}

#[test]
fn pid_of_the_configuration_comes_before_that_of_the_command_line() -> Result {
    let home = Home::new()?;
    let other = home.path("other");
    home.daemon()
        .global(&format!("pid = {other}"))
        .start_in_vain()?;
    assert!(!home.pid_file().exists());
    fs::rename(&other, home.pid_file())?;
    let _daemon = home.running()?;
    Ok(())
}

#[test]
fn last_word_about_the_background_counts() -> Result {
    let home = Home::new()?;
    let parent = home.daemon().global("daemonize = no").start_in_vain()?;
    drop(home.running()?);
    assert_eq!(parent.code, Some(0));
    for option in ["-F", "--nodaemonize"] {
        let fpm = Daemon::echo().argument("-D").argument(option).start()?;
        fpm.serves_on()?;
    }
    Ok(())
}

#[test]
fn parent_that_waits_is_told_of_a_failure() -> Result {
    let home = Home::new()?;
    let busy = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = busy.local_addr()?;
    let parent = home
        .daemon()
        .pool(&format!("listen = {address}"))
        .start_in_vain()?;
    assert_eq!(parent.code, Some(70), "{}", parent.output);
    let log = home.log()?;
    assert!(log.contains("Address already in use (98)"), "{log}");
    assert!(log.ends_with("ERROR: FPM initialization failed\n"), "{log}");
    assert!(!home.pid_file().exists());
    if Uid::effective().is_root() {
        let parent = home.daemon().pool("user = no-such-user").start_in_vain()?;
        assert_eq!(parent.code, Some(70), "{}", parent.output);
    }
    Ok(())
}

#[test]
fn master_beside_one_in_the_background_is_there_too() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let home = Home::new()?;
    let control = format!("control.listen = {}", home.path("control"));
    // It has the configuration file.
    let mut parent = home.daemon().global(&control).start_unheard()?;
    assert_eq!(parent.wait()?.code(), Some(0), "{}", parent.log().text());
    let old = home.running()?;
    // The parent is told before the first workers are there.
    wait_until("it serves", || {
        Ok(home.log()?.contains("ready to handle connections"))
    })?;
    let (code, _, complaint) = at(&home.site.path("control"), "upgrade --beside")?;
    assert_eq!(code, 0, "{complaint}");
    let new = home.running()?;
    assert_ne!(old.0.pid(), new.0.pid());
    assert!(old.0.title()?.starts_with("php-fpm: master process ("));
    old.0.signal(Signal::SIGQUIT)?;
    old.0.wait_for_end()?;
    assert_eq!(home.served()?, "served");
    let log = home.log()?;
    let ready = log.matches("ready to handle connections").count();
    assert_eq!(ready, 2, "{log}");
    Ok(())
}

#[test]
fn both_say_at_level_debug_what_they_tell_each_other() -> Result {
    let home = Home::new()?;
    let parent = home.daemon().global("log_level = debug").start_in_vain()?;
    drop(home.running()?);
    let log = home.log()?;
    for text in [
        "The calling process is waiting for the master process to ping via fd=",
        "Sending \"1\" (OK) to parent via fd=",
        "I received a valid acknowledge from the master process, I can exit without error",
    ] {
        assert!(log.contains(text), "no {text} in {log}\n{}", parent.output);
    }
    Ok(())
}

#[test]
fn mistake_in_the_configuration_is_found_before_the_background() -> Result {
    let home = Home::new()?;
    let parent = home.daemon().pool("nonsense = 1").start_in_vain()?;
    assert_eq!(parent.code, Some(78), "{}", parent.output);
    assert!(
        parent.output.contains("unknown entry 'nonsense'"),
        "{}",
        parent.output
    );
    Ok(())
}

#[test]
fn parent_waits_for_php() -> Result {
    // Whoever is started next may rely on what is preloaded, however long that takes.
    let home = Home::new()?;
    let (begun, go_on) = (
        Gate::new(&home.site, "begun")?,
        Gate::new(&home.site, "go")?,
    );
    let preload = format!(
        "<?php file_put_contents('{}', 'here'); fgets(fopen('{}', 'r')); function preloaded() {{ return 'preloaded'; }}",
        begun.path().display(),
        go_on.path().display()
    );
    home.site.write("preload.php", preload)?;
    home.site.write("t.php", "<?php echo preloaded();")?;
    let opcache = Subject::from_environment()?.extension("opcache")?;
    let mut parent = home
        .daemon()
        .php_ini(&format!("zend_extension={}", opcache.display()))
        .php_ini("opcache.preload_user=www-data")
        .php_ini(&format!("opcache.preload={}", home.path("www/preload.php")))
        .start_unheard()?;
    begun.wait()?;
    assert!(!parent.process().ends_within(Duration::ZERO)?);
    go_on.open()?;
    assert_eq!(parent.wait()?.code(), Some(0), "{}", parent.log().text());
    let _daemon = home.running()?;
    assert_eq!(home.served()?, "preloaded");
    Ok(())
}

#[test]
fn a_reload_does_not_bring_the_log_back_to_standard_error() -> Result {
    let home = Home::new()?;
    let file = home.site.path("fpm.conf");
    let configure = |daemonize: &str, log: &str| -> Result {
        let text = format!(
            "[global]\npid = {}\ndaemonize = {daemonize}\nerror_log = {}\n\
             [www]\nuser = www-data\nlisten = {}\npm = static\npm.max_children = 1\n",
            home.path("pid"),
            home.path(log),
            home.path("s")
        );
        Ok(fs::write(&file, text)?)
    };
    configure("yes", "log")?;
    let subject = Subject::from_environment()?;
    let parent = subject.run(&["-n", "-O", "-y", &file.to_string_lossy()])?;
    assert_eq!(parent.status.code(), Some(0), "{parent:?}");
    let daemon = home.running()?;
    configure("no", "next")?;
    daemon.0.signal(Signal::SIGUSR2)?;
    // The original's standard error is the log of its start.
    let log = home.site.path(match under()? {
        Under::Fpmd => "next",
        Under::Original => "log",
    });
    let begun = |log: &str| log.matches("ready to handle connections").count();
    wait_until("it serves anew, and says so there", || {
        let expected = match under()? {
            Under::Fpmd => 1,
            Under::Original => 2,
        };
        Ok(fs::read_to_string(&log).is_ok_and(|log| begun(&log) == expected))
    })
}
