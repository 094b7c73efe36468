//! Configuration of PHP: php.ini, the command line, the pool, `.user.ini`, and what a web server passes along.

use fpmd_tests::{Daemon, Fpm, Result, Subject, Under, under};

/// Prints the ini values named by the query, separated by blanks.
const SHOW: &str = "<?php echo implode(' ', array_map(fn($name) => var_export(ini_get($name), true), explode('+', $_SERVER['QUERY_STRING'])));";

fn daemon() -> Daemon {
    Daemon::new().file("t.php", SHOW)
}

/// The values of these directives, as the script sees them.
fn values(fpm: &Fpm, names: &str) -> Result<String> {
    Ok(fpm.get(&format!("/t.php?{names}"))?.text())
}

#[test]
fn pool_values_are_defaults_that_scripts_may_change() -> Result {
    let fpm = daemon()
        .pool("php_value[precision] = 5\nphp_flag[display_errors] = off\nphp_value[memory_limit] = 64M")
        .file("set.php", "<?php echo ini_set('precision', '7'), ini_get('precision'), ini_get_all('core')['memory_limit']['global_value'];")
        .start()?;
    assert_eq!(
        values(&fpm, "precision+display_errors+memory_limit")?,
        "'5' '0' '64M'"
    );
    assert_eq!(fpm.get("/set.php")?.text(), "5764M");
    assert_eq!(values(&fpm, "precision")?, "'5'");
    Ok(())
}

