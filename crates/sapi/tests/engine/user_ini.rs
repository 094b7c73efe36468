//! `.user.ini`: which files apply, in which order, and for how long they are remembered.

use std::path::Path;

use sapi::IniAccess;

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        files_between_root_and_script,
        script_outside_the_root,
        without_a_root,
        remembered_for_a_while,
        never_remembered,
        not_beyond_an_admin_value,
        another_file_name,
        forgotten_by_the_next_script,
    ]
}

const SHOW: &str = "<?php echo ini_get('precision'), ' ', ini_get('user_agent');";

/// What the script shows when the folder of this PHP is the web server's root.
fn shown(php: &mut Php, script: &Path) -> String {
    let root = php.path().to_owned();
    let request = Request::new(script).with("DOCUMENT_ROOT", root);
    request.run(php).body().to_owned()
}

fn files_between_root_and_script(php: &mut Php) {
    php.file(".user.ini", "precision=9\nuser_agent=above");
    php.file("www/.user.ini", "precision=5\nuser_agent=root");
    php.file("www/a/.user.ini", "precision=6");
    let script = php.file("www/a/b/x.php", SHOW);
    let root = format!("{}/www", php.path());
    for root in [root.clone(), format!("{root}/")] {
        let answer = Request::new(&script).with("DOCUMENT_ROOT", root).run(php);
        assert_eq!(answer.body(), "6 root");
    }
}

fn script_outside_the_root(php: &mut Php) {
    php.file("a/.user.ini", "user_agent=parent");
    php.file("a/b/.user.ini", "precision=5");
    let script = php.file("a/b/x.php", SHOW);
    let answer = Request::new(&script)
        .with("DOCUMENT_ROOT", "/elsewhere/than/the/script/lies")
        .run(php);
    assert_eq!(answer.body(), "5 ");
}

fn without_a_root(php: &mut Php) {
    php.file("a/.user.ini", "precision=5");
    let script = php.file("a/x.php", SHOW);
    assert_eq!(Request::new(&script).run(php).body(), "14 ");
}

fn remembered_for_a_while(php: &mut Php) {
    php.file("a/.user.ini", "precision=5");
    let script = php.file("a/x.php", SHOW);
    assert_eq!(shown(php, &script), "5 ");
    php.file("a/.user.ini", "precision=6");
    assert_eq!(shown(php, &script), "5 ");
}

fn never_remembered(php: &mut Php) {
    php.set("user_ini.cache_ttl", "-1", IniAccess::System);
    php.file("a/.user.ini", "precision=5");
    let script = php.file("a/x.php", SHOW);
    assert_eq!(shown(php, &script), "5 ");
    php.file("a/.user.ini", "user_agent=new");
    assert_eq!(shown(php, &script), "14 new");
}

fn not_beyond_an_admin_value(php: &mut Php) {
    php.set("precision", "7", IniAccess::System);
    php.set("user_agent", "pool", IniAccess::User);
    php.file("a/.user.ini", "precision=5\nuser_agent=file");
    let script = php.file("a/x.php", SHOW);
    assert_eq!(shown(php, &script), "7 file");
}

fn another_file_name(php: &mut Php) {
    php.set("user_ini.filename", "local.ini", IniAccess::System);
    php.file("a/local.ini", "precision=5");
    let script = php.file("a/x.php", SHOW);
    assert_eq!(shown(php, &script), "5 ");
    php.set("user_ini.filename", "", IniAccess::System);
    assert_eq!(shown(php, &script), "14 ");
}

fn forgotten_by_the_next_script(php: &mut Php) {
    php.file("a/.user.ini", "precision=5");
    let here = php.file("a/x.php", SHOW);
    let there = php.file("b/x.php", SHOW);
    assert_eq!(shown(php, &here), "5 ");
    assert_eq!(shown(php, &there), "14 ");
}
