//! Which daemon and which PHP the tests run on, read from the environment once.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, ensure};
use nix::unistd::Uid;

use crate::executable::write_program;
use crate::{Result, Site};

/// Whose behaviour a test sees: ours is allowed to differ only where `BEHAVIOUR.md` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// fpmd.
    Fpmd,
    /// php-fpm as its authors ship it.
    Original,
}

/// Where the program has PHP from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhpComesFrom {
    /// libphp.so, opened when PHP is started.
    Library,
    /// The program itself, as in the original.
    Program,
}

/// A PHP minor version, such as 8.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhpVersion(pub u32, pub u32);

/// One program under test together with the PHP installation it belongs to.
#[derive(Clone, Debug)]
pub struct Subject {
    program: PathBuf,
    under: Under,
    prefix: PathBuf,
    full_version: String,
}

/// Whose behaviour the tests see now.
///
/// # Errors
/// As [`Subject::from_environment`].
pub fn under() -> Result<Under> {
    Ok(Subject::from_environment()?.under())
}

impl Subject {
    /// Returns the daemon that `FPM_UNDER_TEST` names, with the PHP of `FPMD_PHP_PREFIX`.
    ///
    /// # Errors
    /// Fails when one of the two variables is missing or names nothing that runs.
    pub fn from_environment() -> Result<&'static Self> {
        static SUBJECT: OnceLock<std::result::Result<Subject, String>> = OnceLock::new();
        SUBJECT
            .get_or_init(|| Self::look_up().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|text| anyhow::anyhow!("{text}"))
    }

    /// The original php-fpm of the same PHP, for tests that put both side by side.
    #[must_use]
    pub fn original(&self) -> Self {
        Self {
            program: self.prefix.join("sbin/php-fpm"),
            under: Under::Original,
            ..self.clone()
        }
    }

    /// The same program, called by another path that leads to it.
    #[must_use]
    pub fn called(&self, path: &Path) -> Self {
        Self {
            program: path.to_owned(),
            ..self.clone()
        }
    }

    /// The same program as www-data starts it, who may read everything: what it is built of may lie where only root comes.
    ///
    /// # Errors
    /// Fails when nothing can be written to the site.
    pub fn unprivileged(&self, site: &Site) -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(self.clone());
        }
        let script = format!(
            "#!/bin/sh\nexec setpriv --reuid=www-data --regid=www-data --clear-groups --inh-caps=-all,+dac_read_search \\\n\
             --ambient-caps=+dac_read_search {} \"$@\"\n",
            self.program.display()
        );
        let program = site.path("php-fpm");
        write_program(&program, &script)?;
        Ok(self.called(&program))
    }

    /// Whether this is fpmd or the original.
    #[must_use]
    pub fn under(&self) -> Under {
        self.under
    }

    /// Where it has PHP from: fpmd has the one libphp of its prefix, `libphp.so` or `libphp.a`.
    #[must_use]
    pub fn php_comes_from(&self) -> PhpComesFrom {
        if self.under == Under::Fpmd && self.prefix.join("lib/libphp.so").exists() {
            PhpComesFrom::Library
        } else {
            PhpComesFrom::Program
        }
    }

    /// The program's absolute path.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder that PHP is installed in.
    #[must_use]
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// PHP's minor version.
    #[must_use]
    pub fn php(&self) -> PhpVersion {
        let mut numbers = self
            .full_version
            .split('.')
            .map(|number| number.parse().unwrap_or(0));
        PhpVersion(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// PHP's version as PHP prints it, such as `8.4.24`.
    #[must_use]
    pub fn full_version(&self) -> &str {
        &self.full_version
    }

    /// The command line interpreter of the same PHP.
    #[must_use]
    pub fn php_cli(&self) -> PathBuf {
        self.prefix.join("bin/php")
    }

    /// A shared extension of the same PHP, such as `opcache`.
    ///
    /// # Errors
    /// Fails when the installation does not have it.
    pub fn extension(&self, name: &str) -> Result<PathBuf> {
        let folder = self.prefix.join("lib/php/extensions");
        for entry in folder
            .read_dir()
            .with_context(|| format!("no extensions in {}", folder.display()))?
        {
            let file = entry?.path().join(name).with_extension("so");
            if file.is_file() {
                return Ok(file);
            }
        }
        anyhow::bail!("PHP in {} has no extension {name}", self.prefix.display())
    }

    /// Runs the program to its end, as an operator does with `-v` or `-t`.
    ///
    /// # Errors
    /// Fails when the program cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(&self.program)
            .args(arguments)
            .output()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }

    fn look_up() -> Result<Self> {
        let variable = |name: &str| {
            env::var_os(name).map(PathBuf::from).with_context(|| {
                format!(
                    "{name} is not set; `cargo xtask test` runs these tests with what they need"
                )
            })
        };
        let program = variable("FPM_UNDER_TEST")?;
        let prefix = variable("FPMD_PHP_PREFIX")?;
        ensure!(
            program.is_absolute() && program.is_file(),
            "FPM_UNDER_TEST={} is no absolute path of a program",
            program.display()
        );
        let is_ours = program
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("fpmd"));
        let under = if is_ours {
            Under::Fpmd
        } else {
            Under::Original
        };

        let cli = prefix.join("bin/php");
        let output = Command::new(&cli)
            .args(["-n", "-r", "echo PHP_VERSION;"])
            .output()
            .with_context(|| format!("FPMD_PHP_PREFIX has no PHP: cannot run {}", cli.display()))?;
        let full_version = String::from_utf8(output.stdout)?;
        Ok(Self {
            program,
            under,
            prefix,
            full_version,
        })
    }
}
