//! Listening sockets that the daemon is started with: from systemd, or from a php-fpm that makes room for it.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use fpmd_tests::{
    Address, Connection, Daemon, Fpm, Process, Request, Result, Site, Subject, Under, under,
    wait_until,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A script that shows the variables by which sockets are passed on.
const VARIABLES: &str = "<?php foreach (getenv() as $name => $value) {
    if (preg_match('/^(FPM_SOCKETS|LISTEN_)/', $name)) echo \"$name=$value\\n\"; }";

/// A unix socket that somebody else has made.
struct Ready {
    path: PathBuf,
    _folder: TempDir,
}

impl Ready {
    fn new() -> Result<(Self, UnixListener)> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let path = folder.path().join("ready.sock");
        let listener = UnixListener::bind(&path)?;
        let ready = Self {
            path,
            _folder: folder,
        };
        Ok((ready, listener))
    }

    fn listen(&self) -> String {
        format!("listen = {}", self.path.display())
    }

    fn address(&self) -> Address {
        Address::Unix(self.path.clone())
    }
}

fn ask(address: &Address, request: &Request) -> Result<String> {
    let mut connection = Connection::open(address)?;
    connection.send(request)?;
    Ok(connection.answer()?.text())
}

fn says(fpm: &Fpm, level: &str, text: &str) -> Result {
    fpm.log().wait_for(&format!("{level}: {text}")).map(drop)
}

#[test]
fn sockets_of_an_outgoing_master_are_taken_over_with_their_queue() -> Result {
    let (ready, listener) = Ready::new()?;
    let path = ready.path.display();
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let port = Address::Tcp(tcp.local_addr()?);
    let site = Site::new()?;
    site.write("t.php", "<?php echo 'early';")?;
    let mut early = Connection::open(&ready.address())?;
    early.send(&Request::get(&site, "/t.php"))?;
    let fpm = Daemon::echo()
        .pool(&ready.listen())
        .other_pool("b", &format!("listen = {port}"))
        .environment("FPM_SOCKETS", &format!("{path}=3"))
        .environment("FPM_SOCKETS_1", &format!("{port}=4"))
        .descriptor(listener)
        .descriptor(tcp)
        .start()?;
    says(
        &fpm,
        "NOTICE",
        &format!("using inherited socket fd=3, \"{path}\""),
    )?;
    says(
        &fpm,
        "NOTICE",
        &format!("using inherited socket fd=4, \"{port}\""),
    )?;
    assert_eq!(early.answer()?.text(), "early");
    drop(early);
    assert_eq!(ask(&ready.address(), &fpm.request("/t.php"))?, "served -");
    assert_eq!(ask(&port, &fpm.request("/t.php"))?, "served -");
    Ok(())
}

#[test]
fn file_of_an_outgoing_masters_socket_is_removed_at_the_end() -> Result {
    let (ready, listener) = Ready::new()?;
    let mut fpm = Daemon::echo()
        .pool(&ready.listen())
        .environment("FPM_SOCKETS", &format!("{}=3", ready.path.display()))
        .descriptor(listener)
        .start()?;
    fpm.signal(Signal::SIGQUIT)?;
    fpm.wait()?;
    assert!(!ready.path.exists());
    Ok(())
}

#[test]
fn socket_of_an_outgoing_master_that_no_pool_wants_is_closed() -> Result {
    let (ready, listener) = Ready::new()?;
    let path = ready.path.display();
    let fpm = Daemon::echo()
        .environment("FPM_SOCKETS", &format!("{path}=3"))
        .descriptor(listener)
        .start()?;
    assert!(!ready.path.exists());
    if under()? == Under::Fpmd {
        let text = format!("closing inherited socket fd=3, \"{path}\": no pool listens there");
        says(&fpm, "WARNING", &text)?;
    }
    fpm.get("/t.php")?;
    Ok(())
}

#[test]
fn php_fpm_makes_room_at_a_reload_when_its_program_has_been_replaced() -> Result {
    let subject = Subject::from_environment()?;
    let folder = tempfile::tempdir()?;
    let (link, next) = (folder.path().join("php-fpm"), folder.path().join("next"));
    symlink(subject.original().program(), &link)?;
    let fpm = Daemon::echo()
        .subject(&subject.original().called(&link))
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    symlink(subject.program(), &next)?;
    fs::rename(&next, &link)?;
    fpm.signal(Signal::SIGUSR2)?;
    fpm.log()
        .wait_for_nth("NOTICE: ready to handle connections", 2)?;
    says(&fpm, "NOTICE", "using inherited socket fd=")?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    let zygotes = fpm.processes("php-fpm: zygote")?.len();
    match under()? {
        Under::Fpmd => assert_eq!(zygotes, 1),
        Under::Original => assert_eq!(zygotes, 0),
    }
    Ok(())
}

#[test]
fn scripts_do_not_see_how_sockets_were_passed_on() -> Result {
    let (ready, listener) = Ready::new()?;
    let passed = format!("{}=3", ready.path.display());
    let fpm = Daemon::new()
        .file("variables.php", VARIABLES)
        .pool(&ready.listen())
        .pool("clear_env = no")
        .environment("FPM_SOCKETS", &passed)
        .environment("LISTEN_FDS", "0")
        .descriptor(listener)
        .start()?;
    let seen = ask(&ready.address(), &fpm.request("/variables.php"))?;
    match under()? {
        Under::Fpmd => assert_eq!(seen, ""),
        Under::Original => assert!(seen.contains(&format!("FPM_SOCKETS={passed}\n")), "{seen}"),
    }
    Ok(())
}

