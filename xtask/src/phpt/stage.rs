//! A folder that an ordinary user can read, with copies of all that the tests need.
//!
//! The cache is below the caller's home, where www-data has no business; and the tests write beside
//! themselves.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use xshell::{Shell, cmd};

use super::outcome::Results;
use crate::cache::Build;

/// The ordinary user that root becomes.
const USER: &str = "www-data";

/// Who runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    User,
    Root,
}

impl Who {
    /// Whom the caller can be.
    pub(super) fn possible() -> &'static [Who] {
        if nix::unistd::geteuid().is_root() {
            &[Who::User, Who::Root]
        } else {
            eprintln!("not root: the tests that need root are left out");
            &[Who::User]
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Who::User => "user",
            Who::Root => "root",
        })
    }
}

/// The network that a run has. The tests have fixed ports, so that runs beside each other need one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    OfItsOwn,
    Machines,
}

impl Network {
    /// Brings up the loopback interface of a new network and becomes the program that follows.
    const BRING_UP: &str = "ip link set lo up && exec \"$@\"";

    /// What the kernel lets us have: in a container root may not make networks.
    pub(super) fn possible() -> Network {
        let made = Network::OfItsOwn
            .command("true")
            .stderr(Stdio::null())
            .status();
        match made {
            Ok(status) if status.success() => Network::OfItsOwn,
            _ => Network::Machines,
        }
    }

    fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Network::OfItsOwn => {
                let mut command = Command::new("unshare");
                command
                    .args(["--net", "sh", "-c", Self::BRING_UP, "sh"])
                    .arg(program);
                command
            }
            Network::Machines => Command::new(program),
        }
    }
}

/// The folder; removed at the end.
pub(super) struct Stage {
    directory: TempDir,
}

impl Stage {
    /// Copies PHP, the tests and the program under test, which gets the original's name and place: the tests
    /// find it by them.
    ///
    /// # Errors
    /// When something cannot be copied.
    pub(super) fn create(
        sh: &Shell,
        build: &Build,
        source: &Path,
        program: &Path,
    ) -> anyhow::Result<Stage> {
        let directory = tempfile::Builder::new().prefix("fpmd-phpt-").tempdir()?;
        let root = directory.path();
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
        for folder in ["bin", "sbin", "lib", "ext", "tree/sapi/fpm"] {
            sh.create_dir(root.join(folder))?;
        }
        let prefix = &build.prefix;
        let copies = [
            (prefix.join("bin/php"), "bin/php"),
            (program.to_owned(), "sbin/php-fpm"),
            (prefix.join("lib/libphp.so"), "lib/libphp.so"),
            (source.join("run-tests.php"), "tree/run-tests.php"),
        ];
        for (from, to) in copies {
            fs::copy(&from, root.join(to))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        // fpmd looks for libphp in the cache. Not by LD_LIBRARY_PATH: some tests start it without environment.
        let staged = root.join("sbin/php-fpm");
        let looks_at = cmd!(sh, "patchelf --print-rpath {staged}").quiet().read()?;
        if !looks_at.is_empty() {
            let folder = root.join("lib");
            cmd!(sh, "patchelf --set-rpath {folder} {staged}")
                .quiet()
                .run()?;
        }
        let php_config = prefix.join("bin/php-config");
        let extensions = PathBuf::from(cmd!(sh, "{php_config} --extension-dir").quiet().read()?);
        for extension in sh.read_dir(extensions)? {
            sh.copy_file(extension, root.join("ext"))?;
        }
        let (tests, place) = (source.join("sapi/fpm/tests"), root.join("tree/sapi/fpm"));
        cmd!(sh, "cp --recursive {tests} {place}").quiet().run()?;
        if nix::unistd::geteuid().is_root() {
            cmd!(sh, "chown --recursive {USER} {root}").quiet().run()?;
        }
        Ok(Stage { directory })
    }

    /// Runs the tests; their output and their differences are kept in `logs`.
    ///
    /// # Errors
    /// When run-tests.php does not run. Tests that fail are results.
    pub(super) fn run(
        &self,
        who: Who,
        network: Network,
        tests: &[String],
        logs: &Path,
    ) -> anyhow::Result<Results> {
        let root = self.directory.path();
        fs::create_dir_all(logs)?;
        let output = File::create(logs.join("run-tests.log"))?;
        let results = root.join("tree/results");
        let mut command = self.command(who, network);
        command
            .arg("-d")
            .arg(setting("extension_dir=", &root.join("ext")));
        command
            .args(["run-tests.php", "-n", "-q", "-W"])
            .arg(&results);
        command.args(tests.iter().map(|test| format!("sapi/fpm/tests/{test}")));
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // Its status tells only that some test failed.
        command.status().context("cannot start run-tests.php")?;
        let Ok(text) = fs::read_to_string(&results) else {
            bail!(
                "run-tests.php gave up: {}",
                logs.join("run-tests.log").display()
            );
        };
        self.keep_differences(logs)?;
        Ok(Results::parse(&text))
    }

    fn command(&self, who: Who, network: Network) -> Command {
        let root = self.directory.path();
        let php = root.join("bin/php");
        let changes_user = who == Who::User && nix::unistd::geteuid().is_root();
        let mut command = if changes_user {
            let mut command = network.command("setpriv");
            command
                .args(["--reuid", USER, "--regid", USER, "--init-groups"])
                .arg(&php);
            command
        } else {
            network.command(&php)
        };
        command
            .current_dir(root.join("tree"))
            .env("TEST_PHP_EXECUTABLE", &php)
            .env("TEST_FPM_EXTENSION_DIR", root.join("ext"))
            .env("NO_INTERACTION", "1")
            .env("RUN_RESOURCE_HEAVY_TESTS", "1")
            .env("FPM_RUN_RESOURCE_HEAVY_TESTS", "1");
        if who == Who::Root {
            command.env("TEST_FPM_RUN_AS_ROOT", "1");
        }
        command
    }

    fn keep_differences(&self, logs: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.directory.path().join("tree/sapi/fpm/tests"))? {
            let path = entry?.path();
            if let (Some("diff"), Some(name)) = (
                path.extension().and_then(|ending| ending.to_str()),
                path.file_name(),
            ) {
                fs::copy(&path, logs.join(name))?;
            }
        }
        Ok(())
    }
}

fn setting(name: &str, value: &Path) -> std::ffi::OsString {
    let mut setting = std::ffi::OsString::from(name);
    setting.push(value);
    setting
}
