//! Listening sockets: kinds, permissions, stale and busy addresses, who may connect.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;

use anyhow::Context;
use fpmd_tests::{
    Address, Connection, Daemon, Fpm, PhpVersion, Result, Site, Subject, Under, under,
};
use nix::unistd::{Uid, User};

fn daemon() -> Daemon {
    Daemon::new().file("t.php", "<?php echo $_SERVER['REMOTE_ADDR'];")
}

fn socket_mode(fpm: &Fpm) -> Result<u32> {
    Ok(fs::metadata(fpm.site().path("www.sock"))?.mode() & 0o7777)
}

#[test]
fn unix_socket_is_for_owner_and_group_unless_told_otherwise() -> Result {
    assert_eq!(socket_mode(&daemon().start()?)?, 0o660);
    assert_eq!(
        socket_mode(&daemon().pool("listen.mode = 0606").start()?)?,
        0o606
    );
    Ok(())
}

#[test]
fn unix_socket_belongs_to_whom_the_pool_says() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let nobody = User::from_name("nobody")?.map_or(0, |user| user.uid.as_raw());
    let fpm = daemon()
        .pool("listen.owner = nobody\nlisten.group = 54321")
        .start()?;
    let data = fs::metadata(fpm.site().path("www.sock"))?;
    assert_eq!((data.uid(), data.gid()), (nobody, 54321));
    Ok(())
}

#[test]
fn socket_that_cannot_be_given_away_leaves_no_file_with_fpmd() -> Result {
    let site = Site::new()?;
    let path = site.var().join("s");
    let refusal = daemon()
        .subject(&Subject::from_environment()?.unprivileged(&site)?)
        .global(&format!("error_log = {}/log", site.var().display()))
        .pool(&format!("listen = {}\nlisten.owner = root", path.display()))
        .start_in_vain()?;
    let complaint = "failed to chown() the socket";
    assert!(refusal.output.contains(complaint), "{}", refusal.output);
    assert_eq!(path.exists(), under()? == Under::Original);
    Ok(())
}

#[test]
fn unix_socket_is_open_to_those_in_its_lists() -> Result {
    let fpm = daemon()
        .pool("listen.mode = 0600\nlisten.acl_users = daemon,bin\nlisten.acl_groups = games")
        .pool("listen.owner = no-such-user")
        .start()?;
    fpm.log()
        .wait_for("WARNING: [pool www] ACL set, listen.owner = 'no-such-user' is ignored")?;
    let list = Command::new("getfacl")
        .arg("-cp")
        .arg(fpm.site().path("www.sock"))
        .output()
        .context("Debian's package acl is needed")?;
    assert_eq!(
        String::from_utf8(list.stdout)?.trim(),
        "user::rw-\nuser:daemon:rw-\nuser:bin:rw-\ngroup::---\ngroup:games:rw-\nmask::rw-\nother::---"
    );
    Ok(())
}

#[test]
fn name_may_be_twice_in_a_list_of_a_unix_socket() -> Result {
    let daemon = daemon().pool("listen.mode = 0600\nlisten.acl_users = daemon,daemon");
    match under()? {
        Under::Fpmd => {
            let fpm = daemon.start()?;
            assert_eq!(fpm.get("/t.php")?.text(), "127.0.0.1");
        }
        Under::Original => {
            let refusal = daemon.start_in_vain()?;
            assert!(
                refusal
                    .output
                    .contains("failed to write the ACL of the socket"),
                "{}",
                refusal.output
            );
        }
    }
    Ok(())
}

#[test]
fn lists_of_a_unix_socket_need_names_that_exist() -> Result {
    let refusal = daemon()
        .pool("listen.acl_groups = no-such-group")
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    let expected = "ERROR: [pool www] cannot get gid for group 'no-such-group'";
    assert!(refusal.output.contains(expected), "{}", refusal.output);
    Ok(())
}

#[test]
fn left_over_socket_file_is_replaced() -> Result {
    let fpm = daemon()
        .pool("listen = {dir}/www/old.sock")
        .file("old.sock", "in the way")
        .start()?;
    let path = fpm.site().root().join("old.sock");
    assert!(fs::metadata(&path)?.file_type().is_socket());
    Ok(())
}

#[test]
fn socket_of_a_living_daemon_is_not_taken() -> Result {
    let first = daemon().start()?;
    let path = first.site().path("www.sock");
    let refusal = daemon()
        .pool(&format!("listen = {}", path.display()))
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    let expected = format!(
        "ERROR: Another FPM instance seems to already listen on {}",
        path.display()
    );
    assert!(refusal.output.contains(&expected), "{}", refusal.output);
    assert_eq!(first.get("/t.php")?.text(), "127.0.0.1");
    Ok(())
}

#[test]
fn busy_port_is_an_error() -> Result {
    let busy = TcpListener::bind("127.0.0.1:0")?;
    let address = busy.local_addr()?;
    let refusal = daemon()
        .pool(&format!("listen = {address}"))
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    let expected = format!(
        "ERROR: unable to bind listening socket for address '{address}': Address already in use (98)"
    );
    assert!(refusal.output.contains(&expected), "{}", refusal.output);
    Ok(())
}

