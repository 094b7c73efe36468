//! Questions to PHP that change nothing.

use std::ffi::CString;

use sapi::IniAccess;

use crate::cases;
use crate::php::Php;
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        settings,
        configuration,
        constants,
        paths,
        facts_of_the_build
    ]
}

fn settings(php: &mut Php) {
    assert!(php.engine.ini_bool(c"cgi.fix_pathinfo"));
    assert!(!php.engine.ini_bool(c"cgi.discard_path"));
    assert!(php.engine.ini_bool(c"fastcgi.logging"));
    assert_eq!(php.engine.ini_str(c"doc_root"), None);
    assert_eq!(php.engine.ini_str(c"no.such"), None);
    let engine = &mut php.engine;
    engine
        .set_ini(b"doc_root", b"/srv", IniAccess::System)
        .expect("an ini entry");
    assert_eq!(engine.ini_str(c"doc_root"), Some(&b"/srv"[..]));
    engine
        .set_ini(b"cgi.fix_pathinfo", b"0", IniAccess::System)
        .expect("an ini entry");
    assert!(!engine.ini_bool(c"cgi.fix_pathinfo"));
}

fn configuration(php: &mut Php) {
    assert_eq!(php.engine.configured(c"date.timezone"), Some("UTC".into()));
    assert_eq!(php.engine.configured(c"precision"), None);
    assert_eq!(php.engine.configured(c"no.such"), None);
}

fn constants(php: &mut Php) {
    assert_eq!(php.engine.constant(c"PHP_SAPI"), Some("fpm-fcgi".into()));
    assert_eq!(php.engine.constant(c"E_ERROR"), Some("1".into()));
    assert_eq!(php.engine.constant(c"M_PI"), Some("3.1415926535898".into()));
    assert_eq!(php.engine.constant(c"TRUE"), Some("1".into()));
    assert_eq!(php.engine.constant(c"NO_SUCH_CONSTANT"), None);
}

fn paths(php: &mut Php) {
    let exists =
        |php: &Php, path: &str| php.engine.path_exists(&CString::new(path).expect("no NUL"));
    let file = php.file("a/file", "");
    for path in ["/a/file", "/a", "/a/", "/a/../a/file"] {
        assert!(exists(php, &format!("{}{path}", php.path())), "{path}");
    }
    for path in ["/a/file/", "/b", "/a/file/info"] {
        assert!(!exists(php, &format!("{}{path}", php.path())), "{path}");
    }
    assert!(!exists(php, &format!("/{}", "x".repeat(10_000))));
    // Remembered, as php-fpm remembers it.
    std::fs::remove_file(&file).expect("rm");
    assert!(exists(php, file.to_str().expect("UTF-8")));
}

fn facts_of_the_build(php: &mut Php) {
    let paths = sapi::built_paths();
    let constant = |name| php.engine.constant(name).expect("a constant").to_string();
    assert_eq!(constant(c"PHP_SYSCONFDIR"), paths.sysconfdir);
    assert_eq!(constant(c"PHP_LOCALSTATEDIR"), paths.localstatedir);
    assert_eq!(constant(c"PHP_PREFIX"), paths.prefix);
    assert_eq!(
        constant(c"PHP_VERSION_ID"),
        sapi::built_version_id().to_string()
    );
}
