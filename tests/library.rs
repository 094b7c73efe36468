//! The libphp that is found at run time must be the one that fpmd was built for, and only who runs PHP opens it. A program that has
//! PHP within itself needs none.

use std::fs;

use anyhow::Context;
use fpmd_tests::{Daemon, PhpComesFrom, PhpVersion, Result, Site, Subject};

/// Makes a copy of libphp for modules of another age, and returns the folder it is in.
fn foreign_libphp(site: &Site) -> Result<String> {
    let subject = Subject::from_environment()?;
    let library = subject.prefix().join("lib/libphp.so");
    let mut bytes = match subject.php_comes_from() {
        PhpComesFrom::Library => {
            fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?
        }
        // Its PHP may have no libphp.so, and nobody opens this one.
        PhpComesFrom::Program => vec![],
    };
    // What modules are built for stands in each of them as `API20220829,NTS`.
    let ends: Vec<usize> = (11..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b",NTS") && bytes[at - 11..].starts_with(b"API20"))
        .collect();
    for end in ends {
        bytes[end - 1] ^= 1;
    }
    site.write("lib/libphp.so", bytes)?;
    Ok(site.root().join("lib").to_string_lossy().into_owned())
}

#[test]
fn another_libphp_is_refused_with_the_version_that_is_needed() -> Result {
    let subject = Subject::from_environment()?;
    let site = Site::new()?;
    let daemon = Daemon::new()
        .environment("LD_LIBRARY_PATH", &foreign_libphp(&site)?)
        .file("t.php", "<?php echo PHP_VERSION;");
    if subject.php_comes_from() == PhpComesFrom::Program {
        assert_eq!(
            daemon.start()?.get("/t.php")?.text(),
            subject.full_version()
        );
        return Ok(());
    }
    let refusal = daemon.start_in_vain()?;
    assert_eq!(refusal.code, Some(70));
    let PhpVersion(major, minor) = subject.php();
    let expected = format!(
        "the libphp found at run time is not PHP {major}.{minor}, for which fpmd was built"
    );
    assert!(refusal.output.contains(&expected), "{}", refusal.output);
    Ok(())
}

#[test]
fn missing_libphp_is_named() -> Result {
    let subject = Subject::from_environment()?;
    let site = Site::new()?;
    fs::create_dir_all(site.root().join("lib"))?;
    site.write("lib/libphp.so", "")?;
    let daemon = Daemon::new()
        .environment(
            "LD_LIBRARY_PATH",
            &site.root().join("lib").to_string_lossy(),
        )
        .file("t.php", "<?php echo 'well';");
    if subject.php_comes_from() == PhpComesFrom::Program {
        assert_eq!(daemon.start()?.get("/t.php")?.text(), "well");
        return Ok(());
    }
    let refusal = daemon.start_in_vain()?;
    assert_ne!(refusal.code, Some(0));
    assert!(refusal.output.contains("libphp.so"), "{}", refusal.output);
    Ok(())
}

#[test]
fn the_master_does_not_load_libphp() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php readfile('/proc/self/maps');")
        .start()?;
    let comes_from = Subject::from_environment()?.php_comes_from();
    assert_eq!(
        fpm.get("/t.php")?.text().contains("/libphp"),
        comes_from == PhpComesFrom::Library
    );
    let maps = format!("/proc/{}/maps", fpm.process().pid());
    let maps = fs::read_to_string(&maps).with_context(|| format!("cannot read {maps}"))?;
    assert!(!maps.contains("/libphp"), "{maps}");
    Ok(())
}
