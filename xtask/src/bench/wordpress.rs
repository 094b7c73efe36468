//! WordPress from Debian's packages on MariaDB, with one post, as it is after its installation.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use fpmd_tests::{MariaDb, WordPress};

/// An installed WordPress; it is gone when dropped.
pub(super) struct Installed {
    wordpress: WordPress,
    _server: MariaDb,
}

const DATABASE: &str = "bench";

/// Whatever the web server's address is.
const ADDRESS: &str = "define('WP_HOME', 'https://www.example.org');
    define('WP_SITEURL', 'https://www.example.org');";

/// What its page for the installation does.
const INSTALL: &str = "
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'www.example.org';
require 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Measured', 'admin', 'admin@example.org', true, '', 'a long passphrase');
";

/// Tells whether this is the whole front page, with the post that a new WordPress has.
pub(super) fn is_front_page(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("Hello world!") && text.trim_end().ends_with("</html>")
}

impl Installed {
    /// Unpacks and installs it; `php` is the command line of the PHP that is measured.
    ///
    /// # Errors
    /// When its packages cannot be had, the database does not start, or PHP fails.
    pub(super) fn install(php: &Path) -> anyhow::Result<Installed> {
        eprintln!("  installing WordPress");
        let server = MariaDb::start(&[DATABASE])?.silent();
        let wordpress = WordPress::unpack(&server, DATABASE, ADDRESS).context(
            "WordPress is needed from Debian's packages; leave this case out by naming the others",
        )?;
        let installed = Command::new(php)
            .args(["-n", "-d", "sendmail_path=/bin/true", "-r", INSTALL])
            .current_dir(wordpress.root())
            .output()
            .with_context(|| format!("cannot run {}", php.display()))?;
        if !installed.status.success() {
            let said = String::from_utf8_lossy(&installed.stdout).into_owned();
            bail!("WordPress is not installed: {}", said.trim());
        }
        Ok(Installed {
            wordpress,
            _server: server,
        })
    }

    /// The folder of its scripts.
    pub(super) fn root(&self) -> PathBuf {
        self.wordpress.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_page_is_whole_and_has_its_post() {
        assert!(is_front_page(b"<html>Hello world!</html>\n"));
        assert!(!is_front_page(b"<html>Hello world!"));
        assert!(!is_front_page(
            b"<html>Error establishing a database connection</html>"
        ));
    }
}
