//! `cargo xtask debian`: Debian's own configuration of php-fpm, as its packages install it, served by fpmd with
//! Debian's libphp, and then by Debian's php-fpm. Scripts have to see the same.
//!
//! A changer must know: this uses the machine's own /etc/php and /run/php, as an administrator would who replaces
//! the one program by the other. Nothing is written there but what the configuration names.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use xshell::{Shell, cmd};

use crate::cargo::{Profile, build_fpmd};
use crate::daemon::Daemon;
use crate::packages;
use crate::php::Php;
use crate::php_version::Series;

const USAGE: &str = "\
cargo xtask debian

Installs Debian's libphpX.Y-embed and phpX.Y-fpm, serves /etc/php/X.Y/fpm as it is through fpmd and through the
original, and compares what a script sees. Needs root, as the configuration does.
";

/// How long a daemon may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// Everything that depends on php.ini, on the pool, or on the way that the daemon was started. Debian builds pcntl
/// into libphp, and not into its php-fpm.
const QUESTION: &str = r"<?php
echo json_encode([
    'php.ini' => php_ini_loaded_file(),
    'further files' => array_map('trim', explode(',', php_ini_scanned_files())),
    'settings' => ini_get_all(null, false),
    'extensions' => array_values(array_diff(get_loaded_extensions(), ['pcntl'])),
    'zend extensions' => get_loaded_extensions(true),
    'opcache' => opcache_get_status(false)['opcache_enabled'],
    'user' => posix_getpwuid(posix_geteuid())['name'],
    'groups' => posix_getgroups(),
    'umask' => umask(),
    'folder' => getcwd(),
    'environment' => getenv(null, true),
    'sapi' => [PHP_SAPI, PHP_VERSION],
], JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR);
";

/// The command.
pub(crate) fn run(sh: &Shell, mut arguments: lexopt::Parser) -> anyhow::Result<()> {
    if let Some(argument) = arguments.next()? {
        if let lexopt::Arg::Long("help") | lexopt::Arg::Short('h') = argument {
            print!("{USAGE}");
            return Ok(());
        }
        return Err(argument.unexpected().into());
    }
    packages::install(sh, &[&packages::FPMD])?;
    let php = Php::packaged(sh)?;
    let Php::Packaged(series) = &php else {
        bail!("the distribution's PHP is not what was chosen");
    };
    let fpm = format!("php{series}-fpm");
    packages::install_named(sh, "Debian's configuration", &[&fpm])?;
    let layout = Layout::new(*series)?;
    let fpmd = build_fpmd(sh, &php, Profile::Dev)?;

    let ours = layout.ask(sh, &fpmd, &fpmd)?;
    let theirs = layout.ask(sh, &layout.original, &fpmd)?;
    ensure!(
        ours.contains(r"fpm\/conf.d\/") && ours.contains("\"user\": \"www-data\""),
        "the script does not see the configuration of php-fpm:\n{ours}"
    );
    let different: Vec<_> = ours
        .lines()
        .zip(theirs.lines())
        .filter(|(ours, theirs)| ours != theirs)
        .take(10)
        .collect();
    ensure!(
        ours == theirs,
        "scripts see something else under fpmd than under {fpm}: {different:#?}"
    );
    println!(
        "{} unchanged: a script sees the same under fpmd and under {fpm} ({} lines)",
        layout.configuration.display(),
        ours.lines().count()
    );
    Ok(())
}

/// Where Debian has things.
struct Layout {
    configuration: PathBuf,
    socket: PathBuf,
    original: PathBuf,
    /// Holds the script.
    folder: tempfile::TempDir,
}

impl Layout {
    fn new(series: Series) -> anyhow::Result<Layout> {
        let folder = tempfile::Builder::new().prefix("fpmd-debian-").tempdir()?;
        // The workers run as another user.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        fs::create_dir(folder.path().join("log"))?;
        fs::write(folder.path().join("question.php"), QUESTION)?;
        let socket = PathBuf::from(format!("/run/php/php{series}-fpm.sock"));
        ensure!(
            UnixStream::connect(&socket).is_err(),
            "php{series}-fpm runs on this machine; stop it first"
        );
        // At the start of the machine systemd makes it.
        fs::create_dir_all("/run/php").context("cannot make /run/php; is this root?")?;
        Ok(Layout {
            configuration: format!("/etc/php/{series}/fpm/php-fpm.conf").into(),
            socket,
            original: format!("/usr/sbin/php-fpm{series}").into(),
            folder,
        })
    }

    /// Starts a daemon as Debian's unit does, and returns the script's answer.
    fn ask(&self, sh: &Shell, daemon: &Path, fpmd: &Path) -> anyhow::Result<String> {
        let arguments = [
            "--nodaemonize".to_owned(),
            "--fpm-config".to_owned(),
            self.configuration.display().to_string(),
        ];
        let mut running = Daemon::start("daemon", daemon, &arguments, self.folder.path())?;
        running.wait_until(START_DEADLINE, || UnixStream::connect(&self.socket).is_ok())?;
        let (socket, script) = (&self.socket, self.folder.path().join("question.php"));
        let answer = cmd!(sh, "{fpmd} request {socket} {script}")
            .quiet()
            .read()
            .with_context(|| running.complaint("does not answer"))?;
        running.stop()?;
        Ok(answer)
    }
}
