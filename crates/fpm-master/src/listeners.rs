//! The listening sockets of a generation's pools, shared with the generations that listen at the same addresses.
//!
//! Rule: an address has one socket, which stays open from generation to generation, so that its queue outlives a reload;
//! workers and zygotes get copies. A unix socket's file is removed by [`Listeners::remove_files`] and
//! [`Listeners::leave`] only, so that a master that dies leaves it to its workers.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c

mod queue;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bstr::{BStr, ByteSlice};
use fpm_conf::{Config, ListenAddress, Pool};
use fpm_os::error::OsError;
use fpm_os::listener::inherited::BoundTo;
use fpm_os::listener::{inet, shut_down, unix};
use serde::{Deserialize, Serialize};

use crate::acl::SocketAcl;
use crate::directory::Directory;
use crate::error::MasterError;
use crate::inherited::{Claimed, Inherited, Origin};
use crate::owner::SocketOwner;
use crate::store::Store;

pub(crate) mod handover;

/// All addresses of IPv6, and as a rule those of IPv4 too.
const ANY_V6: &str = "::";

/// All addresses of IPv4.
const ANY_V4: &str = "0.0.0.0";

/// The sockets, in the order of the configuration's pools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    listeners: Vec<Rc<Listener>>,
}

/// One listening socket.
#[derive(Debug)]
struct Listener {
    socket: OwnedFd,
    /// Where its pools want to listen; sockets of one address are one socket.
    address: BoundTo,
    /// The file of a unix socket.
    file: Option<PathBuf>,
    keeper: RefCell<Keeper>,
}

/// Who looks after a socket and its file when the daemon has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keeper {
    /// Nobody; the file goes.
    Nobody,
    /// The unit that has made it.
    SocketUnit,
    /// The service manager, because we have asked it to.
    Store(Store),
}

/// The sockets that are open while those of a configuration are opened. There may be thousands.
#[derive(Default)]
struct Open {
    /// Of generations that are there already.
    known: HashMap<BoundTo, Rc<Listener>>,
    /// For this configuration.
    new: HashMap<BoundTo, Rc<Listener>>,
    /// For their owners.
    directory: Directory,
}

impl Listeners {
    /// Takes the inherited sockets that pools want, to be known when theirs are opened; the others are closed.
    pub(crate) fn inherit(
        config: &Config,
        mut inherited: Inherited,
        store: Option<&Store>,
    ) -> Listeners {
        inherited.announce(config);
        let mut taken = Listeners::default();
        for pool in &config.pools {
            let wanted = wanted(pool);
            if let Some(first) = wanted.first()
                && let Some(claimed) = inherited.claim(&pool.name, &wanted)
            {
                let exactly = wanted.iter().find(|wanted| **wanted == claimed.bound_to);
                let address = exactly.unwrap_or(first).clone();
                let listener = Listener::inherited(claimed, address, store);
                taken.listeners.push(Rc::new(listener));
            }
        }
        inherited.close_unclaimed(store);
        taken
    }

