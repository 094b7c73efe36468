//! A daemon that was started for a case.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::load::{Address, ask};
use super::procfs::{self, Tree};
use super::side::{Both, Family, Program, Side};
use super::site::{Pools, Site};
use crate::daemon::Daemon;

/// A running daemon.
pub(super) struct Fpm {
    daemon: Daemon,
    side: Side,
    family: Family,
    started: Instant,
    /// Where its pools listen, in order; at least one.
    addresses: Vec<Address>,
}

/// How long a daemon may take to answer for the first time.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How often a daemon that starts is asked: starting takes some milliseconds.
const INTERVAL: Duration = Duration::from_micros(500);

/// What both log when a start or a reload is done.
const READY: &str = "ready to handle connections";

impl Fpm {
    /// Starts one of both programs. It need not be ready yet.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(
        programs: &Both<Program>,
        side: Side,
        site: &Site,
        pools: &Pools,
    ) -> anyhow::Result<Fpm> {
        let addresses = site.configure(side, pools)?;
        let arguments = [
            "-F".to_owned(),
            "-c".to_owned(),
            site.php_ini().display().to_string(),
            "-y".to_owned(),
            site.configuration(side).display().to_string(),
        ];
        let started = Instant::now();
        let program = programs.of(side);
        let daemon = Daemon::start(side.name(), &program.path, &arguments, site.root())?;
        Ok(Fpm {
            daemon,
            side,
            family: program.family,
            started,
            addresses,
        })
    }

    /// The first pool's address.
    pub(super) fn address(&self) -> &Address {
        &self.addresses[0]
    }

    /// The address of every pool.
    pub(super) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Its processes now.
    ///
    /// # Errors
    /// When there is no /proc.
    pub(super) fn tree(&self) -> anyhow::Result<Tree> {
        Tree::of(self.daemon.pid().as_raw())
    }

    /// Asks until there is an answer; returns its body and how long that took from the program's start.
    ///
    /// # Errors
    /// When the daemon ends or takes too long.
    pub(super) fn first_answer(
        &mut self,
        address: usize,
        request: &[u8],
    ) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.wait_for(|fpm| ask(&fpm.addresses[address], request).ok())
    }

    /// Waits until it has so many workers; returns how long that took from the program's start.
    ///
    /// # Errors
    /// When the daemon ends or takes too long.
    pub(super) fn all_workers(&mut self, count: usize) -> anyhow::Result<Duration> {
        let forked = |fpm: &Fpm| -> Option<usize> {
            let children = procfs::children(fpm.daemon.pid().as_raw()).ok()?;
            match fpm.family {
                Family::Master => Some(children.len()),
                // One of them is the zygote; others have no children.
                Family::Zygote => Some(
                    children
                        .iter()
                        .filter_map(|child| procfs::children(*child).ok())
                        .map(|workers| workers.len())
                        .sum(),
                ),
            }
        };
        let (_, time) = self.wait_for(|fpm| (forked(fpm)? == count).then_some(()))?;
        // By their titles they can be told from now on.
        self.wait_for(|fpm| (fpm.tree().ok()?.workers.len() == count).then_some(()))?;
        Ok(time)
    }

    /// Lets it reload and waits until it says that it is ready again; returns how long that took.
    ///
    /// # Errors
    /// When the daemon ends or takes too long.
    pub(super) fn reload(&mut self, site: &Site) -> anyhow::Result<Duration> {
        let log = site.log(self.side);
        let times_ready = |_: &Fpm| Some(fs::read_to_string(&log).ok()?.matches(READY).count());
        let (before, _) = self.wait_for(|fpm| times_ready(fpm).filter(|times| *times > 0))?;
        let asked = Instant::now();
        self.signal(nix::sys::signal::Signal::SIGUSR2)?;
        self.wait_for(|fpm| times_ready(fpm).filter(|times| *times > before))?;
        Ok(asked.elapsed())
    }

    /// Sends a signal to the master.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn signal(&self, signal: nix::sys::signal::Signal) -> anyhow::Result<()> {
        Ok(nix::sys::signal::kill(self.daemon.pid(), signal)?)
    }

    /// Asks it to end and waits.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.daemon
            .stop()
            .with_context(|| format!("{} does not stop", self.side))
    }

    fn wait_for<T>(&mut self, seen: impl Fn(&Fpm) -> Option<T>) -> anyhow::Result<(T, Duration)> {
        loop {
            if let Some(value) = seen(self) {
                return Ok((value, self.started.elapsed()));
            }
            self.daemon.ensure_running()?;
            if self.started.elapsed() > START_DEADLINE {
                bail!(self.daemon.complaint("does not get ready"));
            }
            thread::sleep(INTERVAL);
        }
    }
}
