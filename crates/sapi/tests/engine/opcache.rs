//! opcache, with and without JIT, and preloading: it starts before the fork and is shared by the
//! workers.

use std::fs;
use std::path::Path;

use nix::unistd::Uid;
use sapi::StartOptions;

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Suite;

pub(crate) fn suites() -> Vec<Suite> {
    vec![
        Suite {
            name: "opcache",
            options: plain,
            cases: cases![
                scripts_are_cached,
                death_with_a_cached_script,
                missing_script
            ],
        },
        Suite {
            name: "opcache jit",
            options: jit,
            cases: cases![jit_is_on, scripts_are_cached],
        },
        Suite {
            name: "opcache huge pages",
            options: huge_pages,
            cases: cases![scripts_are_cached],
        },
        Suite {
            name: "opcache preload",
            options: preload,
            cases: cases![preloaded_class, scripts_are_cached],
        },
    ]
}

fn options(settings: &[&str]) -> StartOptions {
    let always = [
        "zend_extension=opcache",
        "opcache.enable=1",
        "opcache.file_update_protection=0",
    ];
    crate::with(&[&always, settings].concat())
}

fn plain(_: &Path) -> StartOptions {
    options(&["opcache.jit=disable"])
}

pub(crate) fn jit(_: &Path) -> StartOptions {
    options(&["opcache.jit=tracing", "opcache.jit_buffer_size=16M"])
}

fn huge_pages(_: &Path) -> StartOptions {
    options(&["opcache.huge_code_pages=1"])
}

fn preload(folder: &Path) -> StartOptions {
    let file = folder.join("preload.php");
    fs::write(
        &file,
        "<?php class Preloaded { const HELLO = 'preloaded'; }",
    )
    .expect("write");
    let setting = format!("opcache.preload={}", file.display());
    // Root must say as whom; the folder is closed to others.
    let user = if Uid::effective().is_root() {
        "opcache.preload_user=root"
    } else {
        "opcache.preload_user="
    };
    options(&[&setting, user])
}

fn scripts_are_cached(php: &mut Php) {
    let script = php.file("cached.php", "<?php echo opcache_is_script_cached(__FILE__) ? 'cached' : 'not', basename(getcwd()) ? '' : '?';");
    for _ in 0..200 {
        assert_eq!(Request::new(&script).run(php).body(), "cached");
    }
    let answer = php.get("$s = opcache_get_status(); echo json_encode([$s['opcache_enabled'], $s['opcache_statistics']['hits'] >= 199]);");
    assert_eq!(answer.body(), "[true,true]");
}

fn death_with_a_cached_script(php: &mut Php) {
    let script = php.file(
        "dying.php",
        "<?php function f() { no_such_function(); } echo 'before '; f();",
    );
    for _ in 0..10 {
        let answer = Request::new(&script).run(php);
        assert!(
            answer.body().contains("no_such_function"),
            "{}",
            answer.body()
        );
        assert_eq!(answer.outcome.exit_status, 255);
    }
    let script = php.file(
        "exhausting.php",
        "<?php ini_set('memory_limit', '4M'); $x = []; while (true) $x[] = str_repeat('x', 10000);",
    );
    for _ in 0..10 {
        assert!(
            Request::new(&script)
                .run(php)
                .body()
                .contains("Allowed memory size")
        );
    }
}

fn missing_script(php: &mut Php) {
    let script = php.file("there.php", "<?php echo 'there';");
    assert_eq!(Request::new(&script).run(php).body(), "there");
    let missing = php.folder.join("not-there.php");
    for _ in 0..3 {
        assert_eq!(Request::new(&missing).run(php).outcome.status, 404);
    }
    assert_eq!(Request::new(&script).run(php).body(), "there");
}

fn jit_is_on(php: &mut Php) {
    let answer = php.get("echo json_encode(opcache_get_status()['jit']['on']);");
    assert_eq!(answer.body(), "true");
    let script = php.file("loop.php", "<?php function sum($n) { $s = 0; for ($i = 0; $i < $n; $i++) $s += $i; return $s; } echo sum(100000), ' ', sum(10);");
    for _ in 0..100 {
        assert_eq!(Request::new(&script).run(php).body(), "4999950000 45");
    }
}

fn preloaded_class(php: &mut Php) {
    for _ in 0..3 {
        assert_eq!(php.get("echo Preloaded::HELLO;").body(), "preloaded");
    }
}
