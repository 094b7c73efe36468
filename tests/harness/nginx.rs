//! A real nginx in front of the daemon, on a loopback port, with everything it writes in a directory of its own.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::{Address, Browser, Fpm, Log, Process, Result, Site, tool};

/// A running nginx; it stops when dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    process: Process,
    log: Log,
    port: u16,
    /// Keeps the directory for as long as nginx runs.
    _site: Site,
}

impl Nginx {
    /// Starts nginx for the document root of `fpm`; `server` are lines of its `server` block.
    ///
    /// In these lines `{pass}` hands a request to pool `www` with Debian's own `fastcgi.conf`.
    ///
    /// # Errors
    /// Fails, with all that nginx said, when it does not start.
    pub fn start(fpm: &Fpm, server: &str) -> Result<Self> {
        let nginx = tool::find("nginx", "nginx")?;
        let site = Site::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = site.path("nginx.conf");
        fs::write(&file, configuration(fpm, &site, port, server))?;
        let mut command = Command::new(&nginx);
        command
            .arg("-e")
            .arg("stderr")
            .arg("-p")
            .arg(site.folder())
            .arg("-c")
            .arg(&file);
        let (child, log) = Log::of(command, &[])?;
        let process = Process::of(child.id().try_into()?)?;
        let started = Self {
            child,
            process,
            log,
            port,
            _site: site,
        };
        started
            .log
            .wait_for("start worker process ")
            .context("nginx does not start")?;
        Ok(started)
    }

    /// A browser on the site.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::new(&format!("http://{}", self.host()))
    }

    /// Host and port, as browsers name them.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What nginx said so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM reaches the workers through their master.
        let _ = kill(Pid::from_raw(self.process.pid()), Signal::SIGTERM);
        if !self.process.ends_within(crate::PATIENCE).unwrap_or(false) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        println!("--- nginx's log:\n{}", self.log.text());
    }
}

fn configuration(fpm: &Fpm, site: &Site, port: u16, server: &str) -> String {
    let user = if Uid::effective().is_root() {
        "user www-data;"
    } else {
        ""
    };
    let backend = match fpm.address() {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Tcp(address) => address.to_string(),
    };
    let (folder, root) = (site.folder().display(), fpm.site().root().display());
    let server = server.replace(
        "{pass}",
        "include /etc/nginx/fastcgi.conf; fastcgi_pass fpm;",
    );
    format!(
        "daemon off;
         {user}
         worker_processes 1;
         pid {folder}/nginx.pid;
         error_log stderr notice;
         events {{ worker_connections 512; }}
         http {{
             include /etc/nginx/mime.types;
             access_log off;
             client_max_body_size 64m;
             client_body_temp_path {folder}/var/body;
             fastcgi_temp_path {folder}/var/fastcgi;
             proxy_temp_path {folder}/var/proxy;
             scgi_temp_path {folder}/var/scgi;
             uwsgi_temp_path {folder}/var/uwsgi;
             upstream fpm {{ server {backend}; keepalive 4; }}
             server {{
                 listen 127.0.0.1:{port};
                 server_name localhost;
                 root {root};
                 index index.php;
                 {server}
             }}
         }}"
    )
}
