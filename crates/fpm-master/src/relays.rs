//! The ways by which kept connections get from worker to worker: one for each listening socket, shared as the socket is by the
//! generations that listen at its address.
//!
//! Rule: what is put in comes out in whatever generation serves there. So a relay has only connections that have come through its
//! socket, and a worker watches both.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use fpm_os::relay::Relay;

use crate::listeners::Listeners;

/// Relays, in the order of the pools.
pub(crate) type Relays = Vec<Rc<Relay>>;

/// Returns the relays of `listeners`: for a socket that the generation before has, too, the one that is there already.
///
/// # Errors
/// What socketpair(2) answers.
pub(crate) fn open(
    listeners: &Listeners,
    before: Option<&(Listeners, Relays)>,
) -> io::Result<Relays> {
    let known = before.into_iter();
    let known = known.flat_map(|(listeners, relays)| listeners.iter().zip(relays));
    // All these sockets are open, so their numbers tell them apart.
    let mut all: BTreeMap<_, _> = known
        .map(|(socket, relay)| (socket.as_raw_fd(), Rc::clone(relay)))
        .collect();
    let mut relay_of = |number| {
        if let Some(relay) = all.get(&number) {
            return Ok(Rc::clone(relay));
        }
        let relay = Rc::new(Relay::create()?);
        all.insert(number, Rc::clone(&relay));
        Ok(relay)
    };
    let sockets = listeners.iter();
    sockets.map(|socket| relay_of(socket.as_raw_fd())).collect()
}

#[cfg(test)]
mod tests {
    use fpm_conf::{Config, ListenAddress, Pool};

    use super::*;

    /// Listens at these files of a directory.
    fn listen(directory: &tempfile::TempDir, files: &[&str], known: &[Listeners]) -> Listeners {
        let pools = files.iter().map(|file| {
            let path = directory.path().join(file).display().to_string();
            let mut pool = Pool::new(file, &path);
            pool.listen = ListenAddress::Unix(path.into());
            pool
        });
        let config = Config {
            pools: pools.collect(),
            ..Config::default()
        };
        Listeners::open(&config, known).unwrap()
    }

    #[test]
    fn a_socket_that_stays_keeps_its_relay() {
        let directory = tempfile::tempdir().unwrap();
        let first = listen(&directory, &["a", "b"], &[]);
        let relays = open(&first, None).unwrap();
        assert!(!Rc::ptr_eq(&relays[0], &relays[1]));
        let second = listen(&directory, &["c", "b"], std::slice::from_ref(&first));
        let before = (first, relays);
        let after = open(&second, Some(&before)).unwrap();
        assert!(Rc::ptr_eq(&after[1], &before.1[1]));
        assert!(!before.1.iter().any(|relay| Rc::ptr_eq(relay, &after[0])));
    }
}
