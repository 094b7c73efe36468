//! A daemon that has been started.

use std::fs;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::tail::Tail;
use crate::{
    Address, Answer, Connection, Log, PATIENCE, Process, Request, Result, Site, Under, under,
    wait_for,
};

/// A running daemon. It is killed with all its processes when dropped; a failed test shows its log.
#[derive(Debug)]
pub struct Fpm {
    child: Child,
    process: Process,
    log: Log,
    /// Follows the log where it is a file.
    _tail: Option<Tail>,
    site: Site,
    address: Address,
    other_pools: Vec<(String, Address)>,
}

impl Fpm {
    pub(crate) fn new(
        child: Child,
        process: Process,
        (log, tail): (Log, Option<Tail>),
        site: Site,
        address: Address,
        other_pools: Vec<(String, Address)>,
    ) -> Self {
        Self {
            child,
            process,
            log,
            _tail: tail,
            site,
            address,
            other_pools,
        }
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The daemon's directory.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The master process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where pool `www` listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A GET request for `uri`, to be changed and sent.
    #[must_use]
    pub fn request(&self, uri: &str) -> Request {
        Request::get(&self.site, uri)
    }

    /// Requests `uri` from pool `www`.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn get(&self, uri: &str) -> Result<Answer> {
        self.send(&self.request(uri))
            .with_context(|| format!("GET {uri}"))
    }

    /// Asks pool `www` for its status page, `/status`, with a query such as `?json`.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn status_page(&self, query: &str) -> Result<Answer> {
        self.status_page_at(&self.address, query)
    }

    /// As [`Fpm::status_page`], by way of another address (`pm.status_listen`).
    ///
    /// # Errors
    /// Fails when nobody listens or there is no complete answer.
    pub fn status_page_at(&self, address: &Address, query: &str) -> Result<Answer> {
        wait_for("a status page", || {
            let mut connection = Connection::open(address)?;
            connection.send(&self.request(&format!("/status{query}")))?;
            let answer = connection.answer()?;
            // The original has an internal error to show while another process writes to the same numbers.
            let is_shown = under()? == Under::Fpmd || answer.status != 500;
            Ok(is_shown.then_some(answer))
        })
    }

    /// Sends a request to pool `www` on a connection of its own.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        let mut connection = self.connect()?;
        connection.send(request)?;
        connection.answer()
    }

    /// Sends a request to another pool.
    ///
    /// # Errors
    /// Fails when there is no complete answer or no such pool.
    pub fn send_to(&self, pool: &str, request: &Request) -> Result<Answer> {
        let (_, address) = self
            .other_pools
            .iter()
            .find(|(name, _)| name == pool)
            .with_context(|| format!("no pool {pool}"))?;
        let mut connection = Connection::open(address)?;
        connection.send(request)?;
        connection.answer()
    }

    /// Connects to pool `www`.
    ///
    /// # Errors
    /// Fails when nobody listens.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address)
    }

    /// Connects to pool `www` and sends a request whose answer is read later.
    ///
    /// # Errors
    /// Fails when nobody listens.
    pub fn begin(&self, request: &Request) -> Result<Connection> {
        let mut connection = self.connect()?;
        connection.send(request)?;
        Ok(connection)
    }

    /// Asks pool `www` for a script such as [`Gate::SCRIPT`](crate::Gate::SCRIPT), and returns when that has said `begun`.
    ///
    /// # Errors
    /// Fails when it does not say so.
    pub fn running(&self, uri: &str) -> Result<Connection> {
        let mut running = self.begin(&self.request(uri))?;
        running.output_until("begun")?;
        Ok(running)
    }

    /// Makes sure that no worker has ended and that the script of [`Daemon::echo`](crate::Daemon::echo) is served.
    ///
    /// # Errors
    /// Fails when one of both is not so.
    pub fn serves_on(&self) -> Result {
        let answer = self.get("/t.php")?;
        ensure!(answer.text() == "served -", "{answer:?}");
        let ends = self.log.lines_with("exited");
        ensure!(ends.is_empty(), "{ends:?}");
        Ok(())
    }

    /// Replaces text in the configuration file, once.
    ///
    /// # Errors
    /// Fails when the text is not there.
    pub fn edit(&self, from: &str, to: &str) -> Result {
        let file = self.site.path("fpm.conf");
        let text = fs::read_to_string(&file)?;
        ensure!(text.contains(from), "{from:?} is not in {text}");
        Ok(fs::write(&file, text.replacen(from, to, 1))?)
    }

    /// Has the configuration read anew and waits until it is in force.
    ///
    /// # Errors
    /// Fails when that is not said in time.
    pub fn reload(&self) -> Result {
        let ready = "ready to handle connections";
        let before = self.log.lines_with(ready).len();
        self.signal(Signal::SIGUSR2)?;
        self.log.wait_for_nth(ready, before + 1)?;
        Ok(())
    }

    /// Has the configuration read anew and waits until fpmd says that this has failed.
    ///
    /// # Errors
    /// Fails when that is not said in time.
    pub fn reload_in_vain(&self) -> Result {
        let failed = "reload failed, generation ";
        let before = self.log.lines_with(failed).len();
        self.signal(Signal::SIGUSR2)?;
        self.log.wait_for_nth(failed, before + 1)?;
        Ok(())
    }

    /// Sends a signal to the master.
    ///
    /// # Errors
    /// Fails when it is gone.
    pub fn signal(&self, signal: Signal) -> Result {
        self.process.signal(signal)
    }

    /// Waits for the end of the master.
    ///
    /// # Errors
    /// Fails when it lives on.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait_for_end()?;
        Ok(self.child.wait()?)
    }

    /// The daemon's processes whose title starts with `title`.
    ///
    /// # Errors
    /// Fails when /proc cannot be read.
    pub fn processes(&self, title: &str) -> Result<Vec<Process>> {
        Process::titled(self.process.pid(), title)
    }

    /// Kills a worker of pool `www`; the master has to see to another one.
    ///
    /// # Errors
    /// Fails when there is none.
    pub fn kill_worker(&self) -> Result {
        let workers = self.processes("php-fpm: pool www")?;
        workers
            .first()
            .context("no worker")?
            .signal(Signal::SIGKILL)
    }

    /// Waits until there are `count` processes with such a title, which a process gets some time after its birth.
    ///
    /// # Errors
    /// Fails when there is another number of them after [`PATIENCE`].
    pub fn wait_for_processes(&self, title: &str, count: usize) -> Result<Vec<Process>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.processes(title)?;
            if found.len() == count {
                return Ok(found);
            }
            ensure!(
                Instant::now() < deadline,
                "{} processes {title}, not {count}",
                found.len()
            );
        }
    }
}

impl Drop for Fpm {
    fn drop(&mut self) {
        // The master leads its own session, so its process group is all that it started. Nothing is left to kill after a clean end.
        let _ = killpg(Pid::from_raw(self.process.pid()), Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Shown by the test runner only when the test fails.
        println!("--- the daemon's log:\n{}", self.log.text());
    }
}
