//! Describes a daemon to be started: configuration, php.ini, command line, files.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;

use anyhow::{Context, bail};
use nix::unistd::Uid;

use crate::log::Log;
use crate::process::Process;
use crate::tail::Tail;
use crate::{Address, Fpm, Result, Site, Subject, Syslog};

/// A daemon to be. Without further words it has one pool `www` with one worker on a unix socket, and no php.ini.
///
/// `{dir}` in configuration, ini values, arguments and environment stands for the daemon's temporary directory
/// (see [`Site`]).
#[derive(Clone, Debug)]
pub struct Daemon {
    subject: Option<Subject>,
    root: Option<PathBuf>,
    files: Vec<(String, Vec<u8>)>,
    global: String,
    pool: String,
    other_pools: Vec<(String, String)>,
    listen: Listen,
    php_ini: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    descriptors: Vec<Arc<OwnedFd>>,
    logging: Logging,
    folders: Vec<String>,
}

/// How a daemon that would not start ended.
#[derive(Debug)]
pub struct Refusal {
    /// The exit code; `None` if it died of a signal.
    pub code: Option<i32>,
    /// What it said.
    pub output: String,
}

/// Where the daemon's log goes, and [`Fpm::log`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Logging {
    /// To standard error (`-O`).
    Stderr,
    /// To this file, which is followed.
    File(String),
    /// Where the test looks itself.
    Elsewhere,
}

#[derive(Clone, Copy, Debug)]
enum Listen {
    Unix,
    Tcp,
}

impl Default for Daemon {
    fn default() -> Self {
        Self::new()
    }
}

impl Daemon {
    /// The daemon under test.
    #[must_use]
    pub fn new() -> Self {
        Self {
            subject: None,
            root: None,
            files: Vec::new(),
            global: String::new(),
            pool: String::new(),
            other_pools: Vec::new(),
            listen: Listen::Unix,
            php_ini: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            descriptors: Vec::new(),
            logging: Logging::Stderr,
            folders: Vec::new(),
        }
    }

    /// The daemon under test with the script `/t.php`, which says `served`, the parameter `X` (or `-`), and the body.
    #[must_use]
    pub fn echo() -> Self {
        Self::new().file(
            "t.php",
            "<?php echo 'served ', $_SERVER['X'] ?? '-', file_get_contents('php://input');",
        )
    }

    /// Another program than the one under test.
    #[must_use]
    pub fn subject(mut self, subject: &Subject) -> Self {
        self.subject = Some(subject.clone());
        self
    }

    /// Puts a file below the document root.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files
            .push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Serves an application that is already on disk.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Adds lines to the `[global]` section.
    #[must_use]
    pub fn global(mut self, lines: &str) -> Self {
        self.global += lines;
        self.global += "\n";
        self
    }

    /// Adds lines to pool `www`; a later value replaces an earlier one.
    #[must_use]
    pub fn pool(mut self, lines: &str) -> Self {
        self.pool += lines;
        self.pool += "\n";
        self
    }

    /// Runs so many workers in pool `www`.
    #[must_use]
    pub fn workers(self, count: u32) -> Self {
        self.pool(&format!("pm.max_children = {count}"))
    }

    /// Adds a pool with a unix socket of its own.
    #[must_use]
    pub fn other_pool(mut self, name: &str, lines: &str) -> Self {
        self.other_pools.push((name.to_owned(), lines.to_owned()));
        self
    }