#[test]
fn socket_in_a_missing_folder_is_an_error() -> Result {
    let refusal = daemon()
        .pool("listen = {dir}/none/www.sock")
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    assert!(
        refusal
            .output
            .contains("unable to bind listening socket for address '")
            && refusal.output.contains("No such file or directory (2)"),
        "{}",
        refusal.output
    );
    Ok(())
}

#[test]
fn two_pools_cannot_share_an_address() -> Result {
    let refusal = daemon()
        .other_pool("b", "listen = {dir}/www.sock")
        .start_in_vain()?;
    assert_eq!(refusal.code, Some(78));
    let expected =
        "ERROR: [pool b] unable to set listen address as it's already used in another pool 'www'";
    assert!(refusal.output.contains(expected), "{}", refusal.output);
    Ok(())
}

#[test]
fn pools_listen_side_by_side() -> Result {
    let fpm = daemon()
        .tcp()
        .other_pool("b", "")
        .other_pool("c", "")
        .file("n.php", "<?php echo $_GET['n'];")
        .start()?;
    assert!(matches!(fpm.address(), Address::Tcp(_)));
    assert_eq!(fpm.get("/n.php?n=a")?.text(), "a");
    assert_eq!(fpm.send_to("b", &fpm.request("/n.php?n=b"))?.text(), "b");
    assert_eq!(fpm.send_to("c", &fpm.request("/n.php?n=c"))?.text(), "c");
    Ok(())
}

#[test]
fn tcp_clients_may_be_limited() -> Result {
    let fpm = daemon()
        .tcp()
        .pool("listen.allowed_clients = 127.0.0.1,10.1.2.3")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "127.0.0.1");
    let fpm = daemon()
        .tcp()
        .pool("listen.allowed_clients = 10.1.2.3\ncatch_workers_output = yes")
        .start()?;
    assert!(fpm.get("/t.php").is_err());
    fpm.log()
        .wait_for("ERROR: Connection disallowed: IP address '127.0.0.1' has been dropped.")?;
    Ok(())
}

#[test]
fn wrong_addresses_in_the_list_allow_nobody() -> Result {
    let fpm = daemon()
        .tcp()
        .pool("listen.allowed_clients = nonsense\ncatch_workers_output = yes")
        .start()?;
    assert!(fpm.get("/t.php").is_err());
    fpm.log()
        .wait_for("ERROR: Wrong IP address 'nonsense' in listen.allowed_clients")?;
    fpm.log()
        .wait_for("ERROR: There are no allowed addresses")?;
    Ok(())
}

#[test]
fn list_of_clients_does_not_concern_unix_sockets() -> Result {
    let fpm = daemon().pool("listen.allowed_clients = 10.1.2.3").start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "127.0.0.1");
    Ok(())
}

/// Asks at this address; the client says that it is 127.0.0.1, whoever it is.
fn ask(fpm: &Fpm, address: SocketAddr) -> Result<String> {
    let mut connection = Connection::open(&Address::Tcp(address))?;
    connection.send(&fpm.request("/t.php"))?;
    Ok(connection.answer()?.text())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn port_alone_listens_on_every_address() -> Result {
    let port = free_port()?;
    let fpm = daemon().pool(&format!("listen = {port}")).start()?;
    assert_eq!(ask(&fpm, ([127, 0, 0, 1], port).into())?, "127.0.0.1");
    if has_ipv6() {
        assert_eq!(ask(&fpm, (Ipv6Addr::LOCALHOST, port).into())?, "127.0.0.1");
    }
    Ok(())
}

#[test]
fn port_alone_means_ipv4_where_the_others_are_taken() -> Result {
    if !has_ipv6() {
        return Ok(());
    }
    let busy = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    let port = busy.local_addr()?.port();
    let fpm = daemon().pool(&format!("listen = {port}")).start()?;
    fpm.log()
        .wait_for("NOTICE: Failed implicitly binding to ::, retrying with 0.0.0.0")?;
    assert_eq!(ask(&fpm, ([127, 0, 0, 1], port).into())?, "127.0.0.1");
    Ok(())
}

#[test]
fn path_that_is_too_long_for_a_socket_is_cut() -> Result {
    const LONGEST: usize = 107;
    let fpm = daemon()
        .pool(&format!("listen = {{dir}}/{}", "x".repeat(LONGEST)))
        .start()?;
    let folder = fpm.site().path("");
    let whole = folder.join("x".repeat(LONGEST));
    let (length, whole) = (whole.as_os_str().len(), whole.display().to_string());
    let cut = &whole[..LONGEST];
    assert!(fs::metadata(cut)?.file_type().is_socket());
    let mut connection = Connection::open(&Address::Unix(cut.into()))?;
    connection.send(&fpm.request("/t.php"))?;
    assert_eq!(connection.answer()?.text(), "127.0.0.1");
    let subject = Subject::from_environment()?;
    if subject.under() == Under::Fpmd || subject.php() >= PhpVersion(8, 4) {
        fpm.log().wait_for(&format!(
            "WARNING: [pool www] cannot bind to UNIX socket '{whole}' as path is too long (found length: {length}, \
             maximal length: 108), trying cut socket path instead '{cut}'"
        ))?;
    }
    Ok(())
}