    /// Finds the sockets of all pools among `known` ones, and opens what is not there.
    ///
    /// # Errors
    /// The first one that cannot be opened; those opened before it are closed and their files removed.
    pub(crate) fn open(config: &Config, known: &[Listeners]) -> Result<Listeners, MasterError> {
        let mut open = Open::with(known);
        let mut opened = Listeners::default();
        for pool in &config.pools {
            match open.listener(pool) {
                Ok(listener) => opened.listeners.push(listener),
                Err(error) => {
                    opened.remove_files(known);
                    return Err(error);
                }
            }
        }
        Ok(opened)
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

    /// Returns numbers and addresses of the sockets, each once.
    pub(crate) fn addresses(&self) -> Vec<(RawFd, &BoundTo)> {
        let mut addresses: Vec<(RawFd, &BoundTo)> = Vec::new();
        let mut seen = HashSet::new();
        for listener in &self.listeners {
            let number = listener.socket.as_raw_fd();
            if seen.insert(number) {
                addresses.push((number, &listener.address));
            }
        }
        addresses
    }

    /// Has the sockets that nobody keeps yet kept until there is another daemon.
    pub(crate) fn keep(&self, store: &Store) {
        for listener in &self.listeners {
            let mut keeper = listener.keeper.borrow_mut();
            if *keeper != Keeper::Nobody {
                continue;
            }
            match store.put(&listener.address, listener.socket.as_fd()) {
                Ok(()) => *keeper = Keeper::Store(store.clone()),
                Err(error) => tracing::warn!(
                    "systemd does not keep the socket \"{}\": {error}",
                    listener.address
                ),
            }
        }
    }

    /// Gives up the addresses that are not among `kept` ones: nobody is to look after them, and their files go.
    pub(crate) fn remove_files(&self, kept: &[Listeners]) {
        for listener in self.without(kept) {
            if let Keeper::Store(store) = listener.keeper.replace(Keeper::Nobody) {
                store.remove(&listener.address);
            }
            listener.remove_file();
        }
    }

    /// Removes the files of the sockets that nobody keeps: the daemon ends.
    pub(crate) fn leave(&self) {
        let unkept = |listener: &&Rc<Listener>| *listener.keeper.borrow() == Keeper::Nobody;
        for listener in self.listeners.iter().filter(unkept) {
            listener.remove_file();
        }
    }

    /// Returns the files of the sockets that nobody keeps.
    pub(crate) fn unkept_files(&self) -> impl Iterator<Item = PathBuf> {
        let unkept = |listener: &&Rc<Listener>| *listener.keeper.borrow() == Keeper::Nobody;
        let unkept = self.listeners.iter().filter(unkept);
        unkept.filter_map(|listener| listener.file.clone())
    }

    /// Tells of each socket, in the order of the pools, whether it is among others.
    pub(crate) fn are_among(&self, others: &Listeners) -> Vec<bool> {
        let others: HashSet<_> = others.listeners.iter().map(Rc::as_ptr).collect();
        let own = self.listeners.iter();
        own.map(|listener| others.contains(&Rc::as_ptr(listener)))
            .collect()
    }

    /// Refuses connections at the sockets that are not among `kept` ones and not lent, in all processes that have them.
    pub(crate) fn shut_down(&self, kept: &[Listeners]) {
        for listener in self.without(kept) {
            if *listener.keeper.borrow() != Keeper::SocketUnit {
                let _already = shut_down(&listener.socket);
            }
        }
    }

    /// Returns the sockets that are not among `kept` ones.
    fn without(&self, kept: &[Listeners]) -> impl Iterator<Item = &Rc<Listener>> {
        let kept: HashSet<_> = kept
            .iter()
            .flat_map(|kept| &kept.listeners)
            .map(Rc::as_ptr)
            .collect();
        self.listeners
            .iter()
            .filter(move |listener| !kept.contains(&Rc::as_ptr(listener)))
    }
}

impl Open {
    fn with(known: &[Listeners]) -> Open {
        let mut open = Open::default();
        for listener in known.iter().flat_map(|known| &known.listeners) {
            let first = open.known.entry(listener.address.clone());
            first.or_insert_with(|| Rc::clone(listener));
        }
        open
    }

    /// Returns the socket of an address, if there is one.
    fn find(&self, address: &BoundTo) -> Option<Rc<Listener>> {
        let known = self.known.get(address);
        known.or_else(|| self.new.get(address)).cloned()
    }

    fn listener(&mut self, pool: &Pool) -> Result<Rc<Listener>, MasterError> {
        let listener = match &pool.listen {
            ListenAddress::Unix(path) => self.unix(pool, path.as_bstr())?,
            ListenAddress::Tcp { host, port } => {
                let addresses = inet::resolve(host, port)?;
                self.first(pool, host.as_bstr(), &addresses)?
            }
            ListenAddress::Port(port) => self.any(pool, port.as_bstr())?,
        };
        self.new
            .insert(listener.address.clone(), Rc::clone(&listener));
        Ok(listener)
    }

