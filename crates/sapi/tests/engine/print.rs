//! What `-v`, `-m` and `-i` print.

use std::fs::{self, File};

use nix::unistd::dup2_stdout;
use sapi::{Engine, SapiError};

use crate::cases;
use crate::php::Php;
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![version, modules, information]
}

/// Returns what `print` writes to standard output. Nothing else of the case goes there.
fn printed(php: &mut Php, print: fn(&mut Engine) -> Result<(), SapiError>) -> String {
    let path = php.folder.join("stdout");
    dup2_stdout(File::create(&path).expect("create")).expect("dup2");
    print(&mut php.engine).expect("PHP prints");
    fs::read_to_string(&path).expect("read")
}

fn version(php: &mut Php) {
    let text = printed(php, Engine::print_version);
    let version = sapi::built_version();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with(&format!("PHP {version} (fpm-fcgi) (built: ")),
        "{text}"
    );
    assert_eq!(
        lines[0].contains(" (NTS"),
        version.starts_with("8.4"),
        "{text}"
    );
    assert_eq!(lines[1], "Copyright (c) The PHP Group");
    let engine = lines
        .iter()
        .any(|line| line.starts_with(&format!("Zend Engine v4.{}", &version[2..])));
    assert!(engine, "{text}");
    assert!(text.ends_with('\n'));
    // Printing is not a request that leaves anything behind.
    assert_eq!(php.get("echo 'next';").body(), "next");
}

fn modules(php: &mut Php) {
    let text = printed(php, Engine::print_modules);
    let (modules, extensions) = text.split_once("\n[Zend Modules]\n").expect("two lists");
    let names: Vec<&str> = modules.lines().skip(1).collect();
    assert!(modules.starts_with("[PHP Modules]\n"));
    assert!(
        names.contains(&"cgi-fcgi") && names.contains(&"standard"),
        "{text}"
    );
    assert!(
        names.is_sorted_by_key(|name| name.to_ascii_lowercase()),
        "{text}"
    );
    assert!(extensions.ends_with('\n'));
}

fn information(php: &mut Php) {
    let text = printed(php, Engine::print_info);
    assert!(text.starts_with("phpinfo()\nPHP Version => "), "{text}");
    for line in [
        "\nServer API => FPM/FastCGI\n",
        "\nphp-fpm => active\n",
        "\ncgi.fix_pathinfo => On => On\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in: {text}");
    }
    assert!(!text.contains("<td"), "text, not HTML");
}
