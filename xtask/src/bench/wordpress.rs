//! WordPress from Debian's packages on MariaDB, with one post, as it is after its installation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use fpmd_tests::{MariaDb, Packages};

/// An installed WordPress; it is gone when dropped.
pub(super) struct WordPress {
    packages: Packages,
    _database: MariaDb,
}

const PACKAGES: [&str; 5] = [
    "wordpress",
    "wordpress-theme-twentytwentythree",
    "libjs-cropper",
    "libjs-underscore",
    "php-getid3",
];

/// Where the packages put it.
const ROOT: &str = "/usr/share/wordpress";

const DATABASE: &str = "bench";

/// Nothing goes out to the network, and nothing happens beside the answer.
const CONFIG: &str = "<?php
define('DB_NAME', '{database}');
define('DB_USER', '{user}');
define('DB_PASSWORD', '{password}');
define('DB_HOST', 'localhost:{socket}');
define('WP_HOME', 'https://www.example.org');
define('WP_SITEURL', 'https://www.example.org');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $name)
    define($name, \"not a secret $name\");
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
";

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

impl WordPress {
    /// Unpacks and installs it; `php` is the command line of the PHP that is measured.
    ///
    /// # Errors
    /// When its packages cannot be had, the database does not start, or PHP fails.
    pub(super) fn install(php: &Path) -> anyhow::Result<WordPress> {
        eprintln!("  installing WordPress");
        let packages = Packages::unpack(&PACKAGES).context(
            "WordPress is needed from Debian's packages; leave this case out by naming the others",
        )?;
        packages.open_to_all("/usr/share/wordpress/wp-content/uploads")?;
        let database = MariaDb::start(&[DATABASE])?.silent();
        let (user, password) = database.login();
        let config = CONFIG
            .replace("{database}", DATABASE)
            .replace("{user}", user)
            .replace("{password}", password)
            .replace("{socket}", &database.socket().to_string_lossy());
        let root = packages.path(ROOT);
        fs::write(root.join("wp-config.php"), config)?;
        let installed = Command::new(php)
            .args(["-n", "-d", "sendmail_path=/bin/true", "-r", INSTALL])
            .current_dir(&root)
            .output()
            .with_context(|| format!("cannot run {}", php.display()))?;
        if !installed.status.success() {
            let said = String::from_utf8_lossy(&installed.stdout).into_owned();
            bail!("WordPress is not installed: {}", said.trim());
        }
        Ok(WordPress {
            packages,
            _database: database,
        })
    }

    /// The folder of its scripts.
    pub(super) fn root(&self) -> PathBuf {
        self.packages.path(ROOT)
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