#[test]
fn socket_of_systemd_is_used_by_fpmd_and_left_to_it() -> Result {
    let (ready, listener) = Ready::new()?;
    let path = ready.path.display();
    let site = Site::new()?;
    site.write("t.php", "<?php echo 'early';")?;
    let mut early = Connection::open(&ready.address())?;
    early.send(&Request::get(&site, "/t.php"))?;
    let daemon = Daemon::echo()
        .pool(&ready.listen())
        .environment("LISTEN_FDS", "1")
        .environment("LISTEN_FDNAMES", "fpmd.socket")
        .descriptor(listener);
    if under()? == Under::Original {
        let refusal = daemon.start_in_vain()?;
        let expected = format!("ERROR: Another FPM instance seems to already listen on {path}");
        assert!(refusal.output.contains(&expected), "{}", refusal.output);
        return Ok(());
    }
    let mut fpm = daemon.start()?;
    says(
        &fpm,
        "NOTICE",
        &format!("using inherited socket fd=3, \"{path}\""),
    )?;
    assert_eq!(early.answer()?.text(), "early");
    fpm.signal(Signal::SIGQUIT)?;
    fpm.wait()?;
    assert!(ready.path.exists());
    Ok(())
}

#[test]
fn sockets_are_taken_into_the_background() -> Result {
    let (ready, listener) = Ready::new()?;
    let pid_file = ready.path.with_file_name("pid");
    let (name, value) = match under()? {
        Under::Fpmd => ("LISTEN_FDS", "1".to_owned()),
        Under::Original => ("FPM_SOCKETS", format!("{}=3", ready.path.display())),
    };
    let site = Site::new()?;
    site.write("t.php", "<?php echo 'background';")?;
    let parent = Daemon::new()
        .pool(&ready.listen())
        .environment(name, &value)
        .argument("-D")
        .argument("-g")
        .argument(&pid_file.to_string_lossy())
        .descriptor(listener)
        .start_in_vain()?;
    assert_eq!(parent.code, Some(0), "{}", parent.output);
    let daemon = Process::of(fs::read_to_string(&pid_file)?.parse()?)?;
    let answer = ask(&ready.address(), &Request::get(&site, "/t.php"));
    daemon.signal(Signal::SIGTERM)?;
    daemon.wait_for_end()?;
    assert_eq!(answer?, "background");
    Ok(())
}

#[test]
fn socket_of_systemd_with_the_name_of_a_pool_is_that_pools() -> Result {
    let (ready, listener) = Ready::new()?;
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let port = Address::Tcp(tcp.local_addr()?);
    let fpm = Daemon::echo()
        .other_pool("b", "env[X] = unused")
        .environment("LISTEN_FDS", "2")
        .environment("LISTEN_FDNAMES", "b:www")
        .descriptor(listener)
        .descriptor(tcp)
        .start()?;
    let request = fpm.request("/t.php");
    match under()? {
        Under::Fpmd => {
            assert_eq!(ask(&port, &request)?, "served -");
            assert_eq!(ask(&ready.address(), &request)?, "served unused");
            assert!(fpm.connect().is_err());
        }
        Under::Original => assert_eq!(fpm.get("/t.php")?.text(), "served -"),
    }
    Ok(())
}

#[test]
fn sockets_that_systemd_gave_to_another_process_are_not_touched() -> Result {
    let (ready, listener) = Ready::new()?;
    let fpm = Daemon::echo()
        .environment("LISTEN_FDS", "1")
        .environment("LISTEN_PID", "1")
        .descriptor(listener)
        .start()?;
    if under()? == Under::Fpmd {
        let ours = fpm.process().pid();
        let text = format!(
            "LISTEN_FDS is for process '1' and this one is {ours}: no socket is taken from it"
        );
        says(&fpm, "WARNING", &text)?;
    }
    // The daemon has the descriptor and does nothing with it.
    Connection::open(&ready.address())?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn socket_of_systemd_that_no_pool_wants_is_closed() -> Result {
    let (ready, listener) = Ready::new()?;
    let fpm = Daemon::echo()
        .environment("LISTEN_FDS", "1")
        .descriptor(listener)
        .start()?;
    if under()? == Under::Fpmd {
        let path = ready.path.display();
        let text = format!("closing inherited socket fd=3, \"{path}\": no pool listens there");
        says(&fpm, "WARNING", &text)?;
        // Any process that another test is just about to start has the descriptors of this one until it executes its program.
        wait_until("nobody listens", || {
            Ok(Connection::open(&ready.address()).is_err())
        })?;
    }
    assert!(ready.path.exists());
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn descriptor_that_does_not_listen_is_not_believed_by_fpmd() -> Result {
    let daemon = Daemon::echo()
        .environment("FPM_SOCKETS", "{dir}/www.sock=3")
        .descriptor(File::open("/dev/null")?);
    let fpm = daemon.start()?;
    match under()? {
        Under::Fpmd => {
            let text = "inherited descriptor fd=3: it is no listening socket";
            says(&fpm, "WARNING", text)?;
            assert_eq!(fpm.get("/t.php")?.text(), "served -");
        }
        Under::Original => assert!(fpm.connect().is_err()),
    }
    Ok(())
}
