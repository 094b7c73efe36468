//! WordPress from Debian's packages, unpacked and told of its database: nobody has gone through its installation yet.

use std::fs;
use std::path::PathBuf;

use crate::{MariaDb, Packages, Result};

const PACKAGES: [&str; 5] = [
    "wordpress",
    "wordpress-theme-twentytwentythree",
    "libjs-cropper",
    "libjs-underscore",
    "php-getid3",
];

/// Where the packages put it.
const ROOT: &str = "/usr/share/wordpress";

/// Debian's wp-config.php looks into /etc; this one stands in its place. Nothing goes out to the network, and nothing happens beside
/// the answer.
const CONFIG: &str = "<?php
    define('DB_NAME', '{database}');
    define('DB_USER', '{user}');
    define('DB_PASSWORD', '{password}');
    define('DB_HOST', 'localhost:{socket}');
    {settings}
    foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $name)
        define($name, \"not a secret $name\");
    define('WP_HTTP_BLOCK_EXTERNAL', true);
    define('AUTOMATIC_UPDATER_DISABLED', true);
    define('DISABLE_WP_CRON', true);
    $table_prefix = 'wp_';
    defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
    require_once ABSPATH . 'wp-settings.php';";

/// The scripts of a WordPress of its own. They are gone when it is dropped.
#[derive(Debug)]
pub struct WordPress {
    packages: Packages,
}

impl WordPress {
    /// Unpacks it for a database of this server; `settings` are further lines of its configuration.
    ///
    /// # Errors
    /// Fails when its packages cannot be had.
    pub fn unpack(server: &MariaDb, database: &str, settings: &str) -> Result<Self> {
        let packages = Packages::unpack(&PACKAGES)?;
        packages.open_to_all(&format!("{ROOT}/wp-content/uploads"))?;
        let (user, password) = server.login();
        let config = CONFIG
            .replace("{database}", database)
            .replace("{user}", user)
            .replace("{password}", password)
            .replace("{socket}", &server.socket().to_string_lossy())
            .replace("{settings}", settings);
        let wordpress = Self { packages };
        fs::write(wordpress.root().join("wp-config.php"), config)?;
        Ok(wordpress)
    }

    /// The folder of its scripts.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.packages.path(ROOT)
    }
}