#[test]
fn admin_values_cannot_be_changed() -> Result {
    let fpm = daemon()
        .pool("php_admin_value[precision] = 5\nphp_admin_flag[html_errors] = on")
        .file("set.php", "<?php echo json_encode([ini_set('precision', '7'), ini_set('html_errors', '0'), ini_get('precision'), ini_get('html_errors')]);")
        .file(".user.ini", "precision = 9\nhtml_errors = 0\nserialize_precision = 3")
        .start()?;
    assert_eq!(
        values(&fpm, "precision+html_errors+serialize_precision")?,
        "'5' '1' '3'"
    );
    assert_eq!(fpm.get("/set.php")?.text(), r#"[false,false,"5","1"]"#);
    Ok(())
}

#[test]
fn first_definition_of_a_pool_value_wins() -> Result {
    let fpm = daemon()
        .pool("php_value[precision] = 5\nphp_value[precision] = 6")
        .start()?;
    assert_eq!(values(&fpm, "precision")?, "'5'");
    Ok(())
}

#[test]
fn pool_values_override_php_ini_and_the_command_line() -> Result {
    let fpm = daemon()
        .php_ini("precision = 3\nserialize_precision = 3")
        .ini("precision=4")
        .pool("php_value[precision] = 5")
        .start()?;
    assert_eq!(values(&fpm, "precision+serialize_precision")?, "'5' '3'");
    Ok(())
}

#[test]
fn pools_have_their_own_values() -> Result {
    let fpm = daemon()
        .pool("php_value[precision] = 5")
        .other_pool("b", "php_value[precision] = 6")
        .start()?;
    assert_eq!(values(&fpm, "precision")?, "'5'");
    assert_eq!(
        fpm.send_to("b", &fpm.request("/t.php?precision"))?.text(),
        "'6'"
    );
    Ok(())
}

#[test]
fn unknown_pool_value_is_reported_and_the_rest_counts() -> Result {
    let fpm = daemon().pool("php_value[no_such] = 1\nphp_admin_value[no_other] = 1\nphp_value[precision] = 5\ncatch_workers_output = yes").start()?;
    assert_eq!(values(&fpm, "precision+no_such")?, "'5' false");
    fpm.log()
        .wait_for("ERROR: Unable to set php_value 'no_such'")?;
    fpm.log()
        .wait_for("ERROR: Unable to set php_admin_value 'no_other'")?;
    Ok(())
}

#[test]
fn functions_can_be_disabled_for_a_pool_in_addition() -> Result {
    let fpm = Daemon::new()
        .ini("disable_functions=str_rot13")
        .pool("php_admin_value[disable_functions] = strrev,shell_exec")
        .file("t.php", "<?php echo json_encode(array_map('function_exists', ['str_rot13', 'strrev', 'shell_exec', 'strlen']));")
        .start()?;
    assert_eq!(fpm.get("/t.php")?.text(), "[false,false,false,true]");
    Ok(())
}

#[test]
fn extension_can_be_loaded_for_a_pool() -> Result {
    // The pool's user loads it, and PHP's own folder may be in somebody's home.
    let extension = std::fs::read(Subject::from_environment()?.extension("dl_test")?)?;
    let fpm = Daemon::new()
        .file("dl_test.so", extension)
        .pool("php_admin_value[extension] = {dir}/www/dl_test.so")
        .file("t.php", "<?php echo json_encode([extension_loaded('dl_test'), function_exists('dl_test_test2') ? dl_test_test2('you') : null]);")
        .other_pool("b", "")
        .start()?;
    for _ in 0..3 {
        assert_eq!(fpm.get("/t.php")?.text(), r#"[true,"Hello you"]"#);
    }
    assert_eq!(
        fpm.send_to("b", &fpm.request("/t.php"))?.text(),
        "[false,null]"
    );
    Ok(())
}

#[test]
fn value_from_the_web_server_stays_in_the_worker() -> Result {
    let fpm = daemon().file("set.php", "<?php echo ini_set('precision', '7'), ' ', ini_set('serialize_precision', '7') === false ? 'refused' : 'set';").start()?;
    let request = fpm
        .request("/t.php?precision+display_errors+error_reporting+serialize_precision")
        .param(
            "PHP_VALUE",
            "precision = 5\ndisplay_errors = off\nerror_reporting = E_ERROR",
        )
        .param("PHP_ADMIN_VALUE", "serialize_precision=4");
    assert_eq!(fpm.send(&request)?.text(), "'5' '' '1' '4'");
    assert_eq!(values(&fpm, "precision+serialize_precision")?, "'5' '4'");
    assert_eq!(fpm.get("/set.php")?.text(), "5 refused");
    Ok(())
}

#[test]
fn mistakes_in_values_from_the_web_server_are_reported() -> Result {
    let fpm = daemon().start()?;
    for (text, message) in [
        (
            "no_such = 1",
            "Passing INI directive through FastCGI: unable to set 'no_such'",
        ),
        (
            "[section]\nprecision = 5",
            "Passing INI directive through FastCGI: only classic entries are allowed",
        ),
        (
            "precision[] = 5",
            "Passing INI directive through FastCGI: only classic entries are allowed",
        ),
        (
            "precision",
            "Passing INI directive through FastCGI: empty value for key 'precision'",
        ),
    ] {
        for name in ["PHP_VALUE", "PHP_ADMIN_VALUE"] {
            let answer = fpm.send(&fpm.request("/t.php?html_errors").param(name, text))?;
            assert!(
                answer.stderr.starts_with(message),
                "{name} {text}: {answer:?}"
            );
            assert_eq!(answer.text(), "'1'");
        }
    }
    Ok(())
}

#[test]
fn auto_prepend_file_from_the_web_server_is_obeyed() -> Result {
    let fpm = daemon()
        .file("before.php", "<?php echo 'before ';")
        .file("well.php", "<?php echo 'well';")
        .start()?;
    let before = fpm.site().root().join("before.php");
    let request = fpm.request("/well.php").param(
        "PHP_VALUE",
        format!("auto_prepend_file={}", before.display()),
    );
    assert_eq!(fpm.send(&request)?.text(), "before well");
    Ok(())
}

#[test]
fn user_ini_files_apply_from_the_document_root_down() -> Result {
    let show = |at: &str| (format!("{at}t.php"), SHOW);
    let (deep, beside) = (show("a/b/"), show("c/"));
    let fpm = daemon()
        .file(&deep.0, deep.1)
        .file(&beside.0, beside.1)
        .file(".user.ini", "precision = 5\nserialize_precision = 5")
        .file("a/.user.ini", "precision = 6\narg_separator.output = +")
        .file("a/b/.user.ini", "precision = 7")
        .start()?;
    let names = "precision+serialize_precision+arg_separator.output";
    for _ in 0..2 {
        assert_eq!(
            fpm.get(&format!("/a/b/t.php?{names}"))?.text(),
            "'7' '5' '+'"
        );
        assert_eq!(fpm.get(&format!("/c/t.php?{names}"))?.text(), "'5' '5' '&'");
        assert_eq!(fpm.get(&format!("/t.php?{names}"))?.text(), "'5' '5' '&'");
    }
    Ok(())
}

#[test]
fn user_ini_outside_the_document_root_is_the_scripts_own_only() -> Result {
    let fpm = daemon()
        .file("a/b/t.php", SHOW)
        .file("a/.user.ini", "precision = 6")
        .file("a/b/.user.ini", "serialize_precision = 7")
        .start()?;
    let request = fpm
        .request("/a/b/t.php?precision+serialize_precision")
        .param("DOCUMENT_ROOT", "/elsewhere");
    assert_eq!(fpm.send(&request)?.text(), "'14' '7'");
    Ok(())
}

#[test]
fn user_ini_has_another_name_or_none_when_php_ini_says_so() -> Result {
    let files = |daemon: Daemon| {
        daemon
            .file(".user.ini", "precision = 5")
            .file("other.ini", "precision = 6")
    };
    assert_eq!(
        values(
            &files(daemon().ini("user_ini.filename=other.ini")).start()?,
            "precision"
        )?,
        "'6'"
    );
    assert_eq!(
        values(
            &files(daemon().ini("user_ini.filename=")).start()?,
            "precision"
        )?,
        "'14'"
    );
    Ok(())
}

#[test]
fn user_ini_cannot_set_what_only_the_system_may() -> Result {
    let fpm = daemon()
        .file(
            ".user.ini",
            "precision = 5\nallow_url_fopen = 0\nupload_max_filesize = 77M",
        )
        .start()?;
    assert_eq!(
        values(&fpm, "precision+allow_url_fopen+upload_max_filesize")?,
        "'5' '1' '77M'"
    );
    Ok(())
}

#[test]
fn sections_of_php_ini_apply_by_host_and_by_path() -> Result {
    let fpm = daemon()
        .file("special/t.php", SHOW)
        .php_ini("precision = 3\n[HOST=special.example.org]\nprecision = 4\n[PATH={dir}/www/special]\nserialize_precision = 6")
        .start()?;
    assert_eq!(values(&fpm, "precision+serialize_precision")?, "'3' '-1'");
    let request = fpm
        .request("/t.php?precision")
        .param("SERVER_NAME", "Special.Example.org");
    assert_eq!(fpm.send(&request)?.text(), "'4'");
    assert_eq!(
        fpm.get("/special/t.php?precision+serialize_precision")?
            .text(),
        "'3' '6'"
    );
    assert_eq!(values(&fpm, "precision+serialize_precision")?, "'3' '-1'");
    Ok(())
}

#[test]
fn defines_take_words_numbers_quotes_and_nothing() -> Result {
    let fpm = daemon()
        .ini("html_errors")
        .ini("precision=5")
        .argument("-dserialize_precision=6")
        .ini("error_prepend_string=<b>")
        .ini("error_append_string=\"a;b\"")
        .ini("date.timezone=Europe/Berlin")
        .start()?;
    assert_eq!(
        values(
            &fpm,
            "html_errors+precision+serialize_precision+error_prepend_string+error_append_string+date.timezone"
        )?,
        "'1' '5' '6' '<b>' 'a;b' 'Europe/Berlin'"
    );
    Ok(())
}

#[test]
fn php_ini_is_found_in_a_folder_too_and_scanned_files_follow() -> Result {
    let fpm = daemon()
        .file("conf/php.ini", "precision = 3\nserialize_precision = 3")
        .file("scan/10.ini", "serialize_precision = 4")
        .file("see.php", "<?php echo php_ini_loaded_file() === __DIR__ . '/conf/php.ini' ? 'loaded ' : php_ini_loaded_file(), basename(trim(php_ini_scanned_files()));")
        .php_ini("")
        .argument("-c")
        .argument("{dir}/www/conf")
        .environment("PHP_INI_SCAN_DIR", "{dir}/www/scan")
        .start();
    // The folder exists once the daemon is told to start, so it is named by its place in the temporary directory.
    let fpm = fpm?;
    assert_eq!(values(&fpm, "precision+serialize_precision")?, "'3' '4'");
    assert_eq!(fpm.get("/see.php")?.text(), "loaded 10.ini");
    Ok(())
}

#[test]
fn variant_of_php_ini_for_this_sapi_is_preferred() -> Result {
    let fpm = daemon()
        .file("conf/php.ini", "precision = 3")
        .file("conf/php-fpm-fcgi.ini", "precision = 4")
        .php_ini("")
        .argument("-c")
        .argument("{dir}/www/conf")
        .start()?;
    assert_eq!(values(&fpm, "precision")?, "'4'");
    Ok(())
}

#[test]
fn broken_php_ini_is_reported_and_read_as_far_as_it_goes() -> Result {
    let fpm = daemon()
        .php_ini("precision = 3\nserialize_precision = (((\nmemory_limit = 64M")
        .start()?;
    assert_eq!(values(&fpm, "precision+memory_limit")?, "'3' '128M'");
    let said = fpm.log().wait_for("syntax error")?;
    assert!(
        said.starts_with("PHP:  syntax error, ") && said.contains("php.ini on line "),
        "{said}"
    );
    Ok(())
}

#[test]
fn missing_extension_in_php_ini_is_a_warning() -> Result {
    let fpm = daemon()
        .php_ini("log_errors = 1\nextension = no_such_extension\nprecision = 3")
        .start()?;
    assert_eq!(values(&fpm, "precision")?, "'3'");
    fpm.log()
        .wait_for("Unable to load dynamic library 'no_such_extension'")?;
    Ok(())
}

#[test]
fn worker_does_not_start_without_a_value_that_php_gives_up_on() -> Result {
    // PHP answers this one with a fatal error. What it should forbid may not be forbidden.
    let fpm = Daemon::echo()
        .pool("php_admin_value[session.save_handler] = user")
        .start()?;
    let code = match under()? {
        Under::Fpmd => {
            fpm.log().wait_for(
                "ERROR: [pool www] PHP failed to make the setting 'session.save_handler'",
            )?;
            70
        }
        Under::Original => 255,
    };
    fpm.log().wait_for(&format!("exited with code {code} "))?;
    Ok(())
}
