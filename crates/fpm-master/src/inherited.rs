//! Listening sockets that the daemon was started with: systemd's (`LISTEN_FDS`), or those of an outgoing php-fpm
//! (`FPM_SOCKETS`).
//!
//! Rule: a socket that has the name of a pool is that pool's, wherever it listens; any other is its whose `listen` it fits.
//! Nothing is changed about it: owner, mode and backlog are the business of whoever made it.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c (`fpm_sockets_init_main`), which believes every number it is told.

use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use bstr::BString;
use fpm_conf::Config;
use fpm_os::error::OsError;
use fpm_os::handover;
use fpm_os::listener::inherited::{BoundTo, take};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::store::{Store, is_stored};

mod variables;

use variables::{From, Oddity, Offer};

/// The sockets that nobody has claimed yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Socket>,
    oddities: Vec<String>,
    variables: Vec<String>,
}

/// One of them.
#[derive(Debug)]
struct Socket {
    socket: OwnedFd,
    number: RawFd,
    bound_to: BoundTo,
    /// The pool that it is for, if it has a pool's name.
    name: BString,
    origin: Origin,
}

/// A socket that a pool has claimed.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) socket: OwnedFd,
    /// Where it listens.
    pub(crate) bound_to: BoundTo,
    pub(crate) from: Origin,
}

/// Who had a socket before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A socket unit, which keeps it, and its file too.
    SocketUnit,
    /// A daemon that has run before, which left it to the service manager to be kept.
    Store,
    /// A master that has left it to us.
    Predecessor,
}

impl Inherited {
    /// Takes the sockets that the environment names. To be called before this process forks, since `LISTEN_PID` is about
    /// this process, and before it starts any other.
    pub fn take(variable: impl Fn(&str) -> Option<OsString>) -> Inherited {
        let said = variables::read(Pid::this(), variable);
        let mut inherited = Inherited {
            oddities: said.oddities.iter().map(Oddity::to_string).collect(),
            variables: said.variables,
            ..Inherited::default()
        };
        for offer in said.offers {
            if inherited.take_one(offer).is_break() {
                break;
            }
        }
        inherited
    }

    /// Takes all listening sockets that this process was executed with.
    pub(crate) fn find() -> Inherited {
        let mut inherited = Inherited::default();
        for number in handover::untaken().unwrap_or_default() {
            if let Ok(taken) = take(number) {
                inherited.sockets.push(Socket {
                    socket: taken.socket,
                    number,
                    bound_to: taken.bound_to,
                    name: BString::default(),
                    origin: Origin::Predecessor,
                });
            }
        }
        inherited
    }

    /// Returns the names of the variables that were read. Scripts and their programs must not see them.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Says which sockets there are, and what was wrong. Names that are no pool's are forgotten.
    pub(crate) fn announce(&mut self, config: &Config) {
        for oddity in self.oddities.drain(..) {
            tracing::warn!("{oddity}");
        }
        for socket in &mut self.sockets {
            tracing::info!(
                "using inherited socket fd={}, \"{}\"",
                socket.number,
                socket.bound_to
            );
            if !config.pools.iter().any(|pool| pool.name == socket.name) {
                socket.name.clear();
            }
        }
    }

    /// Gives a pool a socket that has its name, if possible at one of the places that are `wanted`, or else a nameless
    /// one at one of these places.
    pub(crate) fn claim(&mut self, pool: &BString, wanted: &[BoundTo]) -> Option<Claimed> {
        let named = |socket: &Socket| socket.name == *pool;
        let nameless = |socket: &Socket| socket.name.is_empty();
        let position = |chosen: &dyn Fn(&Socket) -> bool| self.sockets.iter().position(chosen);
        let at_wanted = |chosen: &dyn Fn(&Socket) -> bool| {
            wanted
                .iter()
                .find_map(|place| position(&|s| chosen(s) && is_same(place, &s.bound_to)))
        };
        let found = at_wanted(&named)
            .or_else(|| position(&named))
            .or_else(|| at_wanted(&nameless))?;
        let socket = self.sockets.remove(found);
        Some(Claimed {
            socket: socket.socket,
            bound_to: socket.bound_to,
            from: socket.origin,
        })
    }

    /// Closes what no pool has claimed, so that clients are refused at once instead of waiting for nobody. Only a socket
    /// unit keeps its own.
    pub(crate) fn close_unclaimed(&mut self, store: Option<&Store>) {
        for socket in self.sockets.drain(..) {
            tracing::warn!(
                "closing inherited socket fd={}, \"{}\": no pool listens there",
                socket.number,
                socket.bound_to
            );
            if socket.origin == Origin::SocketUnit {
                continue;
            }
            if let BoundTo::File(path) = &socket.bound_to {
                // As the original; a file that is gone already is what was wanted.
                let _ = fs::remove_file(path);
            }
            if let (Origin::Store, Some(store)) = (socket.origin, store) {
                store.remove(&socket.bound_to);
            }
        }
    }

    /// Takes a socket; breaks off when there can be no more in the list.
    fn take_one(&mut self, offer: Offer) -> ControlFlow<()> {
        let number = offer.number;
        let taken = match take(number) {
            Ok(taken) => taken,
            Err(error) => {
                self.oddities
                    .push(format!("inherited descriptor fd={number}: {error}"));
                let managed = matches!(offer.from, From::ServiceManager { .. });
                return match error {
                    // A service manager leaves no gaps.
                    OsError::Call {
                        errno: Errno::EBADF,
                        ..
                    } if managed => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                };
            }
        };
        let (name, origin) = match offer.from {
            From::ServiceManager { name } if is_stored(name.as_ref()) => (name, Origin::Store),
            From::ServiceManager { name } => (name, Origin::SocketUnit),
            From::Predecessor { address } => {
                if address != taken.bound_to.to_string() {
                    self.oddities.push(format!(
                        "inherited socket fd={number} is said to listen at \"{address}\" and listens at \"{}\"",
                        taken.bound_to
                    ));
                }
                (BString::default(), Origin::Predecessor)
            }
        };
        self.sockets.push(Socket {
            socket: taken.socket,
            number,
            bound_to: taken.bound_to,
            name,
            origin,
        });
        ControlFlow::Continue(())
    }
}

/// Tells whether a socket listens where it is wanted.
fn is_same(wanted: &BoundTo, bound_to: &BoundTo) -> bool {
    match (wanted, bound_to) {
        (BoundTo::File(wanted), BoundTo::File(path)) => {
            // /var/run and /run are the same on most systems.
            let whole = |path: &PathBuf| fs::canonicalize(path).ok();
            wanted == path || whole(wanted).is_some_and(|file| whole(path) == Some(file))
        }
        (BoundTo::Inet(wanted), BoundTo::Inet(address)) => {
            (wanted.ip(), wanted.port()) == (address.ip(), address.port())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
