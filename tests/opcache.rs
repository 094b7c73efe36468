//! opcache in the daemon: shared by all workers, with and without JIT, with preloading.

use std::fs::{self, FileTimes};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use fpmd_tests::{Daemon, Result, Subject};
use nix::unistd::Uid;

/// A daemon with opcache as a site would run it.
fn daemon() -> Result<Daemon> {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    Ok(Daemon::new().php_ini(&format!(
        "zend_extension={}\nopcache.file_update_protection=0",
        opcache.display()
    )))
}

const STATUS: &str = "<?php $s = opcache_get_status(); echo json_encode([$s['opcache_enabled'], isset($s['scripts'][__DIR__ . '/lib.php'])]), getmypid();";

#[test]
fn opcache_is_absent_unless_loaded() -> Result {
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php var_export(function_exists('opcache_get_status'));",
        )
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "false");
    Ok(())
}

#[test]
fn script_cached_by_one_worker_is_cached_for_all_pools() -> Result {
    let fpm = daemon()?
        .file("lib.php", "<?php function lib() { return 1; }")
        .file("use.php", "<?php require 'lib.php'; echo lib();")
        .file("t.php", STATUS)
        .other_pool("b", "")
        .start()?;
    assert!(fpm.get("/t.php")?.text().starts_with("[true,false]"));
    assert_eq!(fpm.get("/use.php")?.text(), "1");
    assert!(fpm.get("/t.php")?.text().starts_with("[true,true]"));
    assert!(
        fpm.send_to("b", &fpm.request("/t.php"))?
            .text()
            .starts_with("[true,true]")
    );
    Ok(())
}

#[test]
fn changed_script_is_compiled_again() -> Result {
    let fpm = daemon()?
        .php_ini("opcache.revalidate_freq=0")
        .file("t.php", "<?php echo 'old';")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "old");
    let file = fpm.site().write("t.php", "<?php echo 'new';")?;
    // opcache looks at whole seconds of the modification time.
    let later = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(100));
    fs::File::options()
        .write(true)
        .open(file)?
        .set_times(later)?;
    assert_eq!(fpm.get("/t.php")?.text(), "new");
    Ok(())
}

#[test]
fn reset_empties_the_cache_for_everybody() -> Result {
    let fpm = daemon()?
        .php_ini("opcache.revalidate_freq=0\nopcache.validate_timestamps=0")
        .file("lib.php", "<?php function lib() { return 'old'; }")
        .file("use.php", "<?php require 'lib.php'; echo lib();")
        .file("reset.php", "<?php var_export(opcache_reset());")
        .other_pool("b", "")
        .start()?;
    assert_eq!(fpm.get("/use.php")?.text(), "old");
    fpm.site()
        .write("lib.php", "<?php function lib() { return 'new'; }")?;
    assert_eq!(fpm.get("/use.php")?.text(), "old");
    assert_eq!(fpm.send_to("b", &fpm.request("/reset.php"))?.text(), "true");
    assert_eq!(fpm.get("/use.php")?.text(), "new");
    Ok(())
}

#[test]
fn jit_computes_the_same() -> Result {
    let script = "<?php function f($n) { $s = 0; for ($i = 0; $i < $n; $i++) { $s = ($s * 31 + $i) % 1000003; } return $s; }
        echo json_encode([f(2000000), opcache_get_status()['jit']['on'] ?? false]);";
    let without = daemon()?
        .php_ini("opcache.jit=disable")
        .file("t.php", script)
        .start()?;
    let plain = without.get("/t.php")?.text();
    assert!(plain.ends_with(",false]"), "{plain}");
    for mode in ["tracing", "function"] {
        let with = daemon()?
            .php_ini(&format!("opcache.jit={mode}\nopcache.jit_buffer_size=16M"))
            .file("t.php", script)
            .start()?;
        for _ in 0..3 {
            assert_eq!(
                with.get("/t.php")?.text(),
                plain.replace("false", "true"),
                "{mode}"
            );
        }
    }
    Ok(())
}

#[test]
fn preloaded_code_is_there_before_any_request() -> Result {
    let user = if Uid::effective().is_root() {
        "opcache.preload_user=www-data"
    } else {
        ""
    };
    let fpm = daemon()?
        .php_ini(&format!("opcache.preload={{dir}}/www/preload.php\n{user}"))
        .file("preload.php", "<?php require __DIR__ . '/classes.php'; function preloaded() { return 'function'; }")
        .file("classes.php", "<?php interface Shape { const SIDES = 4; } class Square implements Shape { function area() { return 9; } }")
        .file("t.php", "<?php echo preloaded(), (new Square)->area(), Square::SIDES, count(opcache_get_status()['preload_statistics']['classes']);")
        .workers(2)
        .start()?;
    for _ in 0..10 {
        assert_eq!(fpm.get("/t.php")?.text(), "function942");
    }
    Ok(())
}

#[test]
fn broken_preload_script_keeps_the_daemon_from_starting() -> Result {
    let user = if Uid::effective().is_root() {
        "opcache.preload_user=www-data"
    } else {
        ""
    };
    let refusal = daemon()?
        .php_ini(&format!("opcache.preload={{dir}}/www/none.php\n{user}"))
        .start_in_vain()?;
    assert_ne!(refusal.code, Some(0));
    assert!(
        refusal.output.contains("Failed opening required '")
            && refusal.output.contains("www/none.php'"),
        "{}",
        refusal.output
    );
    Ok(())
}

#[test]
fn preloading_as_root_must_be_allowed_explicitly() -> Result {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    // Pools of one user leave nothing to preload as root in fpmd (tests/privileges.rs).
    let refusal = daemon()?
        .other_pool("other", "user = games\ngroup = games")
        .php_ini("opcache.preload={dir}/www/preload.php")
        .file("preload.php", "<?php")
        .start_in_vain()?;
    assert_ne!(refusal.code, Some(0));
    assert!(
        refusal.output.contains("\"opcache.preload_user\""),
        "{}",
        refusal.output
    );
    Ok(())
}

#[test]
fn worker_that_dies_leaves_the_cache_usable() -> Result {
    let fpm = daemon()?
        .file("lib.php", "<?php function lib() { return 1; }")
        .file("use.php", "<?php require 'lib.php'; echo lib();")
        .file(
            "die.php",
            "<?php require 'lib.php'; posix_kill(getmypid(), SIGKILL);",
        )
        .file("t.php", STATUS)
        .start()?;
    for round in 1..=5 {
        assert_eq!(fpm.get("/use.php")?.text(), "1");
        assert!(fpm.get("/die.php").is_err());
        fpm.log()
            .wait_for_nth("exited on signal 9 (SIGKILL)", round)
            .context("the worker's death is not logged")?;
    }
    assert!(fpm.get("/t.php")?.text().starts_with("[true,true]"));
    Ok(())
}
