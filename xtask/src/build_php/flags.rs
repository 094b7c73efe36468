//! What PHP is configured, compiled and linked with: one readable table. A change here changes the key of every build.

use std::path::Path;

/// How much of PHP's own checking is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// As distributions build it.
    Release,
    /// `--enable-debug`: assertions and leak reports, several times slower.
    Debug,
}

/// One line of the table.
struct Feature {
    /// What the line is for, as a reader would ask.
    what: &'static str,
    flags: &'static [&'static str],
    /// Taken only when `pkg-config` knows this module, because not every system carries it.
    only_with: Option<&'static str>,
}

const fn always(what: &'static str, flags: &'static [&'static str]) -> Feature {
    Feature {
        what,
        flags,
        only_with: None,
    }
}

/// Extensions that PHP builds unasked are not listed: ctype, date, dom, fileinfo, filter, hash, json, pcre,
/// pdo, phar, posix, session, simplexml, sqlite3, tokenizer, xml, xmlreader and xmlwriter.
const TABLE: &[Feature] = &[
    always("libphp.so, what fpmd links", &["--enable-embed=shared"]),
    always("the php command line", &["--enable-cli"]),
    always(
        "the original php-fpm, the tests' yardstick",
        &["--enable-fpm", "--with-fpm-acl", "--with-fpm-systemd"],
    ),
    always(
        "what nobody here runs",
        &["--disable-cgi", "--disable-phpdbg", "--without-pear"],
    ),
    always("opcache", &["--enable-opcache"]),
    always("text", &["--enable-mbstring"]),
    Feature {
        what: "languages",
        flags: &["--enable-intl"],
        only_with: Some("icu-uc"),
    },
    always(
        "MySQL and MariaDB",
        &["--enable-mysqlnd", "--with-mysqli", "--with-pdo-mysql"],
    ),
    always("SQLite", &["--with-sqlite3", "--with-pdo-sqlite"]),
    always(
        "network",
        &["--with-openssl", "--with-curl", "--enable-sockets"],
    ),
    always("archives", &["--with-zlib", "--with-zip"]),
    always(
        "pictures",
        &[
            "--enable-gd",
            "--with-jpeg",
            "--with-webp",
            "--with-freetype",
            "--enable-exif",
        ],
    ),
    always("processes and signals", &["--enable-pcntl"]),
    always(
        "for php-src's own tests",
        &["--enable-zend-test=shared", "--enable-dl-test=shared"],
    ),
];

/// The flags that decide what is built, without those that say where it goes.
pub(super) fn features(
    variant: Variant,
    extra: &[String],
    has_module: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut flags = Vec::new();
    for feature in TABLE {
        if feature.only_with.is_none_or(&has_module) {
            flags.extend(feature.flags.iter().map(|flag| (*flag).to_owned()));
        } else {
            eprintln!("leaving out {}: its library is not installed", feature.what);
        }
    }
    if variant == Variant::Debug {
        flags.push("--enable-debug".to_owned());
    }
    flags.extend_from_slice(extra);
    flags
}

/// The flags that say where PHP is installed and looks for its configuration: all below the prefix, so that
/// nothing of the system's own PHP is read.
pub(super) fn places(prefix: &Path) -> Vec<String> {
    let prefix = prefix.display();
    vec![
        format!("--prefix={prefix}"),
        format!("--sysconfdir={prefix}/etc"),
        format!("--localstatedir={prefix}/var"),
        format!("--with-config-file-path={prefix}/etc"),
        format!("--with-config-file-scan-dir={prefix}/etc/conf.d"),
    ]
}

/// PHP's functions and globals are libphp's own. Unless the linker is told so, each call and each look at a global variable goes
/// through a table, in case another library replaces them: that costs a script a tenth of its time, and a start 3,000 searches
/// for names. (The original has PHP in its executable, where the question does not arise.)
pub(super) const BINDING: &str = "-Wl,-Bsymbolic";

/// Symbols without line numbers keep a build small; `--debug` has them.
pub(super) fn optimisation(variant: Variant) -> &'static str {
    match variant {
        Variant::Release => "-O2",
        Variant::Debug => "-O0 -g",
    }
}

/// The key of a build: eight hexadecimal digits that change whenever the request does.
///
/// What the machine happens to have (`only_with`) does not count, or the same command would look for another
/// build before and after its dependencies are installed.
pub(super) fn key(variant: Variant, extra: &[String], source: &str) -> String {
    let flags = features(variant, extra, |_| true).join("\n");
    let optimisation = optimisation(variant);
    let request = [&flags, optimisation, BINDING, source].join("\n");
    format!("{:08x}", fnv1a(request.as_bytes()))
}

/// The 32-bit FNV-1a hash: no cryptography, only names that differ.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn a_missing_library_leaves_its_flags_out() {
        let without = features(Variant::Release, &[], |module| module != "icu-uc");
        assert!(!without.contains(&"--enable-intl".to_owned()));
        assert!(features(Variant::Release, &[], |_| true).contains(&"--enable-intl".to_owned()));
    }

    #[test]
    fn every_part_of_the_request_is_in_the_key() {
        let extra = ["--enable-bcmath".to_owned()];
        let keys = [
            key(Variant::Release, &[], ""),
            key(Variant::Debug, &[], ""),
            key(Variant::Release, &extra, ""),
            key(Variant::Release, &[], "tarball 0123"),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert_eq!(one.len(), 8);
            assert!(!keys[at + 1..].contains(one));
        }
    }
}
