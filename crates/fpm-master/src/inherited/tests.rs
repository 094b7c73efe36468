//! Which pool gets which socket. That descriptors are taken at all is tested in fpm-os and, with a real daemon, in
//! tests/inherited.rs.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use fpm_conf::Pool;

use super::*;

/// Sockets with names, bound to where they say, all files below one folder.
fn inherited(origin: Origin, sockets: &[(&str, BoundTo)]) -> Inherited {
    let sockets = sockets.iter().map(|(name, bound_to)| {
        let socket = OwnedFd::from(fs::File::open("/dev/null").unwrap());
        Socket {
            number: socket.as_raw_fd(),
            socket,
            bound_to: bound_to.clone(),
            name: (*name).into(),
            origin,
        }
    });
    Inherited {
        sockets: sockets.collect(),
        ..Inherited::default()
    }
}

fn config(pools: &[&str]) -> Config {
    Config {
        pools: pools
            .iter()
            .map(|name| Pool::new(name, "/run/x.sock"))
            .collect(),
        ..Config::default()
    }
}

fn file(path: &str) -> BoundTo {
    BoundTo::File(path.into())
}

fn inet(address: &str) -> BoundTo {
    BoundTo::Inet(address.parse().unwrap())
}

#[test]
fn an_address_is_matched_whole() {
    assert!(is_same(&file("/run/php/a.sock"), &file("/run/php/a.sock")));
    for other in [file("/run/php/b.sock"), inet("127.0.0.1:9000")] {
        assert!(!is_same(&file("/run/php/a.sock"), &other));
    }
    let wanted = inet("127.0.0.1:9000");
    assert!(is_same(&wanted, &inet("127.0.0.1:9000")));
    for other in ["127.0.0.1:9001", "127.0.0.2:9000", "[::]:9000"] {
        assert!(!is_same(&wanted, &inet(other)), "{other}");
    }
    assert!(is_same(&inet("[fe80::1]:9000"), &inet("[fe80::1%2]:9000")));
}

#[test]
fn a_link_on_the_way_to_a_socket_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("run"), folder.path().join("var-run"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let _listener = UnixListener::bind(real.join("www.sock")).unwrap();
    let wanted = BoundTo::File(link.join("www.sock"));
    assert!(is_same(&wanted, &BoundTo::File(real.join("www.sock"))));
    assert!(!is_same(&wanted, &BoundTo::File(real.join("b.sock"))));
}

#[test]
fn a_pools_name_beats_its_address() {
    let mut inherited = inherited(
        Origin::SocketUnit,
        &[
            ("fpmd.socket", inet("127.0.0.1:1")),
            ("b", inet("127.0.0.1:2")),
            ("www", inet("127.0.0.1:3")),
            ("www", inet("127.0.0.1:4")),
        ],
    );
    inherited.announce(&config(&["www", "b", "c"]));
    let numbers: Vec<RawFd> = inherited.sockets.iter().map(|s| s.number).collect();
    let mut claim = |pool: &str, address: &str| {
        let claimed = inherited.claim(&pool.into(), &[inet(address)]);
        claimed.map(|claimed| claimed.socket.as_raw_fd())
    };
    // Another pool's socket is not taken, whatever its address.
    assert_eq!(claim("c", "127.0.0.1:2"), None);
    assert_eq!(claim("www", "127.0.0.1:4"), Some(numbers[3]));
    assert_eq!(claim("www", "127.0.0.1:9"), Some(numbers[2]));
    assert_eq!(claim("www", "127.0.0.1:9"), None);
    // The name of a unit means nothing.
    assert_eq!(claim("c", "127.0.0.1:1"), Some(numbers[0]));
}

#[test]
fn only_a_socket_unit_keeps_the_file_of_what_no_pool_wants() {
    let folder = tempfile::tempdir().unwrap();
    for (origin, stays) in [
        (Origin::SocketUnit, true),
        (Origin::Store, false),
        (Origin::Predecessor, false),
    ] {
        let path = folder.path().join("x.sock");
        fs::write(&path, "").unwrap();
        let bound_to = BoundTo::File(path.clone());
        inherited(origin, &[("", bound_to)]).close_unclaimed(None);
        assert_eq!(path.exists(), stays);
    }
}
