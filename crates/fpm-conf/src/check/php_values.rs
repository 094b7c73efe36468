//! ini settings that are paths get the prefix too, as long as the pool has no root of its own.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`), fpm_php.h (`FPM_PHP_INI_TO_EXPAND`)

use bstr::{BStr, BString, ByteSlice};

use super::Check;
use crate::PhpVersion;
use crate::prefix::Prefixes;

/// Settings whose values are paths.
const PATHS: [&str; 14] = [
    "error_log",
    "extension_dir",
    "sendmail_path",
    "session.cookie_path",
    "session_pgsql.sem_file_name",
    "soap.wsdl_cache_dir",
    "uploadprogress.file.filename_template",
    "xdebug.output_dir",
    "xdebug.profiler_output_dir",
    "xdebug.trace_output_dir",
    "xmms.path",
    "axis2.client_home",
    "blenc.key_file",
    "coin_acceptor.device",
];

/// One more of them in PHP 8.2.
const PATH_82: &str = "mime_magic.magicfile";

impl Check<'_> {
    pub(super) fn php_values(&mut self, index: usize) {
        let (prefixes, php) = (self.prefixes, self.options.php);
        let pool = self.pool_mut(index);
        if pool.chroot.is_some() {
            return;
        }
        let prefix = pool.prefix.as_ref().map(|prefix| prefix.as_bstr());
        for (key, value) in &mut pool.php_value {
            expand(key, value, prefixes, prefix, php);
        }
        for (key, value) in &mut pool.php_admin_value {
            if !(key.eq_ignore_ascii_case(b"error_log") && value.eq_ignore_ascii_case(b"syslog")) {
                expand(key, value, prefixes, prefix, php);
            }
        }
    }
}

fn expand(
    key: &BString,
    value: &mut BString,
    prefixes: Prefixes<'_>,
    prefix: Option<&BStr>,
    php: PhpVersion,
) {
    let more = (php == PhpVersion::Php82).then_some(PATH_82);
    if PATHS
        .into_iter()
        .chain(more)
        .any(|path| key.eq_ignore_ascii_case(path.as_bytes()))
    {
        *value = prefixes.pool(value.as_bstr(), prefix);
    }
}
