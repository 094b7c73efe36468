//! The listening sockets of a generation's pools, shared with the generations that listen at the same addresses.
//!
//! Rule: an address has one socket, which stays open from generation to generation, so that its queue outlives a reload;
//! workers and zygotes get copies. A unix socket's file is removed by [`Listeners::remove_files`] only, so that a master
//! that dies leaves it to its workers.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bstr::{BStr, ByteSlice};
use fpm_conf::{Config, ListenAddress, Pool};
use fpm_os::error::OsError;
use fpm_os::listener::{inet, unix};

use crate::acl::SocketAcl;
use crate::error::MasterError;
use crate::owner::SocketOwner;

/// The sockets, in the order of the configuration's pools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    listeners: Vec<Rc<Listener>>,
}

/// One listening socket.
#[derive(Debug)]
struct Listener {
    socket: OwnedFd,
    address: Address,
    /// The file of a unix socket.
    file: Option<PathBuf>,
}

/// What a socket is bound to; sockets of one address are one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    /// A path.
    Unix(PathBuf),
    /// An address and a port.
    Inet(SocketAddr),
}

/// The sockets that are open while those of a configuration are opened.
struct Open<'a> {
    /// Of generations that are there already.
    known: &'a [Listeners],
    /// For this configuration.
    new: Listeners,
}

impl Listeners {
    /// Finds the sockets of all pools among `known` ones, and opens what is not there.
    ///
    /// # Errors
    /// The first one that cannot be opened; those opened before it are closed and their files removed.
    pub(crate) fn open(config: &Config, known: &[Listeners]) -> Result<Listeners, MasterError> {
        let mut open = Open {
            known,
            new: Listeners::default(),
        };
        for pool in &config.pools {
            match open.listener(pool) {
                Ok(listener) => open.new.listeners.push(listener),
                Err(error) => {
                    open.new.remove_files(known);
                    return Err(error);
                }
            }
        }
        Ok(open.new)
    }

    /// Returns the socket of a pool.
    pub(crate) fn socket(&self, pool: fpm_conf::PoolIndex) -> Option<&OwnedFd> {
        self.listeners
            .get(pool.0 as usize)
            .map(|listener| &listener.socket)
    }

    /// Returns the sockets in the order of the pools.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OwnedFd> {
        self.listeners.iter().map(|listener| &listener.socket)
    }

    /// Removes the files of the unix sockets that are not among `kept` ones.
    pub(crate) fn remove_files(&self, kept: &[Listeners]) {
        let is_kept = |listener: &Rc<Listener>| {
            let mut kept = kept.iter().flat_map(|kept| &kept.listeners);
            kept.any(|kept| Rc::ptr_eq(kept, listener))
        };
        let gone = self.listeners.iter().filter(|listener| !is_kept(listener));
        for file in gone.filter_map(|listener| listener.file.as_ref()) {
            // It may have been removed, or belong to another daemon by now; the original does not look either.
            let _ = fs::remove_file(file);
        }
    }
}

