//! Whether the queues of unix sockets can be counted here.
//!
//! The kernel is asked through a netlink socket, which a sandbox may forbid. Nothing depends on it but numbers on status
//! pages, which would be 0 without a word.

use fpm_os::error::described;
use fpm_os::listener::queue;
use nix::errno::Errno;

use super::Listeners;

impl Listeners {
    /// Says so when status pages cannot tell how many requests wait at unix sockets.
    pub(crate) fn announce_uncounted(&self) {
        if let Some(errno) = self.uncounted() {
            tracing::info!(
                "the queues of unix sockets cannot be counted, status pages show them empty: {}",
                described(errno)
            );
        }
    }

    /// Asks for one unix socket; what is so for one is so for all.
    fn uncounted(&self) -> Option<Errno> {
        let mut listeners = self.listeners.iter();
        let unix = listeners.find(|listener| listener.file.is_some())?;
        let error = queue::of(&unix.socket).err()?;
        Some(Errno::from_raw(error.raw_os_error().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::net::UnixDatagram;
    use std::rc::Rc;

    use fpm_conf::{Config, Pool};
    use fpm_os::listener::inherited::BoundTo;

    use super::super::{Keeper, Listener};
    use super::*;

    #[test]
    fn queues_that_can_be_counted_are_not_mentioned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let config = Config {
            pools: vec![Pool::new("www", path.to_str().unwrap())],
            ..Config::default()
        };
        let listeners = Listeners::open(&config, &[]).unwrap();
        assert_eq!(listeners.uncounted(), None);
        assert_eq!(Listeners::default().uncounted(), None);
    }

    #[test]
    fn reason_is_told_where_the_kernel_counts_nothing() {
        // Whoever does not listen has no queue; a test cannot forbid itself netlink for a while.
        let listener = Listener {
            socket: UnixDatagram::unbound().unwrap().into(),
            address: BoundTo::File("/run/www.sock".into()),
            file: Some("/run/www.sock".into()),
            keeper: RefCell::new(Keeper::Nobody),
        };
        let listeners = Listeners {
            listeners: vec![Rc::new(listener)],
        };
        assert_eq!(listeners.uncounted(), Some(Errno::EINVAL));
    }
}
