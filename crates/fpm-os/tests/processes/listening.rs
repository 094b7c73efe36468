//! Unix listeners: their permissions depend on the umask, which belongs to the whole process.

use std::fs;
use std::io::{IoSlice, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use fpm_os::connection::Connection;
use fpm_os::error::OsError;
use fpm_os::listener::{self, inet, unix};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, geteuid};

use crate::{Test, in_child};

pub(crate) const TESTS: &[Test] = &[
    ("a socket has exactly its mode, whatever the umask", modes),
    (
        "a stale socket and any file are replaced, a living server is not",
        replaced,
    ),
    ("it can be asked whether anybody answers", answered),
    ("a socket is shut down in all processes", shut_down),
    ("a path that is too long is cut or refused", too_long),
    (
        "a path that cannot be bound is told as configured",
        cannot_be_bound,
    ),
    ("a socket is given away", given_away),
];

fn modes() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, mask) in [
        (0o660, 0o022),
        (0o666, 0o777),
        (0o600, 0),
        (0, 0o022),
        (0o777, 0o077),
    ] {
        let path = directory.path().join("socket");
        let original = umask(Mode::from_bits_truncate(mask));
        let socket = unix::listen(&path, mode, 5).unwrap();
        let after = umask(original);
        assert_eq!(after.bits(), mask, "the umask is as it was");
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode);
        assert!(metadata.file_type().is_socket());
        drop(socket);
    }
}

fn replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    fs::write(&path, "a file").unwrap();
    drop(unix::listen(&path, 0o600, 5).unwrap());
    assert!(path.exists(), "nobody removes it");
    let living = unix::listen(&path, 0o600, 5).unwrap();
    let refused = unix::listen(&path, 0o600, 5).unwrap_err();
    assert_eq!(refused, OsError::AlreadyListening { path: path.clone() });
    let clients = fill(&path);
    let refused = unix::listen(&path, 0o600, 5).unwrap_err();
    assert_eq!(
        refused,
        OsError::AlreadyListening { path },
        "with a full queue too"
    );
    drop((living, clients));
}

/// Connects until the queue of the socket at `path` is full.
fn fill(path: &Path) -> Vec<OwnedFd> {
    let address = UnixAddr::new(path).unwrap();
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let mut clients = Vec::new();
    loop {
        let client = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        match connect(client.as_raw_fd(), &address) {
            Ok(()) => clients.push(client),
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                return clients;
            }
        }
    }
}

fn answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    assert!(!unix::is_answered(&path));
    let socket = unix::listen(&path, 0o600, 5).unwrap();
    let copy = socket.try_clone().unwrap();
    drop(socket);
    assert!(unix::is_answered(&path), "there is a copy");
    drop(copy);
    assert!(!unix::is_answered(&path));
}

fn shut_down() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let socket = unix::listen(&path, 0o600, 5).unwrap();
    let first = UnixStream::connect(&path).unwrap();
    let mut served = UnixStream::connect(&path).unwrap();
    let accepted_before = Connection::accept(&socket).unwrap();
    in_child(|| listener::shut_down(&socket).unwrap());
    let accepted = Connection::accept(&socket).unwrap();
    let refused = UnixStream::connect(&path).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED));
    assert!(Connection::accept(&socket).is_err());
    accepted.write(&[IoSlice::new(b"x")]).unwrap();
    served.read_exact(&mut [0]).unwrap();
    assert!(!accepted_before.is_abandoned());
    drop(first);
    drop(unix::listen(&path, 0o600, 5).unwrap());

    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = inet::listen(anywhere, "test", 5).unwrap();
    let kept = socket.try_clone().unwrap();
    let address = TcpListener::from(socket).local_addr().unwrap();
    listener::shut_down(&kept).unwrap();
    inet::listen(address, "the same", 5).unwrap();
    let again = listener::shut_down(&kept).unwrap_err();
    assert_eq!(again.raw_os_error(), Some(libc::ENOTCONN));
}

fn too_long() {
    let directory = tempfile::tempdir().unwrap();
    let exact = |len: usize| {
        let stem = directory.path().join("");
        let fill = len - stem.as_os_str().len();
        stem.join("x".repeat(fill))
    };
    let fits = exact(unix::MAX_PATH);
    assert_eq!(unix::cut(&fits), None);
    drop(unix::listen(&fits, 0o600, 5).unwrap());
    for len in [unix::MAX_PATH + 1, 300] {
        let long = exact(len);
        let refused = unix::listen(&long, 0o600, 5).unwrap_err();
        let address = long.to_str().unwrap().to_owned();
        assert_eq!(
            refused,
            OsError::Bind {
                address,
                errno: Errno::ENAMETOOLONG
            }
        );
        assert_eq!(unix::cut(&long), Some(fits.clone()));
    }
}

fn cannot_be_bound() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("directory");
    fs::create_dir(&in_the_way).unwrap();
    for (path, errno) in [
        (Path::new("/no/such/directory/socket"), Errno::ENOENT),
        (&in_the_way, Errno::EADDRINUSE),
    ] {
        let refused = unix::listen(path, 0o600, 5).unwrap_err();
        let address = path.to_str().unwrap().to_owned();
        assert_eq!(refused, OsError::Bind { address, errno });
    }
}

fn given_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _socket = unix::listen(&path, 0o600, 5).unwrap();
    in_child(|| {
        let (user, group) = (Some(Uid::from_raw(1234)), Some(Gid::from_raw(5678)));
        let result = unix::change_owner(&path, user, group);
        if !geteuid().is_root() {
            let refused = OsError::ChangeOwner {
                path: path.clone(),
                errno: Errno::EPERM,
            };
            assert_eq!(result, Err(refused));
            return;
        }
        result.unwrap();
        let owner = || {
            fs::metadata(&path)
                .map(|file| (file.uid(), file.gid()))
                .unwrap()
        };
        assert_eq!(owner(), (1234, 5678));
        unix::change_owner(&path, None, Some(Gid::from_raw(9))).unwrap();
        assert_eq!(owner(), (1234, 9));
    });
    let missing = directory.path().join("missing");
    let refused = unix::change_owner(&missing, None, None).unwrap_err();
    assert_eq!(
        refused,
        OsError::ChangeOwner {
            path: missing,
            errno: Errno::ENOENT
        }
    );
}
