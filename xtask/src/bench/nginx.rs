//! nginx in front of a daemon.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::bail;

use super::load::Address;
use super::side::Side;
use super::site::{Site, free_port};
use super::work::Bench;
use crate::daemon::Daemon;

/// A running nginx.
pub(super) struct Nginx {
    daemon: Daemon,
    address: Address,
}

const START_DEADLINE: Duration = Duration::from_secs(20);

impl Nginx {
    /// Starts nginx for a pool and waits until it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(
        bench: &Bench,
        site: &Site,
        side: Side,
        pool: &Address,
    ) -> anyhow::Result<Nginx> {
        let address = free_port()?;
        let Address::Tcp(port) = address else {
            bail!("{address} is no port");
        };
        let file = site.root().join(format!("nginx-{side}.conf"));
        fs::write(&file, configuration(bench, site, side, pool, &address))?;
        let arguments = [
            "-p".to_owned(),
            site.root().display().to_string(),
            "-c".to_owned(),
            file.display().to_string(),
        ];
        let name = match side {
            Side::Ours => "nginx-fpmd",
            Side::Theirs => "nginx-php-fpm",
        };
        let mut daemon = Daemon::start(name, &bench.nginx, &arguments, site.root())?;
        daemon.wait_until(START_DEADLINE, || TcpStream::connect(port).is_ok())?;
        Ok(Nginx { daemon, address })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.daemon.stop()
    }
}

fn configuration(
    bench: &Bench,
    site: &Site,
    side: Side,
    pool: &Address,
    address: &Address,
) -> String {
    let root = site.root().display();
    let user = match nix::unistd::geteuid().is_root() {
        true => "user www-data;",
        false => "",
    };
    format!(
        "daemon off;
        {user}
        worker_processes 1;
        pid {root}/nginx-{side}.pid;
        error_log {root}/log/nginx-{side}.log;
        events {{ worker_connections 1024; }}
        http {{
            access_log off;
            # Clients keep their connections for as long as a run takes.
            keepalive_requests 100000000;
            client_body_temp_path {root}/nginx-{side}-body;
            fastcgi_temp_path {root}/nginx-{side}-fastcgi;
            proxy_temp_path {root}/nginx-{side}-proxy;
            scgi_temp_path {root}/nginx-{side}-scgi;
            uwsgi_temp_path {root}/nginx-{side}-uwsgi;
            server {{
                listen {address};
                root {root}/www;
                location ~ \\.php$ {{
                    include {}/fastcgi.conf;
                    fastcgi_pass unix:{pool};
                }}
            }}
        }}
        ",
        bench.examples.display()
    )
}
