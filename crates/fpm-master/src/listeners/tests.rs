//! Opening sockets and sharing them; ports and files are real.

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::*;

fn unix_pool(path: &Path) -> Pool {
    Pool::new("www", path.to_str().unwrap())
}

fn config(pools: Vec<Pool>) -> Config {
    Config {
        pools,
        ..Config::default()
    }
}

#[test]
fn a_unix_socket_has_its_mode_and_goes_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("www.sock");
    let mut pool = unix_pool(&path);
    pool.listen_mode = 0o640;
    let listeners = Listeners::open(&config(vec![pool]), &[]).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    UnixStream::connect(&path).unwrap();
    listeners.remove_files(&[]);
    assert!(!path.exists());
}

#[test]
fn a_stale_file_is_taken_over_and_a_living_server_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("www.sock");
    let first = Listeners::open(&config(vec![unix_pool(&path)]), &[]).unwrap();
    let error = Listeners::open(&config(vec![unix_pool(&path)]), &[]).unwrap_err();
    let expected = format!(
        "Another FPM instance seems to already listen on {}",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    assert!(path.exists());
    Listeners::open(&config(vec![unix_pool(&path)]), &[]).unwrap();
}

#[test]
fn an_address_that_is_known_keeps_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let tcp = |host: &str| Pool::new("tcp", &format!("{host}:{port}"));
    let before = vec![
        unix_pool(&path("kept")),
        unix_pool(&path("gone")),
        tcp("127.0.0.1"),
    ];
    let before = Listeners::open(&config(before), &[]).unwrap();
    let after = vec![
        tcp("localhost"),
        unix_pool(&path("kept")),
        unix_pool(&path("new")),
    ];
    let after = Listeners::open(&config(after), std::slice::from_ref(&before)).unwrap();
    let raw = |listeners: &Listeners| listeners.iter().map(|s| s.as_raw_fd()).collect::<Vec<_>>();
    assert_eq!(raw(&after)[..2], [raw(&before)[2], raw(&before)[0]]);
    before.remove_files(&[after]);
    assert!(path("kept").exists() && path("new").exists() && !path("gone").exists());
}

#[test]
fn a_failure_beside_a_known_socket_leaves_that_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let known = [Listeners::open(&config(vec![unix_pool(&path("kept"))]), &[]).unwrap()];
    let pools = vec![
        unix_pool(&path("kept")),
        unix_pool(&path("new")),
        unix_pool(&path("missing/www")),
    ];
    assert!(Listeners::open(&config(pools), &known).is_err());
    assert!(path("kept").exists() && !path("new").exists());
}

#[test]
fn pools_of_one_port_share_its_socket() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let pools = ["127.0.0.1", "127.1"].map(|host| Pool::new("www", &format!("{host}:{port}")));
    let listeners = Listeners::open(&config(pools.into()), &[]).unwrap();
    let raw: Vec<_> = listeners.iter().map(AsRawFd::as_raw_fd).collect();
    assert_eq!(raw[0], raw[1]);
}

#[test]
fn a_file_is_one_pools() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("www.sock");
    for again in ["www.sock", "./www.sock"] {
        let pools = vec![
            unix_pool(&path),
            Pool::new("b", &format!("{}/{again}", folder.path().display())),
        ];
        let error = Listeners::open(&config(pools), &[]).unwrap_err();
        let said = "Another FPM instance seems to already listen on ";
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn a_failure_takes_the_files_of_the_pools_before_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("www.sock");
    let pools = vec![
        unix_pool(&path),
        unix_pool(&folder.path().join("missing/www.sock")),
    ];
    assert!(Listeners::open(&config(pools), &[]).is_err());
    assert!(!path.exists());
}

#[test]
fn a_path_that_is_too_long_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(120));
    let listeners = Listeners::open(&config(vec![unix_pool(&path)]), &[]).unwrap();
    let file = listeners.listeners[0].file.clone().unwrap();
    assert_eq!(file.as_os_str().len(), 107);
    UnixStream::connect(file).unwrap();
}

#[test]
fn ports_and_addresses() {
    for (listen, text) in [
        ("0", "invalid port value '0'"),
        ("70000", "invalid port value '70000'"),
        ("127.0.0.1:0", "invalid port value '0'"),
        ("[::1]:x", "invalid port value 'x'"),
    ] {
        let error = Listeners::open(&config(vec![Pool::new("www", listen)]), &[]).unwrap_err();
        assert_eq!(error.to_string(), text, "{listen}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_as_configured() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let error = Listeners::open(&config(vec![Pool::new("www", &listen)]), &[]).unwrap_err();
    let expected = format!(
        "unable to bind listening socket for address '{listen}': Address already in use (98)"
    );
    assert_eq!(error.to_string(), expected);
}
