//! Settings from outside: php_value, php_admin_value, PHP_VALUE, PHP_ADMIN_VALUE.

use std::fs::{self, File};

use sapi::{Completion, IniAccess, IniError, IniFault};

use crate::cases;
use crate::php::Php;
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        user_setting,
        system_setting,
        unknown_setting,
        refused_value,
        disabled_functions,
        disabled_classes,
        an_extension,
        an_extension_that_is_missing,
        ini_text,
        ini_text_faults,
        fatal_setting,
        fatal_ini_text,
    ]
}

fn user_setting(php: &mut Php) {
    php.set("precision", "5", IniAccess::User);
    let answer = php.get("echo 1 / 3, ' ', ini_set('precision', 3), ' ', 1 / 3, ' ', get_cfg_var('precision') ?: 'none';");
    assert_eq!(answer.body(), "0.33333 5 0.333 none");
    let answer = php
        .get("echo json_encode(ini_get_all('core')['precision'] ?? ini_get_all()['precision']);");
    assert_eq!(
        answer.body(),
        r#"{"global_value":"5","local_value":"5","access":7}"#
    );
}

fn system_setting(php: &mut Php) {
    php.set("precision", "5", IniAccess::System);
    let answer = php.get("echo json_encode([ini_set('precision', 3), ini_get('precision')]);");
    assert_eq!(answer.body(), r#"[false,"5"]"#);
    assert_eq!(
        php.get("echo ini_get_all()['precision']['access'];").body(),
        "4"
    );
}

fn unknown_setting(php: &mut Php) {
    let unknown = php.engine.set_ini(b"no.such", b"1", IniAccess::User);
    assert_eq!(
        unknown,
        Err(IniError::Unknown {
            key: "no.such".into()
        })
    );
    let nul = php.engine.set_ini(b"precision", b"1\0", IniAccess::User);
    assert_eq!(
        nul,
        Err(IniError::NulByte {
            key: "precision".into()
        })
    );
}

fn refused_value(php: &mut Php) {
    php.engine
        .set_ini(b"precision", b"-2", IniAccess::System)
        .expect("silently ignored");
    let answer = php.get("echo ini_get('precision'), ' ', ini_set('precision', 3);");
    assert_eq!(answer.body(), "14 14");
}

fn disabled_functions(php: &mut Php) {
    php.set("disable_functions", "strrev, str_rot13", IniAccess::System);
    let answer = php.get("echo json_encode([function_exists('strrev'), function_exists('str_rot13'), function_exists('strlen')]);");
    assert_eq!(answer.body(), "[false,false,true]");
    let answer = php.get("strrev('a');");
    assert!(
        answer
            .body()
            .contains("Call to undefined function strrev()"),
        "{}",
        answer.body()
    );
}

fn disabled_classes(php: &mut Php) {
    php.set(
        "disable_classes",
        " ,ArrayObject,SplStack ",
        IniAccess::System,
    );
    for class in ["ArrayObject", "SplStack"] {
        let answer = php.get(&format!("new {class};"));
        assert!(
            answer
                .body()
                .contains(&format!("{class}() has been disabled for security reasons")),
            "{}",
            answer.body()
        );
    }
    assert_eq!(php.get("echo count(new SplQueue);").body(), "0");
}

/// An extension that lies there but is not loaded: that of PHP's own tests, or one of Debian's.
fn loadable(php: &mut Php) -> String {
    let answer = php.get(
        "foreach (['dl_test', 'posix', 'ctype'] as $name) \
         if (!extension_loaded($name) && is_file(ini_get('extension_dir') . \"/$name.so\")) exit($name);",
    );
    assert!(!answer.body().is_empty(), "none of the extensions is there");
    answer.body().to_owned()
}

fn an_extension(php: &mut Php) {
    let name = loadable(php);
    php.engine
        .set_ini(b"extension", name.as_bytes(), IniAccess::System)
        .expect("loads or warns");
    php.engine.finish_ini();
    // The extension of PHP's tests tells when PHP calls it.
    // SAFETY: the case has its process for itself and one thread.
    unsafe { std::env::set_var("PHP_DL_TEST_MODULE_DEBUG", "1") };
    let trace = php.folder.join("stderr");
    nix::unistd::dup2_stderr(File::create(&trace).expect("create")).expect("dup2");
    for _ in 0..2 {
        let answer = php.get(&format!("echo json_encode(extension_loaded('{name}'));"));
        assert_eq!(answer.body(), "true");
    }
    if name == "dl_test" {
        let trace = fs::read_to_string(trace).expect("read");
        assert_eq!(trace.matches("DL TEST RINIT").count(), 2, "{trace}");
        assert_eq!(trace.matches("DL TEST RSHUTDOWN").count(), 2, "{trace}");
    }
}

fn an_extension_that_is_missing(php: &mut Php) {
    php.engine
        .set_ini(b"extension", b"no_such_extension", IniAccess::System)
        .expect("PHP only warns");
    php.engine.finish_ini();
    assert_eq!(php.get("echo 'fine';").body(), "fine");
}

fn ini_text(php: &mut Php) {
    let text = b"precision = 5\nmemory_limit=77M\nerror_reporting = E_ALL & ~E_NOTICE\nuser_agent = \"a b\"\nauto_append_file=";
    assert_eq!(php.engine.apply_ini_text(text, IniAccess::User), []);
    let show = "echo json_encode([ini_get('precision'), ini_get('memory_limit'), error_reporting() == (E_ALL & ~E_NOTICE), \
                ini_get('user_agent'), ini_get('auto_append_file')]);";
    assert_eq!(php.get(show).body(), r#"["5","77M",true,"a b",""]"#);
    assert_eq!(
        php.engine
            .apply_ini_text(b"precision=6\0precision=7", IniAccess::System),
        []
    );
    assert_eq!(
        php.get("echo json_encode([ini_get('precision'), ini_set('precision', 1)]);")
            .body(),
        r#"["6",false]"#
    );
}

fn ini_text_faults(php: &mut Php) {
    let text = b"[section]\nprecision=5\nkey[]=1\nbare\nno.such=1\n";
    assert_eq!(
        php.engine.apply_ini_text(text, IniAccess::User),
        [
            IniFault::NotClassic,
            IniFault::NotClassic,
            IniFault::EmptyValue { key: "bare".into() },
            IniFault::Unknown {
                key: "no.such".into()
            },
        ]
    );
    assert_eq!(php.get("echo ini_get('precision');").body(), "5");
    assert_eq!(php.engine.apply_ini_text(b"", IniAccess::User), []);
    assert_eq!(php.get("echo 'fine';").body(), "fine");
}

/// PHP answers this value with a fatal error instead of refusing it.
const FATAL: (&str, &str) = ("session.save_handler", "user");

fn fatal_setting(php: &mut Php) {
    let (key, value) = FATAL;
    let failed = php
        .engine
        .set_ini(key.as_bytes(), value.as_bytes(), IniAccess::System);
    assert_eq!(failed, Err(IniError::Failed { key: key.into() }));
    let answer = php.get("echo 'not reached';");
    assert_eq!(answer.outcome.completion, Completion::StartupFailed);
    assert_eq!(answer.host.calls, []);
}

fn fatal_ini_text(php: &mut Php) {
    let (key, value) = FATAL;
    let text = format!("{key}={value}\nopen_basedir=/nowhere\n");
    assert_eq!(
        php.engine
            .apply_ini_text(text.as_bytes(), IniAccess::System),
        []
    );
    let answer = php.get("echo 'not reached';");
    assert_eq!(answer.outcome.completion, Completion::StartupFailed);
    assert_eq!(answer.host.calls, []);
}
