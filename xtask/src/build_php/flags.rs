//! What PHP is configured, compiled and linked with: one readable table. A change here changes the key of every build.

use std::path::Path;

/// What is asked of a build beside its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) variant: Variant,
    pub(super) linking: Linking,
    pub(super) extent: Extent,
    /// Options of configure's own, which come last.
    pub(super) extra: Vec<String>,
}

impl Options {
    /// A release build as it is everywhere.
    pub(super) const PLAIN: Options = Options {
        variant: Variant::Release,
        linking: Linking::Shared,
        extent: Extent::Usual,
        extra: Vec::new(),
    };

    /// For a purpose of its own: to be taken unasked only where there is no other.
    pub(super) fn are_special(&self) -> bool {
        self.variant == Variant::Debug
            || self.linking == Linking::Static
            || self.extent == Extent::Minimal
    }
}

/// How much of PHP's own checking is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// As distributions build it.
    Release,
    /// `--enable-debug`: assertions and leak reports, several times slower.
    Debug,
}

/// What fpmd gets of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// libphp.so, which fpmd opens.
    Shared,
    /// libphp.a, which becomes a part of fpmd.
    Static,
}

/// How much of PHP there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What applications need: the whole table.
    Usual,
    /// What PHP cannot do without, and opcache.
    Minimal,
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

const SHARED: Feature = always("libphp.so, what fpmd opens", &["--enable-embed=shared"]);
const STATIC: Feature = always("libphp.a, what fpmd contains", &["--enable-embed=static"]);

/// In every build.
const PROGRAMS: &[Feature] = &[
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
];

/// Leaves out what PHP builds unasked.
const MINIMAL: &[Feature] = &[always("no other extensions", &["--disable-all"])];

/// Extensions that PHP builds unasked are not listed: ctype, date, dom, fileinfo, filter, hash, json, pcre,
/// pdo, phar, posix, session, simplexml, sqlite3, tokenizer, xml, xmlreader and xmlwriter.
const EXTENSIONS: &[Feature] = &[
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
pub(super) fn features(options: &Options, has_module: impl Fn(&str) -> bool) -> Vec<String> {
    let libphp = match options.linking {
        Linking::Shared => &SHARED,
        Linking::Static => &STATIC,
    };
    let extensions = match options.extent {
        Extent::Usual => EXTENSIONS,
        Extent::Minimal => MINIMAL,
    };
    let mut flags = Vec::new();
    for feature in [libphp].into_iter().chain(PROGRAMS).chain(extensions) {
        if feature.only_with.is_none_or(&has_module) {
            flags.extend(feature.flags.iter().map(|flag| (*flag).to_owned()));
        } else {
            eprintln!("leaving out {}: its library is not installed", feature.what);
        }
    }
    if options.variant == Variant::Debug {
        flags.push("--enable-debug".to_owned());
    }
    flags.extend_from_slice(&options.extra);
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
pub(super) fn key(options: &Options, source: &str) -> String {
    let flags = features(options, |_| true).join("\n");
    let optimisation = optimisation(options.variant);
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
        let without = features(&Options::PLAIN, |module| module != "icu-uc");
        assert!(!without.contains(&"--enable-intl".to_owned()));
        assert!(features(&Options::PLAIN, |_| true).contains(&"--enable-intl".to_owned()));
    }

    #[test]
    fn a_minimal_build_has_opcache_and_what_the_caller_adds() {
        let extra = ["--enable-dl-test=shared".to_owned()];
        let minimal = Options {
            linking: Linking::Static,
            extent: Extent::Minimal,
            extra: extra.to_vec(),
            ..Options::PLAIN
        };
        let flags = features(&minimal, |_| true);
        assert_eq!(flags[0], "--enable-embed=static");
        assert!(flags.ends_with(&[
            "--enable-opcache".to_owned(),
            "--disable-all".to_owned(),
            extra[0].clone(),
        ]));
    }

    #[test]
    fn every_part_of_the_request_is_in_the_key() {
        let with = |change: fn(&mut Options)| {
            let mut options = Options::PLAIN;
            change(&mut options);
            key(&options, "")
        };
        let keys = [
            with(|_| ()),
            with(|options| options.variant = Variant::Debug),
            with(|options| options.linking = Linking::Static),
            with(|options| options.extent = Extent::Minimal),
            with(|options| options.extra = vec!["--enable-bcmath".to_owned()]),
            key(&Options::PLAIN, "tarball 0123"),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert_eq!(one.len(), 8);
            assert!(!keys[at + 1..].contains(one));
        }
    }
}
