//! Sockets that a service manager keeps while the daemon is restarted (sd_notify(3), `FDSTORE=1`).

use std::fs::{self, Permissions};
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::Context;
use fpmd_tests::{Address, Connection, Daemon, Fpm, Load, PATIENCE, Request, Result, Under, under};
use nix::sys::signal::Signal;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tempfile::TempDir;

/// A service manager with a store, and the addresses of the daemon that it starts again and again.
struct Manager {
    socket: UnixDatagram,
    kept: Vec<(String, OwnedFd)>,
    folder: TempDir,
    port: Address,
}

impl Manager {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let socket = UnixDatagram::bind(folder.path().join("notify"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            kept: Vec::new(),
            port: Address::Tcp(TcpListener::bind("127.0.0.1:0")?.local_addr()?),
            folder,
        })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("www.sock")
    }

    fn path(&self) -> Address {
        Address::Unix(self.file())
    }

    /// A daemon that is given what is kept; pool `www` listens at the path.
    fn daemon(&self) -> Result<Daemon> {
        let notify = self.folder.path().join("notify");
        let mut daemon = Daemon::echo()
            .pool(&format!("listen = {}", self.path()))
            .environment("NOTIFY_SOCKET", &notify.to_string_lossy())
            .environment("FDSTORE", "16");
        if !self.kept.is_empty() {
            let names: Vec<&str> = self.kept.iter().map(|(name, _)| name.as_str()).collect();
            daemon = daemon
                .environment("LISTEN_FDS", &names.len().to_string())
                .environment("LISTEN_FDNAMES", &names.join(":"));
            for (_, descriptor) in &self.kept {
                daemon = daemon.descriptor(descriptor.try_clone()?);
            }
        }
        Ok(daemon)
    }

    /// The same with a pool `b` at the port.
    fn daemon_with_two_pools(&self) -> Result<Daemon> {
        let lines = format!("listen = {}", self.port);
        Ok(self.daemon()?.other_pool("b", &lines))
    }

    /// Does what the daemon asks for until it says that it is ready.
    fn listen(&mut self) -> Result {
        loop {
            let (text, descriptors) = self.next()?;
            let value = |name: &str| {
                let mut lines = text.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            };
            let name = value("FDNAME").unwrap_or_default().to_owned();
            if value("FDSTOREREMOVE").is_some() {
                self.kept.retain(|(kept, _)| *kept != name);
            }
            if value("FDSTORE").is_some() {
                self.kept
                    .extend(descriptors.into_iter().map(|one| (name.clone(), one)));
            }
            if value("READY").is_some() {
                return Ok(());
            }
        }
    }

    fn next(&self) -> Result<(String, Vec<OwnedFd>)> {
        let mut text = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut text)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
        .context("no notification")?;
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors = descriptors.flatten().collect();
        Ok((
            String::from_utf8(text[..received.bytes].to_vec())?,
            descriptors,
        ))
    }

    /// Notifications of a daemon that has ended are of no interest any more.
    fn forget(&self) -> Result {
        self.socket.set_nonblocking(true)?;
        loop {
            match self.socket.recv(&mut [0]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.socket.set_nonblocking(false)?)
    }

    /// Stops a daemon as `systemctl restart` does.
    fn stop(&self, fpm: &mut Fpm) -> Result {
        fpm.signal(Signal::SIGQUIT)?;
        fpm.wait()?;
        self.forget()
    }

    fn names(&self) -> Vec<&str> {
        self.kept.iter().map(|(name, _)| name.as_str()).collect()
    }
}

fn begin(address: &Address, request: &Request) -> Result<Connection> {
    let mut connection = Connection::open(address)?;
    connection.send(request)?;
    Ok(connection)
}

#[test]
fn restart_keeps_sockets_and_their_queues() -> Result {
    let mut manager = Manager::new()?;
    let mut first = manager.daemon_with_two_pools()?.start()?;
    manager.listen()?;
    if under()? == Under::Original {
        assert!(manager.kept.is_empty());
        manager.stop(&mut first)?;
        assert!(!manager.file().exists());
        return Ok(());
    }
    let port = manager.port.to_string().replace(':', "_");
    let expected = [
        format!("listen={}", manager.path()),
        format!("listen={port}"),
    ];
    assert_eq!(manager.names(), expected);
    let request = first.request("/t.php");
    manager.stop(&mut first)?;
    for _ in 0..3 {
        let mut waiting = [
            begin(&manager.path(), &request)?,
            begin(&manager.port, &request)?,
        ];
        let mut next = manager.daemon_with_two_pools()?.start()?;
        manager.listen()?;
        for connection in &mut waiting {
            assert_eq!(connection.answer()?.text(), "served -");
        }
        assert_eq!(manager.names(), expected, "kept once");
        manager.stop(&mut next)?;
    }
    Ok(())
}

#[test]
fn restarts_of_fpmd_refuse_nobody() -> Result {
    let mut manager = Manager::new()?;
    let first = manager.daemon()?.workers(2).start()?;
    manager.listen()?;
    if under()? == Under::Original {
        assert!(manager.kept.is_empty());
        return Ok(());
    }
    let request = first.request("/t.php");
    let load = Load::on(&manager.path(), &request, "served -").clients(4);
    // The first one's folder has the script.
    let mut running = vec![first];
    let ((), report) = load.during(|clients| {
        for _ in 0..5 {
            clients.wait_for_answers(50)?;
            manager.stop(running.last_mut().context("one runs")?)?;
            running.push(manager.daemon()?.workers(2).start()?);
            manager.listen()?;
        }
        clients.wait_for_answers(50)
    })?;
    report.all_good()?;
    Ok(())
}

#[test]
fn socket_that_no_pool_wants_any_more_is_not_kept() -> Result {
    let mut manager = Manager::new()?;
    let mut both = manager.daemon_with_two_pools()?.start()?;
    manager.listen()?;
    if under()? == Under::Original {
        assert!(manager.kept.is_empty());
        return Ok(());
    }
    manager.stop(&mut both)?;
    let second = manager.port.clone();
    let only_www = manager.daemon()?;
    let text = format!("\"{second}\": no pool listens there");
    let fpm = only_www.start()?;
    drop(only_www);
    fpm.log().wait_for(&text)?;
    manager.listen()?;
    assert_eq!(manager.names(), [format!("listen={}", manager.path())]);
    assert!(Connection::open(&second).is_err());
    Ok(())
}

#[test]
fn store_that_nobody_keeps_is_a_warning() -> Result {
    let daemon = Daemon::echo()
        .environment("NOTIFY_SOCKET", "{dir}/nobody")
        .environment("FDSTORE", "16");
    let mut fpm = daemon.start()?;
    if under()? == Under::Fpmd {
        fpm.log()
            .wait_for("WARNING: systemd does not keep the socket \"")?;
    }
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fpm.signal(Signal::SIGQUIT)?;
    fpm.wait()?;
    assert!(!fpm.site().path("www.sock").exists());
    Ok(())
}
