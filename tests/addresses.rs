//! The forms that `listen` has, and what is said of those that are none.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use fpmd_tests::{Address, Connection, Daemon, Fpm, Result, Under, under};

/// Says who asks.
fn daemon() -> Daemon {
    Daemon::new().file(
        "t.php",
        "<?php echo $_SERVER['REMOTE_ADDR'] ?? '', 'served';",
    )
}

/// A port that was free a moment ago, on every address.
fn free_port() -> Result<u16> {
    let any = if has_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    Ok(TcpListener::bind(any)?.local_addr()?.port())
}

/// Many containers have none.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// Asks at an address that is not the one that the harness knows.
fn ask(fpm: &Fpm, address: &str) -> Result<String> {
    let address: SocketAddr = address.parse()?;
    let mut connection = Connection::open(&Address::Tcp(address))
        .with_context(|| format!("connecting to {address}"))?;
    connection.send(&fpm.request("/t.php").without("REMOTE_ADDR"))?;
    Ok(connection.answer()?.text())
}

#[test]
fn each_form_of_a_tcp_address_is_served_where_it_says() -> Result {
    for (listen, at, not_at) in [
        ("127.0.0.1:PORT", "127.0.0.1:PORT", "[::1]:PORT"),
        ("\"[::1]:PORT\"", "[::1]:PORT", "127.0.0.1:PORT"),
        ("::1:PORT", "[::1]:PORT", "127.0.0.1:PORT"),
        ("0.0.0.0:PORT", "127.0.0.1:PORT", "[::1]:PORT"),
        ("127.0.0.2:PORT", "127.0.0.2:PORT", "127.0.0.1:PORT"),
    ] {
        if at.starts_with('[') && !has_ipv6() {
            continue;
        }
        let port = free_port()?.to_string();
        let [listen, at, not_at] = [listen, at, not_at].map(|text| text.replace("PORT", &port));
        let fpm = daemon().pool(&format!("listen = {listen}")).start()?;
        assert_eq!(ask(&fpm, &at)?, "served", "{listen}");
        assert!(ask(&fpm, &not_at).is_err(), "{listen}");
    }
    if !has_ipv6() {
        return Ok(());
    }
    for listen in ["PORT", "\"[::]:PORT\"", "00PORT"] {
        let port = free_port()?.to_string();
        let listen = listen.replace("PORT", &port);
        let fpm = daemon().pool(&format!("listen = {listen}")).start()?;
        for host in ["127.0.0.1", "[::1]"] {
            assert_eq!(ask(&fpm, &format!("{host}:{port}"))?, "served", "{listen}");
        }
    }
    Ok(())
}

#[test]
fn name_is_served_at_the_first_of_its_addresses() -> Result {
    let port = free_port()?;
    let fpm = daemon()
        .global("log_level = debug")
        .pool(&format!("listen = localhost:{port}"))
        .start()?;
    let said = fpm
        .log()
        .wait_for("Found address for localhost, socket opened on ")?;
    let host = match said.rsplit(' ').next() {
        Some("::1") => "[::1]",
        _ => "127.0.0.1",
    };
    assert_eq!(ask(&fpm, &format!("{host}:{port}"))?, "served");
    Ok(())
}

#[test]
fn asterisk_is_not_every_address() -> Result {
    if !has_ipv6() {
        return Ok(());
    }
    let port = free_port()?;
    let fpm = daemon().pool(&format!("listen = *:{port}")).start()?;
    fpm.log()
        .wait_for("WARNING: Found multiple addresses for *, 127.0.0.1 ignored")?;
    assert_eq!(ask(&fpm, &format!("[::1]:{port}"))?, "served");
    assert!(ask(&fpm, &format!("127.0.0.1:{port}")).is_err());
    Ok(())
}

#[test]
fn what_is_no_address_is_refused() -> Result {
    for (listen, expected) in [
        ("127.0.0.1:0", "ERROR: invalid port value '0'"),
        ("127.0.0.1:65536", "ERROR: invalid port value '65536'"),
        ("127.0.0.1:http", "ERROR: invalid port value 'http'"),
        ("127.0.0.1:", "ERROR: invalid port value ''"),
        ("65536", "ERROR: invalid port value '65536'"),
        (":9000", "ERROR: getaddrinfo: Name or service not known"),
        (
            "192.0.2.1:9000",
            "ERROR: unable to bind listening socket for address '192.0.2.1:9000': Cannot assign requested address (99)",
        ),
    ] {
        let refusal = daemon()
            .pool(&format!("listen = {listen}"))
            .start_in_vain()?;
        assert_eq!(refusal.code, Some(78), "{listen}: {}", refusal.output);
        assert!(
            refusal.output.contains(expected),
            "{listen}: {}",
            refusal.output
        );
    }
    Ok(())
}

#[test]
fn neighbour_of_an_ipv6_address_in_the_list_is_kept_out_by_fpmd() -> Result {
    if !has_ipv6() {
        return Ok(());
    }
    for (list, allows) in [
        ("::1", [true, true]),
        ("127.0.0.1,::1", [true, true]),
        ("2001:db8::1", [false, false]),
        // The first twelve octets are those of ::1.
        ("::2", [true, false]),
        ("127.0.0.1", [false, false]),
        (" ::1", [true, true]),
        ("127.0.0.1, ::1", [false, false]),
        ("::1/128", [false, false]),
    ] {
        let port = free_port()?;
        let fpm = daemon()
            .pool(&format!(
                "listen = \"[::1]:{port}\"\nlisten.allowed_clients = {list}"
            ))
            .start()?;
        let allowed = match under()? {
            Under::Original => allows[0],
            Under::Fpmd => allows[1],
        };
        assert_eq!(
            ask(&fpm, &format!("[::1]:{port}")).is_ok(),
            allowed,
            "{list}"
        );
    }
    Ok(())
}

#[test]
fn ipv4_client_of_a_socket_for_all_is_found_in_the_list() -> Result {
    if !has_ipv6() {
        return Ok(());
    }
    for (list, allowed) in [
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("::ffff:127.0.0.1", true),
    ] {
        let port = free_port()?;
        let fpm = daemon()
            .pool(&format!("listen = {port}\nlisten.allowed_clients = {list}"))
            .start()?;
        assert_eq!(
            ask(&fpm, &format!("127.0.0.1:{port}")).is_ok(),
            allowed,
            "{list}"
        );
    }
    Ok(())
}
