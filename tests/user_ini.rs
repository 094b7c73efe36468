//! `.user.ini` files: settings of a folder and those below, read anew when they have been kept for as long as they may be.

use std::fs;

use fpmd_tests::{Daemon, Fpm, Result, wait_until};

/// Says what is in force for the script.
const SETTINGS: &str = "<?php echo ini_get('precision'), ' ', ini_get('user_agent');";

/// One worker, so that it is the same one that remembers.
fn daemon() -> Daemon {
    let scripts = ["t.php", "a/t.php", "a/b/t.php", "c/t.php"];
    let daemon = Daemon::new().workers(1).ini("precision=14");
    scripts
        .into_iter()
        .fold(daemon, |daemon, script| daemon.file(script, SETTINGS))
}

fn settings(fpm: &Fpm, folder: &str) -> Result<String> {
    let uri = format!("{folder}/t.php");
    let request = fpm.request(&uri);
    let root = fpm.site().root().display().to_string();
    Ok(fpm.send(&request.param("DOCUMENT_ROOT", &root))?.text())
}

#[test]
fn settings_of_a_folder_hold_for_all_below_and_for_no_other() -> Result {
    let fpm = daemon()
        .file(".user.ini", "user_agent = root\nprecision = 9")
        .file("a/.user.ini", "precision = 5")
        .file("a/b/.user.ini", "user_agent = below\nmemory_limit_typo = 1")
        .start()?;
    for (folder, expected) in [
        ("", "9 root"),
        ("/a", "5 root"),
        ("/a/b", "5 below"),
        ("/c", "9 root"),
    ] {
        assert_eq!(settings(&fpm, folder)?, expected, "{folder}");
    }
    // Nothing of a request is left for the next one of the worker.
    assert_eq!(settings(&fpm, "/c")?, "9 root");
    Ok(())
}

#[test]
fn what_the_pool_fixes_no_folder_changes() -> Result {
    let fpm = daemon()
        .pool("php_admin_value[precision] = 7")
        .pool("php_value[user_agent] = pool")
        .file("a/.user.ini", "precision = 5\nuser_agent = folder")
        .start()?;
    assert_eq!(settings(&fpm, "/a")?, "7 folder");
    assert_eq!(settings(&fpm, "/c")?, "7 pool");
    Ok(())
}

#[test]
fn system_settings_are_not_a_folders() -> Result {
    let fpm = daemon()
        .file(
            "a/.user.ini",
            "opcache.enable_cli = 1\nfile_uploads = 0\nprecision = 5",
        )
        .file("a/uploads.php", "<?php echo ini_get('file_uploads');")
        .start()?;
    assert_eq!(fpm.get("/a/uploads.php")?.text(), "1");
    assert_eq!(settings(&fpm, "/a")?, "5 ");
    Ok(())
}

#[test]
fn files_have_the_name_that_is_configured() -> Result {
    let fpm = daemon()
        .ini("user_ini.filename=local.ini")
        .file("a/.user.ini", "precision = 5")
        .file("c/local.ini", "precision = 6")
        .start()?;
    assert_eq!(settings(&fpm, "/a")?, "14 ");
    assert_eq!(settings(&fpm, "/c")?, "6 ");
    let none = daemon()
        .ini("user_ini.filename=")
        .file("a/.user.ini", "precision = 5")
        .start()?;
    assert_eq!(settings(&none, "/a")?, "14 ");
    Ok(())
}

#[test]
fn files_are_remembered_for_their_time() -> Result {
    let change = |fpm: &Fpm| -> Result {
        let file = fpm.site().root().join("a/.user.ini");
        Ok(fs::write(file, "precision = 6")?)
    };
    let fpm = daemon()
        .ini("user_ini.cache_ttl=300")
        .file("a/.user.ini", "precision = 5")
        .start()?;
    assert_eq!(settings(&fpm, "/a")?, "5 ");
    change(&fpm)?;
    assert_eq!(settings(&fpm, "/a")?, "5 ");
    let fpm = daemon()
        .ini("user_ini.cache_ttl=1")
        .file("a/.user.ini", "precision = 5")
        .start()?;
    assert_eq!(settings(&fpm, "/a")?, "5 ");
    change(&fpm)?;
    wait_until(
        "the file is read anew",
        || Ok(settings(&fpm, "/a")? == "6 "),
    )
}