    /// Lets pool `www` listen on a TCP port of the loopback interface.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.listen = Listen::Tcp;
        self
    }

    /// Sets a php.ini value on the command line (`-d`).
    #[must_use]
    pub fn ini(self, define: &str) -> Self {
        self.argument("-d").argument(define)
    }

    /// Reads this php.ini (`-c`) where otherwise none is read (`-n`).
    #[must_use]
    pub fn php_ini(mut self, text: &str) -> Self {
        let lines = self.php_ini.get_or_insert_default();
        *lines += text;
        *lines += "\n";
        self
    }

    /// Adds an argument to the command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable in the daemon's environment, which otherwise holds only `PATH`.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the daemon with this descriptor: the first one is its 3, the second its 4, and so on.
    ///
    /// With `LISTEN_FDS` in the environment `LISTEN_PID` is the daemon's, unless it is given too.
    #[must_use]
    pub fn descriptor(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.descriptors.push(Arc::new(descriptor.into()));
        self
    }

    /// Has the daemon write its log to `{dir}/fpm.log`, as without a terminal, instead of standard error.
    #[must_use]
    pub fn logging_to_file(mut self) -> Self {
        self.logging = Logging::File("{dir}/fpm.log".to_owned());
        self
    }

    /// Has the daemon write its log to another file.
    #[must_use]
    pub fn logging_to(mut self, path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        self = self.global(&format!("error_log = {path}"));
        self.logging = Logging::File(path);
        self
    }

    /// Has the daemon write its log to a pipe, which the test reads.
    #[must_use]
    pub fn logging_to_pipe(mut self, path: &Path) -> Self {
        self.logging = Logging::Elsewhere;
        self.global(&format!("error_log = {}", path.display()))
    }

    /// Has the daemon write its log to this syslog.
    ///
    /// # Errors
    /// As [`Syslog::subject`].
    pub fn logging_to_syslog(mut self, syslog: &Syslog) -> Result<Self> {
        self.logging = Logging::Elsewhere;
        Ok(self
            .global("error_log = syslog")
            .subject(&syslog.subject()?))
    }

    /// Makes a folder below `{dir}`.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.folders.push(path.to_owned());
        self
    }

    /// Starts the daemon and waits until it is ready.
    ///
    /// # Errors
    /// Fails, with all that the daemon said, when it does not become ready.
    pub fn start(&self) -> Result<Fpm> {
        let fpm = self.launch()?;
        fpm.log()
            .wait_for("ready to handle connections")
            .context("the daemon does not start")?;
        Ok(fpm)
    }

    /// Starts the daemon and leaves it to the test to find out when it is ready.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub fn start_unheard(&self) -> Result<Fpm> {
        self.launch()
    }

    /// Starts the daemon and expects it to give up.
    ///
    /// # Errors
    /// Fails when it runs on.
    pub fn start_in_vain(&self) -> Result<Refusal> {
        let mut fpm = self.launch()?;
        if !fpm.process().ends_within(crate::PATIENCE)? {
            bail!("the daemon runs:\n{}", fpm.log().text());
        }
        let code = fpm.wait()?.code();
        let output = fpm.log().wait_for_end()?.join("\n");
        Ok(Refusal { code, output })
    }

    fn launch(&self) -> Result<Fpm> {
        let subject = match &self.subject {
            Some(subject) => subject,
            None => Subject::from_environment()?,
        };
        let mut site = Site::new()?;
        for (path, content) in &self.files {
            site.write(path, content)?;
        }
        if let Some(root) = &self.root {
            site.set_root(root);
        }
        let address = match self.listen {
            Listen::Unix => Address::Unix(site.path("www.sock")),
            Listen::Tcp => Address::Tcp(TcpListener::bind("127.0.0.1:0")?.local_addr()?),
        };
        fs::write(
            site.path("fpm.conf"),
            in_site(&self.configuration(&address), &site),
        )?;
        for folder in &self.folders {
            fs::create_dir_all(site.path(folder))?;
        }
        let (child, said) = self.spawn(subject, &site)?;
        let (tail, log) = match &self.logging {
            Logging::Stderr | Logging::Elsewhere => (None, said),
            Logging::File(path) => {
                let (tail, log) = Tail::of(Path::new(&in_site(path, &site)))?;
                (Some(tail), log)
            }
        };
        let process = Process::of(child.id().try_into()?)?;
        let other_pools = self
            .other_pools
            .iter()
            .map(|(name, _)| {
                (
                    name.clone(),
                    Address::Unix(site.path(&format!("{name}.sock"))),
                )
            })
            .collect();
        Ok(Fpm::new(
            child,
            process,
            (log, tail),
            site,
            address,
            other_pools,
        ))
    }

    fn configuration(&self, address: &Address) -> String {
        // Only root may choose; anybody else runs the pools as himself.
        let user = if Uid::effective().is_root() {
            "user = www-data\ngroup = www-data\n"
        } else {
            ""
        };
        let mut text = format!("[global]\nerror_log = {{dir}}/fpm.log\n{}", self.global);
        let socket = format!("listen = {address}\n{}", self.pool);
        let pools =
            std::iter::once(("www", socket)).chain(self.other_pools.iter().map(|(name, lines)| {
                (
                    name.as_str(),
                    format!("listen = {{dir}}/{name}.sock\n{lines}\n"),
                )
            }));
        for (name, lines) in pools {
            text += &format!("[{name}]\n{user}pm = static\npm.max_children = 1\n{lines}");
        }
        text
    }

    fn spawn(&self, subject: &Subject, site: &Site) -> Result<(Child, Log)> {
        let mut command = Command::new(subject.program());
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.envs(
            self.environment
                .iter()
                .map(|(name, value)| (name, in_site(value, site))),
        );
        match &self.php_ini {
            Some(text) => {
                let file = site.path("php.ini");
                fs::write(&file, in_site(text, site))?;
                command.arg("-c").arg(file);
            }
            None => {
                command.arg("-n");
            }
        }
        command.arg("-y").arg(site.path("fpm.conf")).arg("-F");
        if self.logging == Logging::Stderr {
            command.arg("-O");
        }
        command.args(
            self.arguments
                .iter()
                .map(|argument| in_site(argument, site)),
        );
        Log::of(command, &self.descriptors)
    }
}

fn in_site(text: &str, site: &Site) -> String {
    text.replace("{dir}", &site.folder().to_string_lossy())
}
