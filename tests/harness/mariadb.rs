//! A MariaDB server of the test's own, reachable only through a unix socket.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::{Log, Process, Result, Site, tool};

/// A running database server; it stops when dropped.
#[derive(Debug)]
pub struct MariaDb {
    child: Child,
    process: Process,
    log: Log,
    site: Site,
    ending: Ending,
}

/// What becomes of the log at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is printed, for the report of a test that fails.
    Told,
    Silent,
}

/// The user that all databases belong to, and its password.
const LOGIN: (&str, &str) = ("tester", "secret");

impl MariaDb {
    /// Creates an empty server with these databases and waits until it can be used.
    ///
    /// # Errors
    /// Fails, with all that the server said, when it does not start.
    pub fn start(databases: &[&str]) -> Result<Self> {
        let server = tool::find("mariadbd", "mariadb-server-core")?;
        let install = tool::find("mariadb-install-db", "mariadb-server-core")?;
        tool::find("my_print_defaults", "mariadb-client-core")?;
        let site = Site::new()?;
        // The server refuses to run as root unless root says that this is meant.
        let user = if Uid::effective().is_root() {
            &["--user=root"][..]
        } else {
            &[]
        };

        let installed = Command::new(install)
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .arg(format!("--datadir={}", site.path("data").display()))
            .args(user)
            .output()?;
        ensure!(
            installed.status.success(),
            "mariadb-install-db: {}",
            String::from_utf8_lossy(&installed.stderr)
        );

        let (name, password) = LOGIN;
        let mut init = format!("CREATE USER '{name}'@'localhost' IDENTIFIED BY '{password}';\n");
        for database in databases {
            init += &format!(
                "CREATE DATABASE {database};\nGRANT ALL ON {database}.* TO '{name}'@'localhost';\n"
            );
        }
        fs::write(site.path("init.sql"), init)?;

        let mut command = Command::new(server);
        command.args([
            "--no-defaults",
            "--skip-networking",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
        ]);
        command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]);
        command.arg(format!("--datadir={}", site.path("data").display()));
        command.arg(format!("--socket={}", site.path("db.sock").display()));
        command.arg(format!("--pid-file={}", site.path("db.pid").display()));
        command.arg(format!("--init-file={}", site.path("init.sql").display()));
        command.args(user);
        let (child, log) = Log::of(command, &[])?;
        let process = Process::of(child.id().try_into()?)?;
        let started = Self {
            child,
            process,
            log,
            site,
            ending: Ending::Told,
        };
        started
            .log
            .wait_for("ready for connections")
            .context("mariadbd does not start")?;
        Ok(started)
    }

    /// Keeps the server's log to itself at the end.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.ending = Ending::Silent;
        self
    }

    /// The socket that clients connect to.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.site.path("db.sock")
    }

    /// User and password.
    #[must_use]
    pub fn login(&self) -> (&'static str, &'static str) {
        LOGIN
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Its data is thrown away, so it need not be asked politely.
        let _ = kill(Pid::from_raw(self.process.pid()), Signal::SIGKILL);
        let _ = self.child.wait();
        if self.ending == Ending::Told {
            println!("--- mariadbd's log:\n{}", self.log.text());
        }
    }
}