impl Open<'_> {
    /// Returns the socket of an address, if there is one.
    fn find(&self, address: &Address) -> Option<Rc<Listener>> {
        let known = self.known.iter().flat_map(|known| &known.listeners);
        let mut all = known.chain(&self.new.listeners);
        all.find(|listener| listener.address == *address).cloned()
    }

    fn listener(&self, pool: &Pool) -> Result<Rc<Listener>, MasterError> {
        match &pool.listen {
            ListenAddress::Unix(path) => self.unix(pool, path.as_bstr()),
            ListenAddress::Tcp { host, port } => {
                let addresses = inet::resolve(host, port)?;
                Ok(self.first(pool, host.as_bstr(), &addresses)?)
            }
            ListenAddress::Port(port) => Ok(self.any(pool, port.as_bstr())?),
        }
    }

    fn unix(&self, pool: &Pool, path: &BStr) -> Result<Rc<Listener>, MasterError> {
        let path = Path::new(OsStr::from_bytes(path));
        let acl = SocketAcl::of(pool)?;
        let owner = match acl {
            Some(_) => SocketOwner::default(),
            None => SocketOwner::of(pool)?,
        };
        let short = unix::cut(path);
        if let Some(short) = &short {
            // 108 is the size of the kernel's field, NUL included; the original prints that.
            tracing::warn!(
                "[pool {}] cannot bind to UNIX socket '{}' as path is too long (found length: {}, maximal length: {}), \
                 trying cut socket path instead '{}'",
                pool.name,
                path.display(),
                path.as_os_str().len(),
                unix::MAX_PATH + 1,
                short.display()
            );
        }
        let path = short.as_deref().unwrap_or(path);
        let address = Address::Unix(path.to_owned());
        if let Some(known) = self.find(&address) {
            return Ok(known);
        }
        let socket = unix::listen(path, pool.listen_mode, pool.listen_backlog)?;
        if let Some(acl) = acl {
            acl.set(pool, path)?;
        }
        if !owner.is_nobody() {
            let changed = unix::change_owner(path, owner.user, owner.group);
            changed.map_err(|source| MasterError::ListenerOwner {
                pool: pool.name.clone(),
                source,
            })?;
        }
        Ok(Rc::new(Listener {
            socket,
            address,
            file: Some(path.to_owned()),
        }))
    }

    /// Listens at the first address that can be bound.
    fn first(
        &self,
        pool: &Pool,
        host: &BStr,
        addresses: &[SocketAddr],
    ) -> Result<Rc<Listener>, OsError> {
        let known = |address: &SocketAddr| self.find(&Address::Inet(*address));
        if let Some(known) = addresses.iter().find_map(known) {
            return Ok(known);
        }
        let configured = pool.listen_raw.to_string();
        let mut failed = None;
        for (index, address) in addresses.iter().enumerate() {
            match inet::listen(*address, &configured, pool.listen_backlog) {
                Ok(socket) => {
                    tracing::debug!(
                        "Found address for {host}, socket opened on {}",
                        address.ip()
                    );
                    for ignored in &addresses[index + 1..] {
                        tracing::warn!(
                            "Found multiple addresses for {host}, {} ignored",
                            ignored.ip()
                        );
                    }
                    return Ok(Listener::inet(socket, *address));
                }
                Err(error) => {
                    if index + 1 < addresses.len() {
                        tracing::error!("{error}");
                    }
                    failed = Some(error);
                }
            }
        }
        let nothing = || OsError::Resolve {
            reason: "Name or service not known".to_owned(),
        };
        Err(failed.unwrap_or_else(nothing))
    }

    /// Listens at a port on all addresses: IPv6 with IPv4 in it, else IPv4.
    fn any(&self, pool: &Pool, port: &BStr) -> Result<Rc<Listener>, OsError> {
        let v6 = inet::resolve(Ipv6Addr::UNSPECIFIED.to_string().as_bytes(), port)?;
        let configured = pool.listen_raw.to_string();
        let any = Ipv4Addr::UNSPECIFIED.to_string();
        let v4 = inet::resolve(any.as_bytes(), port)?;
        let both = v6.iter().chain(&v4);
        if let Some(known) = both
            .copied()
            .find_map(|address| self.find(&Address::Inet(address)))
        {
            return Ok(known);
        }
        let opened = v6.iter().find_map(|address| {
            let socket = inet::listen(*address, &configured, pool.listen_backlog).ok()?;
            Some(Listener::inet(socket, *address))
        });
        if let Some(listener) = opened {
            return Ok(listener);
        }
        tracing::info!("Failed implicitly binding to ::, retrying with 0.0.0.0");
        self.first(pool, any.as_bytes().as_bstr(), &v4)
    }
}

impl Listener {
    fn inet(socket: OwnedFd, address: SocketAddr) -> Rc<Listener> {
        Rc::new(Listener {
            socket,
            address: Address::Inet(address),
            file: None,
        })
    }
}

#[cfg(test)]
mod tests {
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
        let raw =
            |listeners: &Listeners| listeners.iter().map(|s| s.as_raw_fd()).collect::<Vec<_>>();
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
    fn pools_of_one_address_share_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("www.sock");
        let listeners =
            Listeners::open(&config(vec![unix_pool(&path), unix_pool(&path)]), &[]).unwrap();
        let raw: Vec<_> = listeners.iter().map(AsRawFd::as_raw_fd).collect();
        assert_eq!(raw[0], raw[1]);
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
}
