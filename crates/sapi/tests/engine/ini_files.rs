//! php.ini, the scan directory, and the sections that depend on host and path.

use std::fs;
use std::path::Path;

use sapi::StartOptions;

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Suite;

pub(crate) fn suites() -> Vec<Suite> {
    vec![
        Suite {
            name: "ini file",
            options: with_file,
            cases: cases![file_is_read, sections_of_hosts_and_paths],
        },
        Suite {
            name: "ini folder",
            options: with_folder,
            cases: cases![name_of_the_sapi_wins],
        },
        Suite {
            name: "scan directory",
            options: with_scan_dir,
            cases: cases![scan_directory_is_read],
        },
        Suite {
            name: "broken ini",
            options: with_broken_file,
            cases: cases![broken_file_is_read_up_to_the_fault],
        },
    ]
}

fn options(define: &str) -> StartOptions {
    StartOptions {
        ignore_ini: false,
        ..crate::with(&[define])
    }
}

fn with_file(folder: &Path) -> StartOptions {
    let file = folder.join("my.ini");
    let text = format!(
        "precision=5\n[HOST=shop.example]\nprecision=6\n[PATH={}]\nuser_agent=here\n",
        folder.display()
    );
    fs::write(&file, text).expect("write");
    StartOptions {
        ini_path: Some(file),
        ..options("serialize_precision=3")
    }
}

fn file_is_read(php: &mut Php) {
    let answer = php.get("echo ini_get('precision'), ' ', ini_get('serialize_precision'), ' ', basename(php_ini_loaded_file());");
    assert_eq!(answer.body(), "5 3 my.ini");
}

fn sections_of_hosts_and_paths(php: &mut Php) {
    let script = php.file(
        "x.php",
        "<?php echo ini_get('precision'), ini_get('user_agent');",
    );
    for (host, body) in [
        ("shop.example", "6here"),
        ("SHOP.Example", "6here"),
        ("other.example", "5here"),
    ] {
        assert_eq!(
            Request::new(&script)
                .with("SERVER_NAME", host)
                .run(php)
                .body(),
            body,
            "{host}"
        );
    }
}

fn with_folder(folder: &Path) -> StartOptions {
    fs::write(folder.join("php.ini"), "precision=5\n").expect("write");
    fs::write(folder.join("php-fpm-fcgi.ini"), "precision=6\n").expect("write");
    StartOptions {
        ini_path: Some(folder.to_owned()),
        ..options("serialize_precision=3")
    }
}

fn name_of_the_sapi_wins(php: &mut Php) {
    assert_eq!(php.get("echo ini_get('precision');").body(), "6");
}

fn with_scan_dir(folder: &Path) -> StartOptions {
    fs::write(folder.join("20-b.ini"), "precision=6\n").expect("write");
    fs::write(folder.join("10-a.ini"), "precision=5\nuser_agent=a\n").expect("write");
    // SAFETY: the suite has its process for itself and one thread.
    unsafe { std::env::set_var("PHP_INI_SCAN_DIR", folder) };
    options("serialize_precision=3")
}

fn scan_directory_is_read(php: &mut Php) {
    let answer = php.get("echo ini_get('precision'), ini_get('user_agent'), ' ', count(explode(',', php_ini_scanned_files()));");
    assert_eq!(answer.body(), "6a 2");
}

fn with_broken_file(folder: &Path) -> StartOptions {
    let file = folder.join("broken.ini");
    fs::write(&file, "precision=5\nuser_agent = \"never closed\n(&|\n").expect("write");
    StartOptions {
        ini_path: Some(file),
        ..options("serialize_precision=3")
    }
}

fn broken_file_is_read_up_to_the_fault(php: &mut Php) {
    assert_eq!(php.get("echo ini_get('precision');").body(), "5");
}
