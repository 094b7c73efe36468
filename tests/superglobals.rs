//! $_SERVER
use fpmd_tests::{Daemon, Result};

#[test]
fn hello() -> Result {
    let fpm = Daemon::new()
        .file("hello.php", "<?php echo 'hello', PHP_SAPI;")
        .start()?;
    let answer = fpm.get("/hello.php")?;
    assert_eq!(answer.text(), "hellofpm-fcgi");
    Ok(())
}
