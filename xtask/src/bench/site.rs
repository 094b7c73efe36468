//! The folder of one case: scripts, php.ini, and for each daemon its configuration and sockets.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::load::Address;
use super::pages;
use super::side::Side;

/// A folder with everything that both daemons read and write; removed at the end.
pub(super) struct Site {
    directory: TempDir,
}

/// The pools of a daemon: all alike, each with a socket of its own.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pub(super) count: u32,
    pub(super) listen: Listen,
    /// Directives of every pool. `{name}` is the daemon's.
    pub(super) lines: String,
    /// Directives of the daemon. `{root}` is the site's folder.
    pub(super) global: String,
    pub(super) precedence: Precedence,
}

/// Everything that fpmd has beyond the original and that can be switched on: of the daemon, and of a pool.
const FEATURES: (&str, &str) = (
    "control.listen = {root}/control
operator.listen = {root}/operator
",
    "pm.max_memory = 512M
pm.crash_budget = 5/1m
pm.max_requests = 100000000
pm.max_requests_jitter = 1000
request_stack = yes
request_soft_timeout = 20s
request_queue_timeout = 30
",
);

/// Who has a processor when the daemon and the load want one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precedence {
    /// The load, whose one thread has to hold its own against all workers: with a fair share of the processors it would be what is
    /// measured.
    Load,
    /// Neither. A load that goes first wakes worker after worker before one of them has come to answer.
    Nobody,
}

/// What kind of socket a pool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    Unix,
    Tcp,
}

/// php.ini of both: opcache at work, nothing that differs from request to request.
const PHP_INI: &str = "\
zend_extension = {root}/opcache.so
opcache.enable = 1
opcache.memory_consumption = 64
; Scripts are measured as soon as they are written.
opcache.file_update_protection = 0
expose_php = Off
display_errors = Off
log_errors = On
upload_max_filesize = 16M
post_max_size = 16M
";

/// A folder in memory. Uploads are stored there if it can be had: a disk is slower than either daemon, and the same for both.
const IN_MEMORY: &str = "/dev/shm";

impl Pools {
    /// One pool with so many workers.
    pub(super) fn fixed(workers: u32) -> Pools {
        Pools {
            count: 1,
            listen: Listen::Unix,
            lines: format!("pm = static\npm.max_children = {workers}\n"),
            global: String::new(),
            precedence: Precedence::Load,
        }
    }

    /// The same with everything on that the original does not have.
    pub(super) fn with_features(mut self) -> Pools {
        self.global += FEATURES.0;
        self.lines += FEATURES.1;
        self
    }

    /// The same beside a load that has to share the processors with them.
    pub(super) fn beside_the_load(mut self) -> Pools {
        self.precedence = Precedence::Nobody;
        self
    }

    /// So many pools whose workers come when they are needed.
    pub(super) fn on_demand(count: u32) -> Pools {
        Pools {
            count,
            listen: Listen::Unix,
            lines: "pm = ondemand\npm.max_children = 2\npm.process_idle_timeout = 600s\n"
                .to_owned(),
            global: String::new(),
            precedence: Precedence::Load,
        }
    }
}

impl Site {
    /// Writes the scripts and php.ini, and takes a copy of opcache: the build may be where only its owner can read.
    ///
    /// # Errors
    /// When the folder for temporary files is not writable.
    pub(super) fn create(opcache: &Path) -> anyhow::Result<Site> {
        let directory = tempfile::Builder::new().prefix("fpmd-bench-").tempdir()?;
        let site = Site { directory };
        // The workers run as another user and read the scripts here.
        fs::set_permissions(site.root(), Permissions::from_mode(0o755))?;
        for folder in ["www", "log"] {
            fs::create_dir(site.root().join(folder))?;
        }
        fs::copy(opcache, site.root().join("opcache.so"))
            .with_context(|| format!("cannot copy {}", opcache.display()))?;
        let mut php_ini = PHP_INI.replace("{root}", &site.root().display().to_string());
        if Path::new(IN_MEMORY).is_dir() {
            php_ini += &format!("upload_tmp_dir = {IN_MEMORY}\n");
        }
        fs::write(site.php_ini(), php_ini)?;
        for (name, script) in pages::SCRIPTS {
            fs::write(site.script(name), script)?;
        }
        Ok(site)
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.root().join("www").join(name)
    }

    pub(super) fn php_ini(&self) -> PathBuf {
        self.root().join("php.ini")
    }

    pub(super) fn configuration(&self, side: Side) -> PathBuf {
        self.root().join(format!("{side}.conf"))
    }

    /// A daemon's error log.
    pub(super) fn log(&self, side: Side) -> PathBuf {
        self.root().join(format!("log/{side}.log"))
    }

    /// Writes a daemon's configuration and returns where its pools will listen.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) fn configure(&self, side: Side, pools: &Pools) -> anyhow::Result<Vec<Address>> {
        let priority = match pools.precedence {
            Precedence::Load => 10,
            Precedence::Nobody => 0,
        };
        let mut text = format!(
            "[global]\nprocess.priority = {priority}\nerror_log = {}\n",
            self.log(side).display()
        );
        text += &pools
            .global
            .replace("{root}", &self.root().display().to_string());
        let mut addresses = Vec::new();
        for number in 0..pools.count {
            let address = match pools.listen {
                Listen::Unix => Address::Unix(self.root().join(format!("{side}{number}.sock"))),
                Listen::Tcp => free_port()?,
            };
            text.push_str(&format!(
                "[pool{number}]\nlisten = {address}\n{}",
                for_user()
            ));
            text.push_str(&pools.lines.replace("{name}", side.name()));
            addresses.push(address);
        }
        fs::write(self.configuration(side), text)?;
        Ok(addresses)
    }
}

/// Only root may choose a user; anybody else runs the pools as himself.
fn for_user() -> &'static str {
    match nix::unistd::geteuid().is_root() {
        true => "user = www-data\ngroup = www-data\nlisten.mode = 0666\npm.status_path = /status\n",
        false => "pm.status_path = /status\n",
    }
}

/// A port of this machine that nobody uses now.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> anyhow::Result<Address> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    match listener.local_addr()? {
        SocketAddr::V4(address) => Ok(Address::Tcp(address)),
        SocketAddr::V6(address) => bail!("asked for an address of IPv4, got {address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_daemon_has_sockets_of_its_own() {
        let site = Site::create(&std::env::current_exe().unwrap()).unwrap();
        let pools = Pools {
            lines: "access.log = {name}.access\n".to_owned(),
            ..Pools::on_demand(2)
        };
        let ours = site.configure(Side::Ours, &pools).unwrap();
        let theirs = site.configure(Side::Theirs, &pools).unwrap();
        assert_eq!(ours.len(), 2);
        assert!(ours.iter().all(|address| !theirs.contains(address)));
        let text = fs::read_to_string(site.configuration(Side::Theirs)).unwrap();
        assert_eq!(text.matches("access.log = php-fpm.access\n").count(), 2);
        assert!(text.contains("\nprocess.priority = 10\n"), "{text}");
        assert!(text.contains("[pool1]\n"), "{text}");
        assert!(site.script("hello.php").is_file());
    }
}
