//! The usage text.
//!
//! Rule: the first line is php-fpm's, word for word; the options are php-fpm's and our own, described in our words.

use std::fmt::Write;

use bstr::{BStr, ByteSlice};

/// The options with what they do; a name that ends in the second column gets its text on the next line.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    (
        "-c, --php-ini <path>|<file>",
        "php.ini to read, or the directory to look for it in",
    ),
    ("-n, --no-php-ini", "read no php.ini"),
    ("-d, --define foo[=bar]", "set the php.ini entry foo to bar"),
    (
        "-e, --profile-info",
        "compile scripts with information for debuggers and profilers",
    ),
    ("-h, --help", "this text"),
    ("-i, --info", "information about PHP"),
    ("-m, --modules", "the modules of PHP"),
    ("-v, --version", "the version of PHP"),
    (
        "-p, --prefix <dir>",
        "directory that relative paths start from (default: {prefix})",
    ),
    (
        "-g, --pid <file>",
        "pid file, unless the configuration names one",
    ),
    (
        "-y, --fpm-config <file>",
        "configuration file (default: {config})",
    ),
    (
        "-t, --test",
        "test the configuration and exit; twice: print it too",
    ),
    (
        "    --test-php",
        "test the configuration and start PHP with it: php.ini, extensions, preload script",
    ),
    (
        "-D, --daemonize",
        "run in the background, whatever the configuration says",
    ),
    (
        "-F, --nodaemonize",
        "stay in the foreground, whatever the configuration says",
    ),
    (
        "-O, --force-stderr",
        "in the foreground, log to stderr even if that is no terminal",
    ),
    ("-R, --allow-to-run-as-root", "allow pools to run as root"),
];

/// Takes the program's name out of `argv[0]`: what follows the last slash. Without a slash php-fpm calls itself `php`.
pub(crate) fn program(argv0: &BStr) -> &BStr {
    match argv0.rfind_byte(b'/') {
        Some(slash) => argv0[slash + 1..].as_bstr(),
        None => b"php".as_bstr(),
    }
}

/// Writes the usage text.
pub(crate) fn usage(program: &BStr, prefix: &BStr, config: &BStr, commands: &str) -> String {
    let mut text = format!(
        "Usage: {program} [-n] [-e] [-h] [-i] [-m] [-v] [-t] [-p <prefix>] [-g <pid>] [-c <file>] [-d foo[=bar]] \
         [-y <file>] [-D] [-F [-O]]\n"
    );
    for (option, description) in OPTIONS {
        let description = description
            .replace("{prefix}", &prefix.to_string())
            .replace("{config}", &config.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {option:<30} {description}");
    }
    let _ = writeln!(text, "Commands: {commands} (fpmd COMMAND --help)");
    text
}