    fn unix(&self, pool: &Pool, path: &BStr) -> Result<Rc<Listener>, MasterError> {
        let path = Path::new(OsStr::from_bytes(path));
        let acl = SocketAcl::of(pool, &self.directory)?;
        let owner = match acl {
            Some(_) => SocketOwner::default(),
            None => SocketOwner::of(pool, &self.directory)?,
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
        let address = BoundTo::File(path.to_owned());
        // Another pool that means the same file can only have spelled it differently: the configuration was checked.
        if self.new.contains_key(&address) {
            let path = path.to_owned();
            return Err(OsError::AlreadyListening { path }.into());
        }
        if let Some(known) = self.find(&address) {
            return Ok(known);
        }
        let listener = Listener {
            socket: unix::listen(path, pool.listen_mode, pool.listen_backlog)?,
            address,
            file: Some(path.to_owned()),
            keeper: RefCell::new(Keeper::Nobody),
        };
        match give(pool, path, acl, owner) {
            Ok(()) => Ok(Rc::new(listener)),
            Err(error) => {
                listener.remove_file();
                Err(error)
            }
        }
    }

    /// Listens at the first address that can be bound.
    fn first(
        &self,
        pool: &Pool,
        host: &BStr,
        addresses: &[SocketAddr],
    ) -> Result<Rc<Listener>, OsError> {
        let known = |address: &SocketAddr| self.find(&BoundTo::Inet(*address));
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
        let v6 = inet::resolve(ANY_V6.as_bytes(), port)?;
        let v4 = inet::resolve(ANY_V4.as_bytes(), port)?;
        let configured = pool.listen_raw.to_string();
        let both = v6.iter().chain(&v4);
        if let Some(known) = both
            .copied()
            .find_map(|address| self.find(&BoundTo::Inet(address)))
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
        self.first(pool, ANY_V4.into(), &v4)
    }
}

impl Listener {
    fn inet(socket: OwnedFd, address: SocketAddr) -> Rc<Listener> {
        Rc::new(Listener {
            socket,
            address: BoundTo::Inet(address),
            file: None,
            keeper: RefCell::new(Keeper::Nobody),
        })
    }

    /// Makes a listener of an inherited socket, for pools that want to listen at `address`.
    fn inherited(claimed: Claimed, address: BoundTo, store: Option<&Store>) -> Listener {
        let keeper = match (claimed.from, store) {
            (Origin::SocketUnit, _) => Keeper::SocketUnit,
            (Origin::Store, Some(store)) => Keeper::Store(store.clone()),
            (Origin::Store, None) | (Origin::Predecessor, _) => Keeper::Nobody,
        };
        let file = match (&keeper, claimed.bound_to) {
            (Keeper::Nobody | Keeper::Store(_), BoundTo::File(path)) => Some(path),
            _ => None,
        };
        Listener {
            socket: claimed.socket,
            address,
            file,
            keeper: RefCell::new(keeper),
        }
    }

    fn remove_file(&self) {
        if let Some(file) = &self.file {
            // It may have been removed, or belong to another daemon by now; the original does not look either.
            let _ = fs::remove_file(file);
        }
    }
}

/// Gives the file of a socket to those who may connect.
fn give(
    pool: &Pool,
    path: &Path,
    acl: Option<SocketAcl>,
    owner: SocketOwner,
) -> Result<(), MasterError> {
    if let Some(acl) = acl {
        acl.set(pool, path)?;
    }
    if owner.is_nobody() {
        return Ok(());
    }
    let changed = unix::change_owner(path, owner.user, owner.group);
    changed.map_err(|source| MasterError::ListenerOwner {
        pool: pool.name.clone(),
        source,
    })
}

/// Returns the addresses at which a pool may listen, in the order in which they are tried; none when they cannot be found,
/// which is told when the socket is opened.
fn wanted(pool: &Pool) -> Vec<BoundTo> {
    let resolved = |host: &[u8], port: &BStr| inet::resolve(host, port).unwrap_or_default();
    let addresses = match &pool.listen {
        ListenAddress::Unix(path) => {
            let path = Path::new(OsStr::from_bytes(path));
            let path = unix::cut(path).unwrap_or_else(|| path.to_owned());
            return vec![BoundTo::File(path)];
        }
        ListenAddress::Tcp { host, port } => resolved(host, port.as_bstr()),
        ListenAddress::Port(port) => [ANY_V6, ANY_V4]
            .into_iter()
            .flat_map(|host| resolved(host.as_bytes(), port.as_bstr()))
            .collect(),
    };
    addresses.into_iter().map(BoundTo::Inet).collect()
}

#[cfg(test)]
mod tests;
