//! The Debian packages that each command needs, and their installation.
//!
//! Nothing is asked of the network while everything is there already. Only root installs; anybody else is
//! told the exact command.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

/// Packages that belong together, and what for.
pub(crate) struct Group {
    pub(crate) what_for: &'static str,
    pub(crate) packages: &'static [&'static str],
}

/// For building fpmd itself: a linker and C compiler, bindgen's libclang.
pub(crate) const FPMD: Group = Group {
    what_for: "building fpmd",
    packages: &["gcc", "libc6-dev", "libclang-dev", "pkgconf"],
};

/// For building PHP from source: one line per library of build_php's table of features.
pub(crate) const PHP: Group = Group {
    what_for: "building PHP",
    packages: &[
        "ca-certificates",
        "g++", // intl is C++
        "gcc",
        "libc6-dev",
        "make",
        "pkgconf",
        "xz-utils",
        // php-fpm's own.
        "libacl1-dev",
        "libsystemd-dev",
        // Extensions.
        "libcurl4-openssl-dev",
        "libfreetype-dev",
        "libicu-dev",
        "libjpeg62-turbo-dev",
        "libonig-dev",
        "libpng-dev",
        "libsqlite3-dev",
        "libssl-dev",
        "libwebp-dev",
        "libxml2-dev",
        "libzip-dev",
        "zlib1g-dev",
    ],
};

/// For the demo.
pub(crate) const DEMO: Group = Group {
    what_for: "the demo's web server",
    packages: &["nginx"],
};

/// For the daemon's tests: real web servers and databases, without their system services where Debian has them
/// apart.
pub(crate) const TESTS: Group = Group {
    what_for: "the tests",
    packages: &[
        "acl",
        "chromium",
        "git",
        "libfaketime",
        "logrotate",
        "mariadb-client-core",
        "mariadb-server-core",
        "nginx",
        "prometheus",
        "python3-venv",
        "systemd", // systemd-analyze
    ],
};

/// For php-src's own tests, where they do not skip for want of a tool.
pub(crate) const PHPT: Group = Group {
    what_for: "php-src's tests",
    packages: &["acl", "iproute2", "lsof", "patchelf", "util-linux"],
};

/// For measurements.
pub(crate) const BENCH: Group = Group {
    what_for: "the measurements",
    packages: &[
        "mariadb-client-core",
        "mariadb-server-core",
        "nginx",
        "strace",
        "wrk",
    ],
};

/// Installs the packages of the groups that are not there yet.
///
/// # Errors
/// When packages are missing and the caller is not root, or apt-get fails twice (the second time with
/// fresh package lists).
pub(crate) fn install(sh: &Shell, groups: &[&Group]) -> anyhow::Result<()> {
    for group in groups {
        install_named(sh, group.what_for, group.packages)?;
    }
    Ok(())
}

/// Installs packages whose names are known only at run time.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_named(sh: &Shell, what_for: &str, packages: &[&str]) -> anyhow::Result<()> {
    let missing = missing(sh, packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing for {what_for}: {}", missing.join(" "));
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "{what_for} needs packages that only root can install; run this and try again:\n    \
             sudo apt-get install --no-install-recommends {}",
            missing.join(" ")
        );
    }
    // A new container has no package lists at all, an old machine has stale ones: both show in the first try.
    if apt_install(sh, &missing).is_ok() {
        return Ok(());
    }
    cmd!(sh, "apt-get update --quiet")
        .quiet()
        .run()
        .context("cannot refresh the package lists (apt-get update); is there a network?")?;
    apt_install(sh, &missing).with_context(|| {
        format!("cannot install the packages for {what_for}; apt-get says why above")
    })
}

/// Says whether apt could install a package, according to the lists it has.
pub(crate) fn is_available(sh: &Shell, package: &str) -> bool {
    let known = cmd!(sh, "apt-cache policy {package}")
        .quiet()
        .ignore_stderr()
        .read();
    known.is_ok_and(|policy| policy.contains("Candidate:") && !policy.contains("Candidate: (none)"))
}

/// Fetches package lists when the machine has none, as in a new container; failing is not an error here.
pub(crate) fn fetch_lists_once(sh: &Shell) {
    if nix::unistd::geteuid().is_root() && !is_available(sh, "nginx") {
        let _ = cmd!(sh, "apt-get update --quiet").quiet().run();
    }
}

/// Finds nginx, which is not on everybody's PATH.
///
/// # Errors
/// When it is nowhere.
pub(crate) fn nginx_program(sh: &Shell) -> anyhow::Result<PathBuf> {
    let known = cmd!(sh, "sh -c 'command -v nginx'")
        .quiet()
        .ignore_status()
        .read()?;
    for program in [known.as_str(), "/usr/sbin/nginx"] {
        if Path::new(program).is_file() {
            return Ok(program.into());
        }
    }
    bail!("nginx is installed, but not to be found on the PATH or in /usr/sbin")
}

fn missing<'a>(sh: &Shell, packages: &[&'a str]) -> anyhow::Result<Vec<&'a str>> {
    let format = r"${Package}=${db:Status-Status}\n";
    let known = cmd!(sh, "dpkg-query --show --showformat {format} {packages...}")
        .quiet()
        .ignore_stderr()
        .ignore_status()
        .read()
        .context("this command installs packages the Debian way and found no dpkg-query")?;
    Ok(not_installed(packages, &known))
}

/// Picks what dpkg-query does not report as installed.
fn not_installed<'a>(packages: &[&'a str], known: &str) -> Vec<&'a str> {
    let installed = |package: &str| {
        known
            .lines()
            .any(|line| line == format!("{package}=installed"))
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

fn apt_install(sh: &Shell, packages: &[&str]) -> xshell::Result<()> {
    cmd!(sh, "apt-get install --yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=600 {packages...}")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .quiet()
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_packages_with_leftover_configuration_count_as_missing() {
        let known = "gcc=installed\nnginx-light=config-files\ng++=not-installed\n";
        let missing = not_installed(&["gcc", "nginx-light", "g++", "make"], known);
        assert_eq!(missing, ["nginx-light", "g++", "make"]);
    }
}
