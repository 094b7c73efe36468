//! What runs as root and what does not, when root starts the daemon: the zygote, extensions, preload scripts, workers.
//!
//! Who is not root has one user for everything; these tests then only see that the daemon serves.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fpmd_tests::{Daemon, Fpm, Process, Result, Subject, Under, under};
use nix::unistd::{Uid, User};

/// A preload script that notes as whom it runs, and a script that tells what it noted.
const PRELOAD: &str =
    "<?php file_put_contents(__DIR__ . '/../var/preloaded', posix_geteuid() . ' ');";
const PRELOADED: &str = "<?php echo file_get_contents(__DIR__ . '/../var/preloaded');";

fn is_root() -> bool {
    Uid::effective().is_root()
}

fn id_of(user: &str) -> Result<String> {
    Ok(User::from_name(user)?.map_or_else(String::new, |user| user.uid.to_string()))
}

/// The real user of the process that started PHP and that the workers come from.
fn starter_of_php(fpm: &Fpm) -> Result<String> {
    let worker = Process::of(fpm.get("/pid.php")?.text().parse()?)?;
    let parent = Process::of(worker.parent()?)?;
    let ids = parent.status("Uid")?;
    Ok(ids.split(' ').next().unwrap_or_default().to_owned())
}

fn daemon() -> Daemon {
    Daemon::echo().file("pid.php", "<?php echo getmypid();")
}

fn with_opcache(daemon: Daemon) -> Result<Daemon> {
    let opcache = Subject::from_environment()?.extension("opcache")?;
    Ok(daemon
        .file("preload.php", PRELOAD)
        .file("preloaded.php", PRELOADED)
        .php_ini(&format!(
            "zend_extension={}\nopcache.preload={{dir}}/www/preload.php",
            opcache.display()
        )))
}

#[test]
fn zygote_is_the_user_that_all_pools_share() -> Result {
    let fpm = daemon().other_pool("b", "").start()?;
    let expected = match under()? {
        Under::Fpmd if is_root() => id_of("www-data")?,
        _ => Uid::effective().to_string(),
    };
    assert_eq!(starter_of_php(&fpm)?, expected);
    Ok(())
}

#[test]
fn zygote_of_several_users_stays_root() -> Result {
    if !is_root() {
        return Ok(());
    }
    let fpm = daemon()
        .other_pool("b", "user = games\ngroup = games")
        .start()?;
    assert_eq!(starter_of_php(&fpm)?, "0");
    fpm.send_to("b", &fpm.request("/t.php"))?;
    Ok(())
}

#[test]
fn pool_that_needs_root_at_its_workers_birth_gets_it() -> Result {
    if !is_root() {
        return Ok(());
    }
    for lines in ["process.priority = -3", "rlimit_core = unlimited"] {
        let fpm = daemon().global("rlimit_core = 1000").pool(lines).start()?;
        assert_eq!(starter_of_php(&fpm)?, "0", "{lines}");
    }
    Ok(())
}

#[test]
fn directory_that_only_root_may_enter_is_entered() -> Result {
    let secret = tempfile::tempdir()?;
    fs::set_permissions(secret.path(), Permissions::from_mode(0o700))?;
    let path = secret.path().display();
    let fpm = daemon().pool(&format!("chdir = {path}")).start()?;
    fpm.serves_on()?;
    assert_eq!(starter_of_php(&fpm)?, Uid::effective().to_string());
    Ok(())
}

#[test]
fn php_ini_may_be_for_roots_eyes_only() -> Result {
    let secret = tempfile::NamedTempFile::new()?;
    fs::write(secret.path(), "highlight.string = secret\n")?;
    fs::set_permissions(secret.path(), Permissions::from_mode(0o600))?;
    let fpm = Daemon::new()
        .file("t.php", "<?php echo ini_get('highlight.string');")
        .argument("-c")
        .argument(&secret.path().to_string_lossy())
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "secret");
    Ok(())
}

#[test]
fn extensions_may_lie_where_only_root_comes() -> Result {
    if !is_root() {
        return Ok(());
    }
    let secret = tempfile::tempdir()?;
    fs::set_permissions(secret.path(), Permissions::from_mode(0o700))?;
    let opcache = secret.path().join("opcache.so");
    fs::copy(Subject::from_environment()?.extension("opcache")?, &opcache)?;
    let fpm = daemon()
        .php_ini(&format!("zend_extension={}", opcache.display()))
        .file(
            "status.php",
            "<?php echo json_encode(opcache_get_status(false)['opcache_enabled']);",
        )
        .start()?;
    assert_eq!(fpm.get("/status.php")?.text(), "true");
    let expected = match under()? {
        Under::Fpmd => id_of("www-data")?,
        Under::Original => "0".to_owned(),
    };
    assert_eq!(starter_of_php(&fpm)?, expected);
    Ok(())
}

#[test]
fn preload_script_of_one_user_needs_no_preload_user() -> Result {
    let daemon = with_opcache(daemon())?;
    if is_root() && under()? == Under::Original {
        let refusal = daemon.start_in_vain()?;
        assert_ne!(refusal.code, Some(0));
        assert!(
            refusal.output.contains("\"opcache.preload_user\""),
            "{}",
            refusal.output
        );
        return Ok(());
    }
    let user = if is_root() {
        id_of("www-data")?
    } else {
        Uid::effective().to_string()
    };
    assert_eq!(
        daemon.start()?.get("/preloaded.php")?.text(),
        format!("{user} ")
    );
    Ok(())
}

#[test]
fn preload_user_is_who_preloads() -> Result {
    if !is_root() {
        return Ok(());
    }
    for user in ["www-data", "games"] {
        let fpm = with_opcache(daemon())?
            .php_ini(&format!("opcache.preload_user={user}"))
            .start()?;
        assert_eq!(
            fpm.get("/preloaded.php")?.text(),
            format!("{} ", id_of(user)?)
        );
    }
    Ok(())
}

#[test]
fn worker_has_no_way_back_to_root() -> Result {
    if !is_root() {
        return Ok(());
    }
    let script = "<?php echo json_encode([posix_setuid(0), posix_seteuid(0), posix_setgid(0), posix_setegid(0)]);";
    for other in ["", "user = games\ngroup = games"] {
        let fpm = daemon()
            .file("back.php", script)
            .other_pool("b", other)
            .start()?;
        assert_eq!(fpm.get("/back.php")?.text(), "[false,false,false,false]");
        let worker = Process::of(fpm.get("/pid.php")?.text().parse()?)?;
        let (uid, gid) = (worker.status("Uid")?, worker.status("Gid")?);
        let user = id_of("www-data")?;
        assert_eq!(uid, format!("{user} {user} {user} {user}"));
        assert!(gid.split(' ').all(|group| group != "0"), "{gid}");
        assert!(
            worker
                .status("Groups")?
                .split(' ')
                .all(|group| group != "0")
        );
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(worker.status(set)?, "0000000000000000", "{set}");
        }
        assert_eq!(worker.status("CapBnd")?, fpm.process().status("CapBnd")?);
    }
    Ok(())
}

#[test]
fn scripts_cannot_look_into_their_workers_parent() -> Result {
    if !is_root() {
        return Ok(());
    }
    let script = "<?php $parent = '/proc/' . posix_getppid();
        echo json_encode([@file_get_contents(\"$parent/environ\"), @fopen(\"$parent/mem\", 'r'), @scandir(\"$parent/fd\")]);";
    let fpm = daemon().file("look.php", script).start()?;
    assert_eq!(fpm.get("/look.php")?.text(), "[false,false,false]");
    assert!(Path::new("/proc/self/environ").exists());
    Ok(())
}
